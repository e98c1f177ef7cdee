/** What compilation needs from outside the API objects it reads: the Secrets that rules name, the keys that policies name. Pure. */

import type { TokenRule } from "@meltemi/resources";
import { credentialNames } from "../compile/l7/missing-credentials.ts";
import type { MeshInputs } from "../compile/mesh-collections.ts";

/** `namespace/name`: of the waypoints' namespaces, for Secrets are read where the waypoint is. */
export function neededCredentials(
  inputs: Pick<MeshInputs, "destinationRules" | "waypoints">,
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { spec } of inputs.destinationRules.values())
    for (const name of credentialNames(spec)) {
      names.add(name);
      // Where a CA has a Secret of its own.
      names.add(`${name}-cacert`);
    }
  if (names.size === 0) return names;
  const namespaces = new Set([...inputs.waypoints.values()].map(({ namespace }) => namespace));
  return new Set([...namespaces].flatMap((namespace) => [...names].map((name) => `${namespace}/${name}`)));
}

/** Of policies that waypoints enforce. */
export function neededKeySets(inputs: Pick<MeshInputs, "requestAuthentications">): readonly TokenRule[] {
  return [...inputs.requestAuthentications.values()].flatMap(({ targetRefs, rules }) =>
    targetRefs.length > 0 ? rules : [],
  );
}
