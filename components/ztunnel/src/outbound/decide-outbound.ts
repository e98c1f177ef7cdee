/**
 * Where a connection that a pod opened goes, and how (reference: protocol §5.1). Pure: the whole algorithm is here, and
 * connecting merely executes what it returned.
 */

import {
  chooseGateway,
  describeGateway,
  expectedIdentities,
  findAddress,
  findServiceByVip,
  findWorkloadByAddress,
  formatSocketAddress,
  type GatewayAddress,
  type GatewayInstance,
  type Identity,
  type Ip,
  isInstanceOf,
  isIpv6,
  isLoopback,
  type MeshSnapshot,
  pickAddress,
  type Service,
  type SocketAddress,
  selectEndpoint,
  type Workload,
} from "@meltemi/model";
import { isOwnPort, type ProxyPorts, RECURSIVE_CALL } from "../ports.ts";

export interface OutboundRequest {
  /** The pod that connects. */
  readonly source: Workload;
  /** Network of this proxy, in which the original destination is an address. */
  readonly network: string;
  readonly destination: SocketAddress;
  readonly ports: ProxyPorts;
  /** Chance of this connection, each in [0, 1): for the waypoint among weighted ones, and for the endpoint. Deciding again with the same gives the same. */
  readonly draws: { readonly waypoint: number; readonly endpoint: number };
  /** Addresses of a host name, once it was resolved. */
  readonly resolved: (hostname: string) => readonly Ip[] | undefined;
}

type RefusalReason =
  | "illegalPort"
  | "unknownWaypoint"
  | "noHealthyUpstream"
  | "noServiceForTarget"
  | "noGateway"
  | "unknownGateway"
  | "noAddress";

/** What is known of the far end, for metrics and logs. */
interface Target {
  /** The workload that the connection goes to: the waypoint when there is one. */
  readonly workload: Workload | undefined;
  /** The service that was meant. */
  readonly service: Service | undefined;
}

/** A decision that can be carried out. */
export type ConnectableDecision =
  /** Not of the mesh: to the original destination, untouched. */
  | { readonly kind: "passthrough"; readonly address: SocketAddress; readonly target: Target }
  /** Of the mesh, but it speaks no HBONE. */
  | { readonly kind: "tcp"; readonly address: SocketAddress; readonly target: Target }
  | {
      readonly kind: "hbone";
      readonly address: SocketAddress;
      readonly authority: string;
      readonly expected: readonly Identity[];
      readonly target: Target;
    }
  /** Through the gateway of another network: a tunnel within a tunnel (reference: protocol §1.10). */
  | {
      readonly kind: "doubleHbone";
      readonly address: SocketAddress;
      /** Of both CONNECT requests. */
      readonly authority: string;
      readonly outerExpected: readonly Identity[];
      readonly innerExpected: readonly Identity[];
      readonly target: Target;
    };

export type OutboundDecision =
  | ConnectableDecision
  /** Resolve this name, then decide again with the answer. */
  | { readonly kind: "resolve"; readonly hostname: string }
  | { readonly kind: "refuse"; readonly reason: RefusalReason; readonly message: string };

export function decideOutbound(snapshot: MeshSnapshot, request: OutboundRequest): OutboundDecision {
  const { source, destination, network } = request;
  if (isLoopback(destination.ip) && isOwnPort(request.ports, destination.port))
    return refuse("illegalPort", RECURSIVE_CALL);

  const found = findAddress(snapshot, network, destination.ip, source.namespace);
  const service = found?.kind === "service" ? found.service : undefined;
  const waypoint = service === undefined ? undefined : chooseWaypoint(service, request.draws.waypoint);
  if (service !== undefined && waypoint !== undefined)
    return viaWaypoint(snapshot, request, waypoint, service);

  const upstream = findUpstream(snapshot, request);
  if (upstream === undefined) {
    if (service !== undefined && service.loadBalancing.mode !== "passthrough")
      return refuse("noHealthyUpstream", `no healthy upstream: ${formatSocketAddress(destination)}`);
    return { kind: "passthrough", address: destination, target: { workload: undefined, service } };
  }
  if (upstream.workload.network !== source.network)
    return viaGateway(snapshot, request, upstream.workload, service);
  if (upstream.service === undefined && upstream.workload.waypoint !== undefined) {
    // The waypoint itself has decided already: from it, the connection goes to the workload.
    if (!isInstanceOf(snapshot, upstream.workload.waypoint, source))
      return viaWaypoint(snapshot, request, upstream.workload.waypoint, undefined);
  }
  return direct(request, upstream);
}

interface Upstream {
  readonly workload: Workload;
  readonly port: number;
  readonly service: Service | undefined;
}

