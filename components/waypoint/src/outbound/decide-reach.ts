/** How an endpoint is reached (reference: l7-and-cli §1.10 item 7; protocol §1.10, §5.1). Pure; the dialler does what it says. */

import {
  chooseGateway,
  describeGateway,
  expectedIdentities,
  findWorkloadByAddress,
  formatSocketAddress,
  type Identity,
  type Ip,
  type NamespacedHostname,
  type SocketAddress,
  serviceKey,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import { type Self, selfWorkload } from "../world/self.ts";
import type { WaypointWorld } from "../world/world.ts";

export interface ReachRequest {
  /** Undefined: by the workload's host name. */
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly workload: Workload | undefined;
  /** Of the cluster; networks beyond gateways are reached by it. */
  readonly service: NamespacedHostname;
  readonly servicePort: number;
  /** Port of the tunnels' listeners at endpoints. */
  readonly hbonePort: number;
}

export type Reach =
  | { readonly kind: "plain"; readonly address: SocketAddress }
  /** Resolve the name, then connect to what it stands for. */
  | { readonly kind: "hostname"; readonly hostname: string; readonly port: number }
  | {
      readonly kind: "hbone";
      readonly address: SocketAddress;
      readonly authority: string;
      readonly expected: readonly Identity[];
    }
  /** Through the gateway of another network: a tunnel within a tunnel. */
  | {
      readonly kind: "doubleHbone";
      readonly address: SocketAddress;
      /** Of both CONNECT requests. */
      readonly authority: string;
      readonly outerExpected: readonly Identity[];
      readonly innerExpected: readonly Identity[];
    }
  | { readonly kind: "unreachable"; readonly detail: string };

export function decideReach(
  world: WaypointWorld,
  self: Self,
  request: ReachRequest,
  random: () => number,
): Reach {
  const { ip, port } = request;
  // A cluster of addresses (passthrough) may name one that the mesh knows.
  const workload =
    request.workload ??
    (ip === undefined ? undefined : findWorkloadByAddress(world.snapshot, self.place.network, ip));
  if (workload === undefined)
    return ip === undefined
      ? { kind: "unreachable", detail: "endpoint has neither an address nor a host name" }
      : { kind: "plain", address: { ip, port } };
  if (workload.network !== self.place.network) return beyondGateway(world, self, workload, request, random);
  if (ip === undefined) return { kind: "hostname", hostname: workload.hostname, port };
  const application = { ip, port };
  if (workload.tunnelProtocol === "none" && !workload.nativeTunnel)
    return { kind: "plain", address: application };
  return {
    kind: "hbone",
    address: { ip, port: request.hbonePort },
    authority: formatSocketAddress(application),
    // Istio's waypoint takes any identity of the trust domain; whoever took over a pod's address is refused here.
    expected: [workloadIdentity(workload)],
  };
}

function beyondGateway(
  world: WaypointWorld,
  self: Self,
  workload: Workload,
  { service, servicePort }: ReachRequest,
  random: () => number,
): Reach {
  const reference = workload.networkGateway;
  if (reference === undefined)
    return { kind: "unreachable", detail: `no valid routing destination for workload: ${workload.uid}` };
  const gateway = chooseGateway(world.snapshot, reference, selfWorkload(world, self), random);
  const ip = gateway?.workload.addresses[0];
  if (gateway === undefined || ip === undefined)
    return { kind: "unreachable", detail: `unknown network gateway: ${describeGateway(reference)}` };
  return {
    kind: "doubleHbone",
    address: { ip, port: gateway.port },
    authority: `${service.hostname}:${servicePort}`,
    outerExpected: expectedIdentities(gateway.service, gateway.workload),
    // The far endpoint is chosen by the far side: any identity that the service vouches for will do, and no other.
    innerExpected: expectedIdentities(world.snapshot.services.get(serviceKey(service)), undefined),
  };
}
