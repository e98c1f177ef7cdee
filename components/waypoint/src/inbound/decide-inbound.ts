/**
 * What a tunnel that a client opens is for (reference: l7-and-cli §1.10 items 1 and 2; protocol §1.5). Pure. Only what is bound to
 * this waypoint is served: it is no open proxy into the mesh.
 */

import { parseAuthority } from "@meltemi/hbone";
import {
  findServiceByVip,
  findWorkloadByAddress,
  guardsPort,
  type Service,
  type SocketAddress,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import type { ServedService } from "@meltemi/model/l7";
import { isSelf, type Self, selfWorkload } from "../world/self.ts";
import type { WaypointWorld } from "../world/world.ts";

export type InboundDecision =
  /** A port of a service that is bound to this waypoint; `key` is its `namespace/hostname`. */
  | { readonly kind: "service"; readonly key: string; readonly destination: SocketAddress }
  /** A pod that is bound to this waypoint. */
  | { readonly kind: "workload"; readonly destination: SocketAddress }
  | {
      readonly kind: "refuse";
      readonly status: 400 | 503;
      readonly message: string;
      /** What is on its way from the control plane may change the answer: whoever asks learned of its waypoint a moment ago. */
      readonly mayChange: boolean;
    };

export interface InboundRequest {
  /** `:authority` of the CONNECT request, unparsed. */
  readonly authority: string;
  /** Of the client's verified identity: services of its own namespace come first. */
  readonly clientNamespace: string;
}

const RECURSIVE_CALL = "attempted recursive call to ourselves";

export function decideInbound(world: WaypointWorld, self: Self, request: InboundRequest): InboundDecision {
  const authority = parseAuthority(request.authority);
  if (authority === undefined)
    return refuse(400, `invalid authority: expected ip:port or host:port, got ${quote(request.authority)}`);
  if (authority.kind === "hostname") {
    const { hostname, port } = authority;
    return byHostname(world, hostname.toLowerCase(), port, request.clientNamespace);
  }
  return byAddress(world, self, authority, request.clientNamespace);
}

/** As clients of other networks ask, to whom addresses of this one mean nothing (reference: protocol §1.10). */
function byHostname(
  world: WaypointWorld,
  hostname: string,
  port: number,
  clientNamespace: string,
): InboundDecision {
  const named = (world.snapshot.servicesByHostname.get(hostname) ?? []).filter((service) =>
    world.served.has(serviceKey(service)),
  );
  const service =
    named.find(({ namespace }) => namespace === clientNamespace) ??
    named.findLast(({ canonical }) => canonical) ??
    named[0];
  if (service === undefined) return refuse(503, `no service or workload for hostname: ${hostname}`, true);
  const ip = service.vips[0]?.ip;
  if (ip === undefined)
    return refuse(503, `requested service ${hostname} found, but has no IP addresses`, true);
  return toService(world, service, { ip, port });
}

function byAddress(
  world: WaypointWorld,
  self: Self,
  { ip, port }: SocketAddress,
  clientNamespace: string,
): InboundDecision {
  const { network } = self.place;
  const workload = findWorkloadByAddress(world.snapshot, network, ip);
  if (workload !== undefined) {
    if (workload.uid === selfWorkload(world, self).uid) return refuse(503, RECURSIVE_CALL);
    const { trafficType } = world.settings ?? { trafficType: "none" };
    const takesWorkloads = trafficType === "workload" || trafficType === "all";
    if (takesWorkloads && isSelf(world, self, workload.waypoint))
      return toWorkload(world, workload, { ip, port });
    return refuse(400, `workload ${workload.uid} is not bound to this waypoint`, true);
  }
  const service = findServiceByVip(world.snapshot, network, ip, clientNamespace);
  if (service === undefined) return refuse(400, `unknown destination: ${ip}`, true);
  return toService(world, service, { ip, port });
}

/**
 * What is addressed to a workload has none of its service's policies. Where a service demands its waypoint that would be a way
 * around them, except for a service that has no address but those of its workloads.
 */
function toWorkload(world: WaypointWorld, workload: Workload, destination: SocketAddress): InboundDecision {
  const { port } = destination;
  if (!guardsPort(workload, port)) return { kind: "workload", destination };
  const meant = [...workload.services].flatMap(([key, ports]) =>
    ports.some(({ targetPort }) => targetPort === port) ? (world.snapshot.services.get(key) ?? []) : [],
  );
  const addressed = meant.find(({ vips }) => vips.length > 0);
  if (addressed === undefined) return { kind: "workload", destination };
  const service = serviceKey(addressed);
  return refuse(
    400,
    `port ${port} of workload ${workload.uid} requires its waypoint: dial service ${service}`,
    true,
  );
}

function toService(world: WaypointWorld, service: Service, destination: SocketAddress): InboundDecision {
  const key = serviceKey(service);
  const served = world.served.get(key);
  if (served === undefined) return refuse(400, `service ${key} is not bound to this waypoint`, true);
  return hasPort(served, destination.port)
    ? { kind: "service", key, destination }
    : refuse(503, `requested service ${key} found, but it has no port ${destination.port}`, true);
}

function hasPort({ ports }: ServedService, port: number): boolean {
  return ports.some((served) => served.port === port);
}

/** What a peer sent, safe and short enough for a log line. */
function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function refuse(status: 400 | 503, message: string, mayChange = false): InboundDecision {
  return { kind: "refuse", status, message, mayChange };
}
