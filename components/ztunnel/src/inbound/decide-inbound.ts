/**
 * What becomes of a connection that arrives for a pod (reference: protocol §1.5 steps 3 to 6, §1.11, §5.2, §5.3).
 * Pure; authorization is judged on the address that this returns.
 */

import { type Authority, parseAuthority } from "@meltemi/hbone";
import {
  type FoundAddress,
  findAddress,
  findServiceByHostname,
  type GatewayAddress,
  type Ip,
  ip,
  isIpv6,
  type MeshSnapshot,
  type NetworkAddress,
  resolveTargetPort,
  type Service,
  type SocketAddress,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import { isOwnPort, type ProxyPorts, RECURSIVE_CALL } from "../ports.ts";

export interface InboundRequest {
  /** The pod whose listener took the connection. */
  readonly workload: Workload;
  /** The pod's address to which the peer connected. */
  readonly localIp: Ip;
  /** `:authority` of the CONNECT request, unparsed. */
  readonly authority: string;
  /** Network of this proxy. */
  readonly network: string;
  readonly ports: ProxyPorts;
  /** When given, no other port is served: the proxy's own listener forwards to its metrics alone. */
  readonly onlyPort?: number | undefined;
  /** An application tunnel with PROXY protocol is reached on loopback. */
  readonly localhostApplicationTunnel: boolean;
}

export type InboundDecision =
  | {
      readonly kind: "connect";
      /** Where the application listens; also what policy judges. */
      readonly address: SocketAddress;
      /** Write a PROXY v2 header with this destination first. */
      readonly proxyDestination?: SocketAddress;
      /** The application sees the client's own address as the peer's. */
      readonly keepSourceAddress: boolean;
    }
  | { readonly kind: "refuse"; readonly status: 400 | 503; readonly message: string };

export function decideInbound(snapshot: MeshSnapshot, request: InboundRequest): InboundDecision {
  const authority = parseAuthority(request.authority);
  if (authority === undefined)
    return refuse(400, `invalid authority: expected ip:port or host:port, got ${quote(request.authority)}`);
  if (!acceptsDestination(snapshot, request, authority))
    return refuse(400, `ip mismatch: ${request.localIp} != ${addressText(authority)}`);
  const upstream = findUpstream(snapshot, request, authority);
  if (upstream.kind === "refuse") return upstream;

  const tunnel = request.workload.applicationTunnel;
  const port = tunnel !== undefined && tunnel.port > 0 ? tunnel.port : upstream.port;
  if (isOwnPort(request.ports, port)) return refuse(503, RECURSIVE_CALL);
  if (request.onlyPort !== undefined && port !== request.onlyPort)
    return refuse(503, `port ${port} is not served here`);
  if (tunnel?.protocol !== "proxy")
    return { kind: "connect", address: { ip: request.localIp, port }, keepSourceAddress: true };

  if (upstream.named === undefined)
    return refuse(503, `requested service ${addressText(authority)} found, but has no IP addresses`);
  const loopback = ip(isIpv6(request.localIp) ? "::1" : "127.0.0.1");
  return {
    kind: "connect",
    address: { ip: request.localhostApplicationTunnel ? loopback : request.localIp, port },
    proxyDestination: upstream.named,
    keepSourceAddress: !request.localhostApplicationTunnel,
  };
}

/** A plaintext connection goes where it was going, unless that is one of our own listeners. */
export function decidePlaintextInbound(
  ports: ProxyPorts,
  destination: SocketAddress,
): { readonly kind: "connect" } | { readonly kind: "refuse"; readonly message: string } {
  return isOwnPort(ports, destination.port)
    ? { kind: "refuse", message: RECURSIVE_CALL }
    : { kind: "connect" };
}

/** The services that a host name in a request to the workload may mean: its own, and one of its namespace. */
export function namesOfMeantService(workload: Workload, hostname: string): readonly string[] {
  const own = [...workload.services.keys()].filter((key) => key.slice(key.indexOf("/") + 1) === hostname);
  return [...own, serviceKey({ namespace: workload.namespace, hostname })];
}

/** The service that a connection to `port` of the workload most likely means, for metrics and logs. */
export function inboundService(
  snapshot: MeshSnapshot,
  workload: Workload,
  port: number,
  meantHost: string | undefined,
): Service | undefined {
  const own = [...workload.services.keys()]
    .map((key) => snapshot.services.get(key))
    .filter((service) => service !== undefined);
  return (
    own.find((service) => service.hostname === meantHost) ??
    own.find((service) =>
      service.ports.some(
        ({ servicePort }) => resolveTargetPort(service, workload, servicePort, "standard") === port,
      ),
    )
  );
}

/** The pod answers for its own addresses, and for what it is the waypoint of. */
function acceptsDestination(snapshot: MeshSnapshot, request: InboundRequest, authority: Authority): boolean {
  const { workload, localIp, network } = request;
  if (authority.kind === "hostname" || authority.ip === localIp) return true;
  if (workload.applicationTunnel !== undefined) return true;
  const found = findAddress(snapshot, network, authority.ip, workload.namespace);
  return waypointsOf(found).some((waypoint) => isWaypoint(snapshot, waypoint, workload, localIp));
}

/** Istio knows of the first one only, and a canary that ztunnel serves refuses what it is sent. */
function waypointsOf(found: FoundAddress | undefined): readonly GatewayAddress[] {
  if (found === undefined) return [];
  const { waypoint } = found.kind === "service" ? found.service : found.workload;
  const weighted = found.kind === "service" ? found.service.weightedWaypoints : [];
  return [...(waypoint === undefined ? [] : [waypoint]), ...weighted.map((each) => each.waypoint)];
}

function isWaypoint(
  snapshot: MeshSnapshot,
  reference: GatewayAddress,
  workload: Workload,
  localIp: Ip,
): boolean {
  const { destination } = reference;
  if (destination.kind === "hostname") {
    if (snapshot.services.get(serviceKey(destination)) !== undefined)
      return workload.services.has(serviceKey(destination));
    const named = snapshot.workloadsByHostname.get(serviceKey(destination)) ?? [];
    return named.some((other) => other.addresses.includes(localIp));
  }
  const found = findAddress(snapshot, destination.network, destination.ip, workload.namespace);
  if (found?.kind === "service") return workload.services.has(serviceKey(found.service));
  return found?.workload.addresses.includes(localIp) ?? false;
}

type Upstream =
  | {
      readonly kind: "port";
      readonly port: number;
      /** The authority as an address, for the PROXY header; absent when its service has none. */
      readonly named: SocketAddress | undefined;
    }
  | Extract<InboundDecision, { kind: "refuse" }>;

function findUpstream(snapshot: MeshSnapshot, request: InboundRequest, authority: Authority): Upstream {
  if (authority.kind === "address")
    return { kind: "port", port: authority.port, named: { ip: authority.ip, port: authority.port } };
  const { hostname, port } = authority;
  const { workload, network } = request;
  const service = findServiceByHostname(snapshot, hostname, workload.namespace);
  if (service === undefined) return refuse(503, `no service or workload for hostname: ${hostname}`);
  const target = resolveTargetPort(service, workload, port, "standard");
  if (target === undefined)
    return refuse(503, `requested service ${hostname}:${port} found, but cannot resolve port`);
  const vip = preferredVip(service.vips, network);
  return { kind: "port", port: target, named: vip === undefined ? undefined : { ip: vip.ip, port } };
}

/** Of the own network before others, IPv4 before IPv6. */
function preferredVip(vips: readonly NetworkAddress[], network: string): NetworkAddress | undefined {
  const rank = (vip: NetworkAddress): number => (vip.network === network ? 2 : 0) + (isIpv6(vip.ip) ? 0 : 1);
  return vips.toSorted((a, b) => rank(b) - rank(a))[0];
}

function addressText(authority: Authority): string {
  return authority.kind === "address" ? authority.ip : authority.hostname;
}

/** What a peer sent, safe and short enough for a log line. */
function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function refuse(status: 400 | 503, message: string): Extract<InboundDecision, { kind: "refuse" }> {
  return { kind: "refuse", status, message };
}
