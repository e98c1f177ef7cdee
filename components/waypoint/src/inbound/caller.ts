/** Who speaks through a tunnel: proved by TLS, described by the mesh and, where that knows nothing, by the peer's own words. Pure. */

import { type Baggage, forwardedFor, type HboneRequest, headerValues, parseBaggage } from "@meltemi/hbone";
import type { Caller } from "@meltemi/l7";
import {
  findWorkloadByAddress,
  type Identity,
  type Ip,
  newWorkload,
  parseIp,
  type SocketAddress,
  sameIdentity,
  type Workload,
  type WorkloadType,
  workloadIdentity,
} from "@meltemi/model";
import type { Labels, WaypointWorld } from "../world/world.ts";

const NO_LABELS: Labels = {};
const UNKNOWN_ADDRESS = "0.0.0.0" as Ip;

/**
 * The address that a peer names decides over `ipBlocks` of policies. It is believed when it is the peer's own, when the mesh knows a
 * workload of the peer's identity there, or when the peer is beyond a gateway, whose own address says nothing.
 */
export function callerOf(
  world: WaypointWorld,
  network: string,
  {
    peer,
    headers,
  }: Pick<HboneRequest, "headers"> & {
    readonly peer: Pick<HboneRequest["peer"], "identity" | "remoteAddress" | "remotePort">;
  },
): Caller {
  const { identity } = peer;
  const seen: SocketAddress = {
    ip: parseIp(peer.remoteAddress) ?? UNKNOWN_ADDRESS,
    port: peer.remotePort,
  };
  const told = forwardedFor(headerValues(headers, "forwarded")[0]);
  const isRemote = isThroughGateway(world, network, seen.ip, headers, identity);
  const isBelieved =
    told !== undefined &&
    (isRemote || told.ip === seen.ip || workloadAt(world, network, told.ip, identity) !== undefined);
  const address = isBelieved ? told : seen;
  const workload =
    (isRemote ? undefined : workloadAt(world, network, address.ip, identity)) ??
    described(identity, parseBaggage(headerValues(headers, "baggage")));
  return {
    ...address,
    identity,
    workload,
    labels: world.labels.get(workload.uid) ?? NO_LABELS,
  };
}

/** It says so, and comes from where the mesh knows somebody else: a gateway, which passes on what it cannot read. */
function isThroughGateway(
  world: WaypointWorld,
  network: string,
  seenIp: Ip,
  headers: HboneRequest["headers"],
  identity: Identity,
): boolean {
  const from = headerValues(headers, "x-forwarded-network")[0];
  if (from === undefined || from.toLowerCase() === network.toLowerCase()) return false;
  const there = findWorkloadByAddress(world.snapshot, network, seenIp);
  return there !== undefined && !sameIdentity(workloadIdentity(there), identity);
}

/** Only a workload of that identity: pods of a host's network share its address with others. */
function workloadAt(world: WaypointWorld, network: string, ip: Ip, identity: Identity): Workload | undefined {
  const workload = findWorkloadByAddress(world.snapshot, network, ip);
  return workload !== undefined && sameIdentity(workloadIdentity(workload), identity) ? workload : undefined;
}

/** The identity is proved; what baggage adds is for telemetry alone. */
function described(identity: Identity, baggage: Baggage): Workload {
  const { workloadName = "", workloadType = "pod", serviceName, revision, cluster, region, zone } = baggage;
  return newWorkload({
    uid: "",
    name: workloadName,
    namespace: identity.namespace,
    serviceAccount: identity.serviceAccount,
    trustDomain: identity.trustDomain,
    workloadName,
    workloadType: workloadType as WorkloadType,
    canonicalName: serviceName ?? workloadName,
    canonicalRevision: revision ?? "latest",
    ...(cluster !== undefined && { clusterId: cluster }),
    locality: { region: region ?? "", zone: zone ?? "", subzone: "" },
  });
}
