/** Opens connections to endpoints as {@link decideReach} says, and what the cluster wants on top: PROXY protocol, TLS. */

import {
  encodeBaggage,
  type HbonePool,
  type HeaderFields,
  openInnerTunnel,
  type TunnelOutcome,
} from "@meltemi/hbone";
import type { TlsContexts } from "@meltemi/identity";
import { type ByteChannel, tcpChannel } from "@meltemi/l4";
import type { DialEndpoint, DialFailure, EndpointAddress } from "@meltemi/l7";
import type { Ip, OpenPath, SocketAddress } from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";
import {
  encodeProxyHeader,
  encodeProxyLine,
  type HostnameResolver,
  type PeerRevocation,
} from "@meltemi/proxy-process";
import { type Clock, describeError, type OnInternalError, unreachable } from "@meltemi/runtime";
import { type Self, selfWorkload } from "../world/self.ts";
import type { WaypointWorld } from "../world/world.ts";
import { connectTcp } from "./connect-tcp.ts";
import { decideReach, type Reach } from "./decide-reach.ts";
import { originateTls } from "./originate-tls.ts";

export interface DialerDeps {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly world: () => WaypointWorld;
  readonly self: Self;
  readonly ownIp: Ip;
  /** Port of the tunnels' listeners at endpoints. */
  readonly hbonePort: number;
  readonly pool: HbonePool;
  readonly certificate: () => Promise<TlsContexts>;
  readonly revocation: PeerRevocation;
  readonly resolver: HostnameResolver;
  readonly onInternalError: OnInternalError;
}

type Dialled = { readonly kind: "open"; readonly channel: ByteChannel } | DialFailure;

export function createEndpointDialer(deps: DialerDeps): DialEndpoint {
  return async (endpoint, cluster, speaks, signal, client) => {
    const dialled = await reach(endpoint, cluster, signal, deps);
    if (dialled.kind === "failed") return dialled;
    const { channel } = dialled;
    // Where many clients share a connection it is the waypoint that the header names.
    const from = client ?? { ip: deps.ownIp, port: 0 };
    if (cluster.proxyProtocol !== undefined) channel.write(proxyHeader(cluster, endpoint, from), false);
    return cluster.tls === undefined
      ? dialled
      : await originateTls(channel, cluster.tls, cluster, speaks, signal, deps.onInternalError);
  };
}

async function reach(
  endpoint: EndpointAddress,
  cluster: Cluster,
  signal: AbortSignal,
  deps: DialerDeps,
): Promise<Dialled> {
  const decide = (resolved?: readonly Ip[]): Reach =>
    decideReach(
      deps.world(),
      deps.self,
      {
        ...endpoint,
        service: cluster.service,
        servicePort: cluster.port,
        hbonePort: deps.hbonePort,
        ...(resolved && { resolved }),
      },
      deps.random,
    );
  const decided = decide();
  return decided.kind === "hostname"
    ? await reachNamed(decided.hostname, decide, cluster, signal, deps)
    : await follow(decided, cluster, signal, deps);
}

/** All addresses that the name stands for, from any one on, until one answers. */
async function reachNamed(
  hostname: string,
  decide: (resolved: readonly Ip[]) => Reach,
  cluster: Cluster,
  signal: AbortSignal,
  deps: DialerDeps,
): Promise<Dialled> {
  const addresses = await deps.resolver.resolve(hostname);
  const start = Math.floor(deps.random() * addresses.length);
  let last: Dialled = failed(`no ip addresses were resolved for ${hostname}`);
  for (const ip of [...addresses.slice(start), ...addresses.slice(0, start)]) {
    last = await follow(decide([ip]), cluster, signal, deps);
    if (last.kind === "open" || signal.aborted) return last;
  }
  return last;
}

async function follow(
  decided: Reach,
  cluster: Cluster,
  signal: AbortSignal,
  deps: DialerDeps,
): Promise<Dialled> {
  switch (decided.kind) {
    case "open":
      return await take(decided.path, cluster, signal, deps);
    case "hostname":
      return failed(`${decided.hostname} was resolved, and is to be resolved again`);
    case "unreachable":
      return failed(decided.detail);
    default:
      return unreachable(decided);
  }
}