/** The endpoint behind the original destination: of a service first, else the workload that has the address. */
function findUpstream(snapshot: MeshSnapshot, request: OutboundRequest): Upstream | undefined {
  const { source, destination } = request;
  const service = findServiceByVip(snapshot, source.network, destination.ip, source.namespace);
  if (service?.loadBalancing.mode === "passthrough") return undefined;
  if (service !== undefined) {
    const wanted = { service, servicePort: destination.port, source, target: "standard" } as const;
    const endpoint = selectEndpoint(snapshot, wanted, () => request.draws.endpoint);
    return endpoint && { workload: endpoint.workload, port: endpoint.targetPort, service };
  }
  const workload = findWorkloadByAddress(snapshot, source.network, destination.ip);
  return workload && { workload, port: destination.port, service: undefined };
}

/** One of the weighted waypoints by chance, or the plain one. All weights zero: no waypoint. */
function chooseWaypoint(service: Service, draw: number): GatewayAddress | undefined {
  if (service.weightedWaypoints.length === 0) return service.waypoint;
  let left = draw * service.weightedWaypoints.reduce((sum, { weight }) => sum + weight, 0);
  for (const { waypoint, weight } of service.weightedWaypoints) {
    left -= weight;
    if (left < 0) return waypoint;
  }
  return undefined;
}

/** A waypoint that is asked for and cannot be reached refuses the connection: there is no way around it. */
function viaWaypoint(
  snapshot: MeshSnapshot,
  request: OutboundRequest,
  reference: GatewayAddress,
  service: Service | undefined,
): OutboundDecision {
  const waypoint = chooseGateway(snapshot, reference, request.source, () => request.draws.endpoint);
  if (waypoint === undefined)
    return refuse("unknownWaypoint", `unknown waypoint: ${describeGateway(reference)}`);
  if (waypoint.workload.network !== request.source.network)
    return viaGateway(snapshot, request, waypoint.workload, service);
  return withAddress(request, waypoint.workload, waypoint.service, (ip) => ({
    kind: "hbone",
    address: { ip, port: waypoint.port },
    authority: formatSocketAddress(request.destination),
    expected: expectedIdentities(waypoint.service, waypoint.workload),
    target: { workload: waypoint.workload, service },
  }));
}

/** Another network is reached by service name only, through the gateway that the endpoint names. */
function viaGateway(
  snapshot: MeshSnapshot,
  request: OutboundRequest,
  endpoint: Workload,
  service: Service | undefined,
): OutboundDecision {
  if (service === undefined)
    return refuse(
      "noServiceForTarget",
      `no service for target address: ${formatSocketAddress(request.destination)}`,
    );
  const reference = endpoint.networkGateway;
  if (reference === undefined)
    return refuse("noGateway", `no valid routing destination for workload: ${endpoint.uid}`);
  const gateway = chooseGateway(snapshot, reference, request.source, () => request.draws.endpoint);
  if (gateway === undefined)
    return refuse("unknownGateway", `unknown network gateway: ${describeGateway(reference)}`);
  return withAddress(request, gateway.workload, gateway.service, (ip) =>
    doubleTunnel(request, { ip, port: gateway.port }, gateway, service, endpoint),
  );
}

function doubleTunnel(
  request: OutboundRequest,
  address: SocketAddress,
  gateway: GatewayInstance,
  service: Service,
  endpoint: Workload,
): OutboundDecision {
  return {
    kind: "doubleHbone",
    address,
    authority: `${service.hostname}:${request.destination.port}`,
    outerExpected: expectedIdentities(gateway.service, gateway.workload),
    // The far endpoint is chosen by the far side: any identity that the service vouches for will do, and no other.
    innerExpected: expectedIdentities(service, undefined),
    target: { workload: endpoint, service },
  };
}

function direct(request: OutboundRequest, upstream: Upstream): OutboundDecision {
  const { workload, service } = upstream;
  const target = { workload, service };
  return withAddress(request, workload, service, (ip) => {
    const application = { ip, port: upstream.port };
    if (workload.tunnelProtocol === "none") return { kind: "tcp", address: application, target };
    return {
      kind: "hbone",
      address: { ip, port: request.ports.inboundHbone },
      authority: formatSocketAddress(application),
      expected: expectedIdentities(service, workload),
      target,
    };
  });
}

/** Picks the workload's address, or asks for its host name to be resolved first. */
function withAddress(
  request: OutboundRequest,
  workload: Workload,
  service: Service | undefined,
  then: (ip: Ip) => OutboundDecision,
): OutboundDecision {
  const wanted = request.destination.ip;
  const own = pickAddress(workload, wanted, service?.ipFamilies ?? "automatic");
  if (own !== undefined) return then(own);
  if (workload.hostname === "")
    return refuse("noAddress", `no ip addresses were resolved for workload: ${workload.uid}`);
  const answers = request.resolved(workload.hostname);
  if (answers === undefined) return { kind: "resolve", hostname: workload.hostname };
  const family = answers.filter((answer) => isIpv6(answer) === isIpv6(wanted));
  const usable = family.length > 0 ? family : answers;
  const chosen = usable[Math.floor(request.draws.endpoint * usable.length)];
  if (chosen === undefined)
    return refuse("noAddress", `no ip addresses were resolved for workload: ${workload.uid}`);
  return then(chosen);
}

function refuse(reason: RefusalReason, message: string): OutboundDecision {
  return { kind: "refuse", reason, message };
}
