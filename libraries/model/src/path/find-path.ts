/** From an address that was dialled to the path there, through waypoints and gateways (reference: protocol §5.1). Pure. */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import {
  chooseGateway,
  describeGateway,
  expectedIdentities,
  type GatewayInstance,
  isInstanceOf,
} from "../gateway.ts";
import { selectEndpoint } from "../load-balance.ts";
import { findAddress, findServiceByVip, findWorkloadByAddress } from "../lookup.ts";
import type { MeshSnapshot } from "../snapshot.ts";
import type { GatewayAddress, Service, WeightedWaypoint } from "../workload.ts";
import { type NoPath, noPath, type Path, type Traveller } from "./path.ts";
import { type ReachedEndpoint, reachEndpoint, reachNetwork, withAddress } from "./reach.ts";

export interface Journey extends Traveller {
  /** In which the destination is an address. */
  readonly network: string;
  readonly destination: SocketAddress;
}

/** A VIP goes through the service's waypoint, a workload's address through the workload's; never through both. */
export function findPath(snapshot: MeshSnapshot, journey: Journey): Path {
  const { source, destination, network } = journey;
  const found = findAddress(snapshot, network, destination.ip, source.namespace);
  const service = found?.kind === "service" ? found.service : undefined;
  const guarded = service && viaServiceWaypoint(snapshot, journey, service);
  if (guarded !== undefined) return guarded;

  const endpoint = findEndpoint(snapshot, journey);
  if (endpoint === undefined) {
    if (service !== undefined && service.loadBalancing.mode !== "passthrough")
      return noPath("noHealthyUpstream", `no healthy upstream: ${formatSocketAddress(destination)}`);
    return { kind: "passthrough", address: destination, target: { workload: undefined, service } };
  }
  const { workload } = endpoint;
  // By what the address is in this proxy's network: in the source's it may be somebody else.
  if (workload.network !== source.network) return reachNetwork(snapshot, journey, { ...endpoint, service });
  if (endpoint.service === undefined && workload.waypoint !== undefined) {
    // The waypoint itself has decided already: from it, the connection goes to the workload.
    if (!isInstanceOf(snapshot, workload.waypoint, source))
      return viaReference(snapshot, journey, workload.waypoint, undefined);
  }
  return reachEndpoint(snapshot, journey, endpoint);
}

/** The endpoint behind the original destination: of a service first, else the workload that has the address. */
function findEndpoint(
  snapshot: MeshSnapshot,
  { source, destination, draws }: Journey,
): ReachedEndpoint | undefined {
  const meant = { requestedPort: destination.port, wanted: destination.ip };
  const service = findServiceByVip(snapshot, source.network, destination.ip, source.namespace);
  if (service?.loadBalancing.mode === "passthrough") return undefined;
  if (service !== undefined) {
    const wanted = { service, servicePort: destination.port, source, target: "standard" } as const;
    const chosen = selectEndpoint(snapshot, wanted, () => draws.endpoint);
    return chosen && { workload: chosen.workload, port: chosen.targetPort, service, ...meant };
  }
  const workload = findWorkloadByAddress(snapshot, source.network, destination.ip);
  return workload && { workload, port: destination.port, service: undefined, ...meant };
}

/** Undefined: the service has no waypoint, which weights of zero alone mean too. */
function viaServiceWaypoint(snapshot: MeshSnapshot, journey: Journey, service: Service): Path | undefined {
  const weighted = service.weightedWaypoints.filter(({ weight }) => weight > 0);
  if (service.weightedWaypoints.length === 0)
    return service.waypoint && viaReference(snapshot, journey, service.waypoint, service);
  const [first] = weighted;
  if (first === undefined) return undefined;
  const instance = chooseWeighted(snapshot, journey, weighted);
  return instance === undefined
    ? unknownWaypoint(first.waypoint)
    : viaInstance(snapshot, journey, instance, service);
}

/**
 * By chance, among those that have a healthy instance: the share of one that has none goes to the others, all of which the
 * service is bound to.
 */
function chooseWeighted(
  snapshot: MeshSnapshot,
  { source, draws }: Journey,
  weighted: readonly WeightedWaypoint[],
): GatewayInstance | undefined {
  const usable = weighted.flatMap(({ waypoint, weight }) => {
    const instance = chooseGateway(snapshot, waypoint, source, () => draws.endpoint);
    return instance === undefined ? [] : [{ instance, weight }];
  });
  let left = draws.waypoint * usable.reduce((sum, { weight }) => sum + weight, 0);
  return usable.find(({ weight }) => {
    left -= weight;
    return left < 0;
  })?.instance;
}

function viaReference(
  snapshot: MeshSnapshot,
  journey: Journey,
  reference: GatewayAddress,
  service: Service | undefined,
): Path {
  const instance = chooseGateway(snapshot, reference, journey.source, () => journey.draws.endpoint);
  return instance === undefined
    ? unknownWaypoint(reference)
    : viaInstance(snapshot, journey, instance, service);
}

/** A waypoint that is asked for and cannot be reached refuses the connection: there is no way around it. */
function unknownWaypoint(reference: GatewayAddress): NoPath {
  return noPath("unknownWaypoint", `unknown waypoint: ${describeGateway(reference)}`);
}

function viaInstance(
  snapshot: MeshSnapshot,
  journey: Journey,
  waypoint: GatewayInstance,
  service: Service | undefined,
): Path {
  const { destination } = journey;
  const meant = { service, requestedPort: destination.port, wanted: destination.ip };
  if (waypoint.workload.network !== journey.source.network)
    return reachNetwork(snapshot, journey, { ...meant, workload: waypoint.workload });
  return withAddress(journey, waypoint.workload, waypoint.service, destination.ip, (ip) => ({
    kind: "hbone",
    address: { ip, port: waypoint.port },
    authority: formatSocketAddress(destination),
    expected: expectedIdentities(waypoint.service, waypoint.workload),
    target: { workload: waypoint.workload, service },
  }));
}
