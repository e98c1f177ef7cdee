/** What the xDS client delivers, or a file in its place, as changes of the snapshot: a response is applied whole (reference: protocol §3.1). */

import type { AddressChange, PolicyChange } from "@meltemi/model";
import type { XdsUpdate } from "@meltemi/xds";
import type { StaticConfig } from "../static-config.ts";

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

/** Services first: workloads then find theirs. The order makes no difference to the result. */
export function staticChanges(config: StaticConfig): readonly AddressChange[] {
  return [
    ...config.services.map((service) => ({ kind: "service", service }) as const),
    ...config.workloads.map((workload) => ({ kind: "workload", workload }) as const),
  ];
}
