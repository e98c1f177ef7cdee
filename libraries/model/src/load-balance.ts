/** Choice of an endpoint of a service for one connection (reference: protocol §5.1, "Load balancing"). */

import type { MeshSnapshot } from "./snapshot.ts";
import { type LoadBalancingScope, type Service, serviceKey, type Workload } from "./workload.ts";

export interface Endpoint {
  readonly workload: Workload;
  readonly targetPort: number;
}

export interface EndpointRequest {
  readonly service: Service;
  readonly servicePort: number;
  /** Who connects: its place decides which endpoints are near. */
  readonly source: Workload;
  /**
   * `waypoint`: the connection goes to a waypoint of the service's endpoints; the port then need not be one of the
   * service, if the endpoint has an application tunnel.
   */
  readonly target: "standard" | "waypoint";
}

/**
 * Picks at random by capacity among the endpoints that serve the port and rank highest by locality; undefined when
 * none does. `random` gives a number in [0, 1).
 */
export function selectEndpoint(
  snapshot: MeshSnapshot,
  request: EndpointRequest,
  random: () => number,
): Endpoint | undefined {
  const { mode, routingPreferences } = request.service.loadBalancing;
  const candidates = usableEndpoints(snapshot, request);
  if (mode === "standard" || mode === "passthrough") return pickByCapacity(candidates, random);
  let best: Endpoint[] = [];
  let bestRank = -1;
  for (const candidate of candidates) {
    const rank = localityRank(routingPreferences, request.source, candidate.workload);
    if (mode === "strict" && rank.matched < routingPreferences.length) continue;
    if (rank.score > bestRank) {
      best = [];
      bestRank = rank.score;
    }
    if (rank.score === bestRank) best.push(candidate);
  }
  return pickByCapacity(best, random);
}

/** All endpoints that could take the connection, whatever their place. */
export function usableEndpoints(snapshot: MeshSnapshot, request: EndpointRequest): Endpoint[] {
  const { service, source } = request;
  const found: Endpoint[] = [];
  snapshot.endpoints.get(serviceKey(service))?.forEach((workload) => {
    if (workload.status === "unhealthy" && service.loadBalancing.healthPolicy !== "allowAll") return;
    if (!isReachable(workload, source)) return;
    const targetPort = resolveTargetPort(service, workload, request.servicePort, request.target);
    if (targetPort !== undefined) found.push({ workload, targetPort });
  });
  return found;
}

/** A workload without an address is reached by its host name, or through the gateway of its network. */
function isReachable(workload: Workload, source: Workload): boolean {
  if (workload.addresses.length > 0 || workload.hostname !== "") return true;
  return workload.network !== source.network && workload.networkGateway !== undefined;
}

/**
 * The port on the workload that serves `servicePort` of the service: the endpoint's own mapping, else the service's,
 * else, behind an application tunnel with a port, the service port itself. Undefined when the port is not served.
 */
export function resolveTargetPort(
  service: Service,
  workload: Workload,
  servicePort: number,
  target: "standard" | "waypoint",
): number | undefined {
  const tunnelled = (workload.applicationTunnel?.port ?? 0) > 0;
  const servicePorts = service.ports.find((port) => port.servicePort === servicePort);
  if (servicePorts === undefined && !(target === "waypoint" && workload.applicationTunnel !== undefined))
    return undefined;
  const own = workload.services
    .get(serviceKey(service))
    ?.find((port) => port.servicePort === servicePort)?.targetPort;
  if (own !== undefined && own > 0) return own;
  if (servicePorts !== undefined && servicePorts.targetPort > 0) return servicePorts.targetPort;
  return tunnelled ? servicePort : undefined;
}

interface LocalityRank {
  /** How many of the preferences hold, in their order, without a gap. */
  readonly matched: number;
  readonly score: number;
}

/**
 * Preferences count until the first that does not hold. A first preference of NETWORK is special: its miss does not
 * end the count, since nearness matters among remote endpoints too, and its match outranks all the others together.
 */
function localityRank(
  preferences: readonly LoadBalancingScope[],
  source: Workload,
  endpoint: Workload,
): LocalityRank {
  let matched = 0;
  let score = 0;
  for (const [index, scope] of preferences.entries()) {
    const networkFirst = index === 0 && scope === "network";
    if (scopeOf(source, scope) === scopeOf(endpoint, scope)) {
      matched++;
      score += networkFirst ? preferences.length : 1;
    } else if (!networkFirst) break;
  }
  return { matched, score };
}

function scopeOf(workload: Workload, scope: LoadBalancingScope): string {
  switch (scope) {
    case "region":
    case "zone":
    case "subzone":
      return workload.locality[scope];
    case "node":
      return workload.node;
    case "cluster":
      return workload.clusterId;
    case "network":
      return workload.network;
  }
}

function pickByCapacity(endpoints: readonly Endpoint[], random: () => number): Endpoint | undefined {
  let total = 0;
  for (const { workload } of endpoints) total += workload.capacity;
  // Capacity zero means "send nothing here", but an endpoint set of only such is better used than refused.
  if (total <= 0) return endpoints[Math.floor(random() * endpoints.length)];
  let left = random() * total;
  for (const endpoint of endpoints) {
    left -= endpoint.workload.capacity;
    if (left < 0) return endpoint;
  }
  return endpoints.at(-1);
}