function take(path: OpenPath, cluster: Cluster, signal: AbortSignal, deps: DialerDeps): Promise<Dialled> {
  switch (path.kind) {
    case "passthrough":
    case "tcp":
      return connectPlain(path.address, cluster, signal, deps);
    case "hbone":
      return connectTunnel(path, cluster, signal, deps);
    case "doubleHbone":
      return connectDoubleTunnel(path, cluster, signal, deps);
    default:
      return unreachable(path);
  }
}

async function connectPlain(
  address: SocketAddress,
  { connectionPool }: Cluster,
  signal: AbortSignal,
  deps: DialerDeps,
): Promise<Dialled> {
  try {
    const socket = await connectTcp(address, connectionPool.tcpKeepalive, signal);
    return { kind: "open", channel: tcpChannel(socket, deps.onInternalError) };
  } catch (error) {
    return failed(describeError(error));
  }
}

async function connectTunnel(
  { address, authority, expected }: Extract<OpenPath, { readonly kind: "hbone" }>,
  { service }: Cluster,
  signal: AbortSignal,
  deps: DialerDeps,
): Promise<Dialled> {
  const key = { source: deps.self.identity, expected, destination: address, sourceIp: deps.ownIp };
  const headers = tunnelHeaders(deps, service.hostname);
  return outcomeOf(await deps.pool.openTunnel(key, { authority, headers }, signal));
}

/** The outer tunnel ends at the gateway, the inner one at a workload of the other network; the gateway sees only TLS. */
async function connectDoubleTunnel(
  path: Extract<OpenPath, { readonly kind: "doubleHbone" }>,
  { service }: Cluster,
  signal: AbortSignal,
  deps: DialerDeps,
): Promise<Dialled> {
  const { self, ownIp, pool } = deps;
  const { address, authority, outerExpected, innerExpected } = path;
  const headers = tunnelHeaders(deps, service.hostname);
  const key = { source: self.identity, expected: outerExpected, destination: address, sourceIp: ownIp };
  const outer = await pool.openTunnel(key, { authority, headers }, signal);
  if (outer.kind !== "open") return outcomeOf(outer);
  const inner = await openInnerTunnel(
    outer.channel,
    {
      source: self.identity,
      expected: innerExpected,
      authority,
      headers: [...headers, ["x-forwarded-network", self.place.network]],
      gateway: address,
      client: { ip: ownIp, port: 0 },
    },
    {
      clock: deps.clock,
      certificate: deps.certificate,
      follow: (innerPool) => deps.revocation.follow("server", innerPool),
      onInternalError: deps.onInternalError,
    },
    signal,
  );
  return outcomeOf(inner);
}

/** Many clients' requests share a connection: it is the waypoint's, and names no client. */
function tunnelHeaders({ world, self }: DialerDeps, hostname: string): HeaderFields {
  return [
    ["baggage", encodeBaggage(selfWorkload(world(), self))],
    ...(hostname === "" ? [] : [["forwarded", `host=${hostname}`] as const]),
    // East-west gateways then go to endpoints, and to no waypoint again (reference: protocol §1.10).
    ["x-istio-source", "waypoint"],
  ];
}

function outcomeOf(outcome: TunnelOutcome): Dialled {
  switch (outcome.kind) {
    case "open":
      return { kind: "open", channel: outcome.channel };
    case "refused":
      return failed(`http status: ${outcome.status}`);
    case "failed":
      return {
        kind: "failed",
        timedOut: outcome.stage === "connect-timeout",
        detail:
          outcome.stage === "connect-timeout"
            ? `connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ${outcome.detail}`
            : outcome.detail,
      };
    default:
      return unreachable(outcome);
  }
}

/** An endpoint that is known by name alone is called what the client is: the family of its address is not known. */
function proxyHeader(
  { proxyProtocol }: Cluster,
  { ip, port }: EndpointAddress,
  source: SocketAddress,
): Buffer {
  const destination = { ip: ip ?? source.ip, port };
  return proxyProtocol === "v1"
    ? encodeProxyLine(source, destination)
    : encodeProxyHeader(source, destination, undefined);
}

function failed(detail: string): DialFailure {
  return { kind: "failed", timedOut: false, detail };
}
