/** Which waypoint an object is bound to (reference: l7-and-cli §1.3-1.6, protocol §3.8). */

import { matchesRequirements } from "@meltemi/kubernetes";
import type { GatewayAddress } from "@meltemi/model";
import type {
  AllowedNamespaces,
  GatewayClassFacts,
  InboundBinding,
  NamespaceFacts,
  WaypointFacts,
  WaypointListenerFacts,
  WaypointRequest,
  WaypointTraffic,
} from "./facts.ts";

const HBONE_PORT = 15008;

/** A Gateway with what its class says filled in. */
export interface Waypoint extends WaypointReference {
  readonly className: string;
  /** Undefined when the class is not there. */
  readonly controllerName: string | undefined;
  readonly trafficType: WaypointTraffic;
  readonly inboundBinding: InboundBinding | undefined;
  readonly serviceAccount: string;
  readonly addresses: WaypointFacts["addresses"];
  readonly allowedNamespaces: AllowedNamespaces;
}

export interface WaypointReference {
  readonly namespace: string;
  readonly name: string;
}

/** `missing`: no Gateway of that name. `notReady`: there is one, and it has no address yet. */
export type RefusalReason = "missing" | "notReady" | "attachmentDenied" | "unsupportedTraffic";
export type CanaryRefusalReason = RefusalReason | "sameAsPrimary" | "invalidWeight";

export type CanaryBinding =
  | {
      readonly kind: "weighted";
      readonly waypoint: WaypointReference;
      readonly address: GatewayAddress;
      /** Percent of new connections. */
      readonly weight: number;
    }
  | { readonly kind: "refused"; readonly waypoint: WaypointReference; readonly reason: CanaryRefusalReason };

export interface BoundWaypoint {
  readonly kind: "bound";
  readonly waypoint: WaypointReference;
  readonly address: GatewayAddress;
}

export interface RefusedWaypoint {
  readonly kind: "refused";
  readonly waypoint: WaypointReference;
  readonly reason: RefusalReason;
}

export type WaypointBinding = { readonly kind: "none" } | BoundWaypoint | RefusedWaypoint;

/** What an object asks for. */
export interface RequestedWaypoint {
  readonly reference: WaypointReference;
  /** By the label of its namespace rather than its own. */
  readonly inherited: boolean;
}

/** The asking object, and the place that a waypoint may admit or not. */
export interface Petitioner {
  readonly traffic: "service" | "workload";
  readonly namespace: string;
  readonly namespaceFacts: NamespaceFacts | undefined;
  readonly network: string;
}

export function resolveWaypoint(
  gateway: WaypointFacts,
  gatewayClass: GatewayClassFacts | undefined,
): Waypoint {
  const inboundBinding = gateway.inboundBinding ?? gatewayClass?.inboundBinding;
  return {
    namespace: gateway.namespace,
    name: gateway.name,
    className: gateway.className,
    controllerName: gatewayClass?.controllerName,
    trafficType: gateway.trafficType ?? gatewayClass?.trafficType ?? "service",
    inboundBinding,
    serviceAccount: gateway.serviceAccount,
    addresses: gateway.addresses,
    allowedNamespaces: bindingListener(gateway.listeners, inboundBinding)?.allowedNamespaces ?? {
      kind: "same",
    },
  };
}

/** The listener that says who may bind. */
function bindingListener(
  listeners: readonly WaypointListenerFacts[],
  binding: InboundBinding | undefined,
): WaypointListenerFacts | undefined {
  if (binding === undefined)
    return listeners.find(({ port, protocol }) => port === HBONE_PORT && protocol === "HBONE");
  return listeners.find(
    ({ port, protocol }) =>
      port === binding.port || (binding.protocol === "proxy" && protocol === "istio.io/PROXY"),
  );
}

/** The object's own label wins over its namespace's; `none` on either ends the search. */
export function requestedWaypoint(
  request: WaypointRequest,
  namespace: string,
  namespaceFacts: NamespaceFacts | undefined,
): RequestedWaypoint | undefined {
  const inherited = request.useWaypoint === undefined;
  const source = inherited ? namespaceFacts?.waypoint : request;
  const reference = referenceTo(source?.useWaypoint, source?.useWaypointNamespace, namespace);
  return reference && { reference, inherited };
}

