/**
 * How a workload that was chosen is reached: plain, by a tunnel, or through the gateway of its network (reference: protocol §5.1
 * steps 6 and 8, §1.10). The last step of every client: node proxies, waypoints and gateways.
 */

import { formatSocketAddress, type Ip, isIpv6, type SocketAddress } from "../address.ts";
import { chooseGateway, describeGateway, expectedIdentities, pickAddress } from "../gateway.ts";
import type { MeshSnapshot } from "../snapshot.ts";
import type { Service, Workload } from "../workload.ts";
import { noPath, type Path, type Traveller } from "./path.ts";

/** A chosen endpoint. */
export interface ReachedEndpoint {
  readonly workload: Workload;
  /** Where the application listens. */
  readonly port: number;
  /** The service that was meant, by which alone another network is entered; undefined: the workload itself was meant. */
  readonly service: Service | undefined;
  /** Of the service, or of the workload when that was meant. */
  readonly requestedPort: number;
  /** The address that was dialled, or that of the endpoint: it is used when the workload has it, else one of its family. */
  readonly wanted: Ip | undefined;
}

export function reachEndpoint(snapshot: MeshSnapshot, traveller: Traveller, endpoint: ReachedEndpoint): Path {
  const { workload, service } = endpoint;
  if (workload.network !== traveller.source.network) return reachNetwork(snapshot, traveller, endpoint);
  const target = { workload, service };
  return withAddress(traveller, workload, service, endpoint.wanted, (ip) => {
    const application = { ip, port: endpoint.port };
    if (workload.tunnelProtocol === "none") return { kind: "tcp", address: application, target };
    return {
      kind: "hbone",
      address: { ip, port: traveller.hbonePort },
      authority: formatSocketAddress(application),
      expected: expectedIdentities(service, workload),
      target,
    };
  });
}

/** Another network is reached by service name only, through the gateway that the endpoint names. */
export function reachNetwork(
  snapshot: MeshSnapshot,
  traveller: Traveller,
  endpoint: Omit<ReachedEndpoint, "port">,
): Path {
  const { workload, service, requestedPort, wanted } = endpoint;
  if (service === undefined) {
    const meant: SocketAddress | undefined = wanted && { ip: wanted, port: requestedPort };
    const text = meant === undefined ? workload.uid : formatSocketAddress(meant);
    return noPath("noServiceForTarget", `no service for target address: ${text}`);
  }
  const reference = workload.networkGateway;
  if (reference === undefined)
    return noPath("noGateway", `no valid routing destination for workload: ${workload.uid}`);
  const gateway = chooseGateway(snapshot, reference, traveller.source, () => traveller.draws.endpoint);
  if (gateway === undefined)
    return noPath("unknownGateway", `unknown network gateway: ${describeGateway(reference)}`);
  return withAddress(traveller, gateway.workload, gateway.service, wanted, (ip) => ({
    kind: "doubleHbone",
    address: { ip, port: gateway.port },
    authority: `${service.hostname}:${requestedPort}`,
    outerExpected: expectedIdentities(gateway.service, gateway.workload),
    // The far endpoint is chosen by the far side: any identity that the service vouches for will do, and no other.
    innerExpected: expectedIdentities(service, undefined),
    target: { workload, service },
  }));
}

/** Picks the workload's address, or asks for its host name to be resolved first. */
export function withAddress(
  traveller: Traveller,
  workload: Workload,
  service: Service | undefined,
  wanted: Ip | undefined,
  then: (ip: Ip) => Path,
): Path {
  const own = pickAddress(workload, wanted, service?.ipFamilies ?? "automatic");
  if (own !== undefined) return then(own);
  if (workload.hostname === "")
    return noPath("noAddress", `no ip addresses were resolved for workload: ${workload.uid}`);
  const answers = traveller.resolved(workload.hostname);
  if (answers === undefined) return { kind: "resolve", hostname: workload.hostname };
  const family =
    wanted === undefined ? answers : answers.filter((answer) => isIpv6(answer) === isIpv6(wanted));
  const usable = family.length > 0 ? family : answers;
  const chosen = usable[Math.floor(traveller.draws.endpoint * usable.length)];
  if (chosen === undefined)
    return noPath("noAddress", `no ip addresses were resolved for workload: ${workload.uid}`);
  return then(chosen);
}
