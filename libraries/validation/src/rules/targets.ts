/** What a policy may be for (reference: l7-and-cli §2.1). Pure. */

import type { Findings } from "../findings.ts";
import type { Path } from "../path.ts";

interface TargetRef {
  readonly group?: string;
  readonly kind: string;
}

export interface TargetedSpec {
  readonly targetRef?: TargetRef;
  readonly targetRefs?: readonly TargetRef[];
}

const TARGETS: readonly string[] = [
  "gateway.networking.k8s.io/Gateway",
  "gateway.networking.k8s.io/GatewayClass",
  "networking.istio.io/ServiceEntry",
  "/Service",
];
const NAMES = "Gateway, GatewayClass, Service or ServiceEntry of their own groups";

/** Another kind as target would leave the policy without effect, and nobody would hear of it. */
export function checkTargets(
  { targetRef, targetRefs = [] }: TargetedSpec,
  path: Path,
  findings: Findings,
): void {
  const found: readonly (readonly [Path, TargetRef])[] = [
    ...(targetRef === undefined ? [] : [[[...path, "targetRef"], targetRef] as const]),
    ...targetRefs.map((each, index) => [[...path, "targetRefs", index], each] as const),
  ];
  for (const [at, { group = "", kind }] of found) {
    // `core` is how some write the empty name of the core group.
    const name = `${group === "core" ? "" : group}/${kind}`;
    if (!TARGETS.includes(name))
      findings.error([...at, "kind"], `expected ${NAMES}, got ${group === "" ? kind : `${group}/${kind}`}`);
  }
}