function referenceTo(
  name: string | undefined,
  waypointNamespace: string | undefined,
  namespace: string,
): WaypointReference | undefined {
  if (name === undefined || name === "none" || name === "") return undefined;
  return { namespace: waypointNamespace || namespace, name };
}

/** A broken reference does not fall back to the namespace's waypoint: the traffic then has none, and its status says so. */
export function bindWaypoint(
  requested: RequestedWaypoint | undefined,
  waypoint: Waypoint | undefined,
  petitioner: Petitioner,
): WaypointBinding {
  if (requested === undefined) return { kind: "none" };
  const { reference } = requested;
  const refused = (reason: RefusalReason): WaypointBinding => ({
    kind: "refused",
    reason,
    waypoint: reference,
  });
  if (waypoint === undefined) return refused("missing");
  const address = waypointAddress(waypoint, petitioner.network);
  if (address === undefined) return refused("notReady");
  if (!allows(waypoint, petitioner)) return refused("attachmentDenied");
  const { traffic } = petitioner;
  if (waypoint.trafficType === "all" || waypoint.trafficType === traffic)
    return { kind: "bound", address, waypoint: reference };
  // A namespace's waypoint that is for services is no mistake of the workloads in it.
  return traffic === "workload" && requested.inherited ? { kind: "none" } : refused("unsupportedTraffic");
}

/** The second waypoint of a service, from whoever names the first one or a canary of its own. */
export function requestedCanary(
  request: WaypointRequest,
  namespace: string,
  namespaceFacts: NamespaceFacts | undefined,
): { readonly reference: WaypointReference; readonly weight: string | undefined } | undefined {
  const hasOwn = request.useWaypoint !== undefined || request.canary !== undefined;
  const source = hasOwn ? request : namespaceFacts?.waypoint;
  const reference = referenceTo(source?.canary, source?.canaryNamespace, namespace);
  return reference && { reference, weight: source?.canaryWeight };
}

/** Whatever is wrong with a canary, the primary keeps all of the traffic. */
export function bindCanary(
  requested: { readonly reference: WaypointReference; readonly weight: string | undefined },
  canary: Waypoint | undefined,
  primary: WaypointReference,
  petitioner: Petitioner,
): CanaryBinding {
  const { reference } = requested;
  const refused = (reason: CanaryRefusalReason): CanaryBinding => ({
    kind: "refused",
    waypoint: reference,
    reason,
  });
  if (reference.namespace === primary.namespace && reference.name === primary.name)
    return refused("sameAsPrimary");
  const weight = canaryWeight(requested.weight);
  if (weight === undefined) return refused("invalidWeight");
  const binding = bindWaypoint({ reference, inherited: false }, canary, petitioner);
  if (binding.kind !== "bound") return refused(binding.kind === "refused" ? binding.reason : "notReady");
  return { kind: "weighted", waypoint: reference, address: binding.address, weight };
}

/** Undefined for what is not a whole number from 0 to 100. */
export function canaryWeight(text: string | undefined): number | undefined {
  if (text === undefined) return 0;
  const weight = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  return weight <= 100 ? weight : undefined;
}

function allows(waypoint: Waypoint, { namespace, namespaceFacts }: Petitioner): boolean {
  switch (waypoint.allowedNamespaces.kind) {
    case "all":
      return true;
    case "same":
      return waypoint.namespace === namespace;
    case "selector":
      return matchesRequirements(waypoint.allowedNamespaces.requirements, namespaceFacts?.labels);
    default:
      return false;
  }
}

/** By name where the Gateway has one, else by its first address; undefined while it has none: it was never ready. */
function waypointAddress(waypoint: Waypoint, network: string): GatewayAddress | undefined {
  const hostname = waypoint.addresses.find((address) => address.kind === "hostname");
  if (hostname !== undefined) {
    const { namespace } = waypoint;
    return {
      destination: { kind: "hostname", namespace, hostname: hostname.hostname },
      hbonePort: HBONE_PORT,
    };
  }
  const address = waypoint.addresses.find(({ kind }) => kind === "ip");
  if (address?.kind !== "ip") return undefined;
  return { destination: { kind: "address", network, ip: address.ip }, hbonePort: HBONE_PORT };
}
