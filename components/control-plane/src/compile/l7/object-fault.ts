/** Objects of L7 that cannot be read: what is in force in their place; the source of what their status says of it. */

import type { ParentRefSpec } from "@meltemi/resources";
import type { Output } from "../graph.ts";
import type { Compilation } from "../workload-parts.ts";

/** Of the object as it is stored now. */
export interface ObjectFault {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** Where, what was expected, what was there. */
  readonly problems: string;
  /** Of a route, as far as these can be read: its status has a place for each. */
  readonly parentRefs: readonly ParentRefSpec[];
}

export interface FaultReport extends ObjectFault {
  /** The generation whose form stays in force. Undefined: there is none. */
  readonly lastGoodGeneration: number | undefined;
}

/** Other kinds have a status of their own for it, or none. */
export function reportFault(fault: ObjectFault, compilation: Compilation): readonly Output<FaultReport>[] {
  const key = `${fault.kind}/${fault.namespace}/${fault.name}`;
  const known = knownGeneration(fault, key, compilation);
  if (known === "otherKind") return [];
  return [{ key, value: { ...fault, lastGoodGeneration: known } }];
}

function knownGeneration(
  { kind, namespace, name }: ObjectFault,
  key: string,
  { inputs, read }: Compilation,
): number | undefined | "otherKind" {
  const plain = `${namespace}/${name}`;
  switch (kind) {
    case "VirtualService":
      return read.get(inputs.virtualServices, plain)?.generation;
    case "DestinationRule":
      return read.get(inputs.destinationRules, plain)?.generation;
    case "RequestAuthentication":
      return read.get(inputs.requestAuthentications, plain)?.generation;
    case "Telemetry":
      return read.get(inputs.telemetries, plain)?.generation;
    case "RateLimitPolicy":
      return read.get(inputs.rateLimitPolicies, plain)?.generation;
    case "HTTPRoute":
    case "GRPCRoute":
    case "TCPRoute":
    case "TLSRoute":
      return read.get(inputs.routes, key)?.generation;
    default:
      return "otherKind";
  }
}
