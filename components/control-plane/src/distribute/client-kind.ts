/** Which kind of client a stream is of, and so what it may be told. */

import { SERVED_SERVICE_TYPE_URL, WAYPOINT_SETTINGS_TYPE_URL, WORKLOAD_LABELS_TYPE_URL } from "@meltemi/xds";

export type ClientKind =
  | { readonly kind: "mesh" }
  /** `gateway`: `namespace/name` of its Gateway. */
  | { readonly kind: "waypoint"; readonly gateway: string };

export const MESH_CLIENT: ClientKind = { kind: "mesh" };

/** A pod that someone claims to be; `uid` undefined where no token proves it. */
export interface ClaimedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
}

/** What must be known of the pod. */
export interface KnownPod {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
}

const GATEWAY_NAME_LABEL = "gateway.networking.k8s.io/gateway-name";
const WAYPOINT_TYPES: ReadonlySet<string> = new Set([
  SERVED_SERVICE_TYPE_URL,
  WAYPOINT_SETTINGS_TYPE_URL,
  WORKLOAD_LABELS_TYPE_URL,
]);

/** A waypoint is a pod of a Gateway. A pod of the same name that is another now is nobody's. */
export function clientKind(claim: ClaimedPod | undefined, known: KnownPod | undefined): ClientKind {
  if (claim === undefined || known === undefined) return MESH_CLIENT;
  if (claim.uid !== undefined && claim.uid !== known.uid) return MESH_CLIENT;
  const gateway = known.labels[GATEWAY_NAME_LABEL];
  return gateway ? { kind: "waypoint", gateway: `${claim.namespace}/${gateway}` } : MESH_CLIENT;
}

/** Undefined when the client may ask for the type; else what to tell it. */
export function typeFault(typeUrl: string, client: ClientKind): string | undefined {
  if (client.kind === "waypoint" || !WAYPOINT_TYPES.has(typeUrl)) return undefined;
  const type = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  return `subscribe to ${type}: expected the token of a pod with label ${GATEWAY_NAME_LABEL}`;
}

/** The pod that a node id names: `<type>~<ip>~<pod>.<namespace>~<domain>`. */
export function podOfNode(nodeId: string): ClaimedPod | undefined {
  const pod = nodeId.split("~")[2] ?? "";
  const dot = pod.lastIndexOf(".");
  if (dot < 1) return undefined;
  return { namespace: pod.slice(dot + 1), name: pod.slice(0, dot), uid: undefined };
}
