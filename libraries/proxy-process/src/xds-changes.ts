/** What the xDS client delivers as changes of the snapshot: a response is applied whole (reference: protocol §3.1). */

import type { AddressChange, PolicyChange } from "@meltemi/model";
import type { XdsUpdate } from "@meltemi/xds";

export function addressChanges(update: Extract<XdsUpdate, { kind: "address" }>): readonly AddressChange[] {
  return [
    ...update.upserts.map(({ value }) => value),
    ...update.removedNames.map((name) => ({ kind: "remove", name }) as const),
  ];
}

export function policyChanges(
  update: Extract<XdsUpdate, { kind: "authorization" }>,
): readonly PolicyChange[] {
  return [
    ...update.upserts.map(({ value }) => ({ kind: "policy", policy: value }) as const),
    ...update.removedNames.map((name) => ({ kind: "remove", name }) as const),
  ];
}
