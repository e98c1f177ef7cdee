/** Connections that the pod opened, from the captured socket to the end of the relay (reference: protocol §5.1). */

import type { Socket } from "node:net";
import {
  formatIdentity,
  formatSocketAddress,
  type Ip,
  type MeshSnapshot,
  parseIp,
  type SocketAddress,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import { admitCaptured, type Captured } from "../pods/admit.ts";
import { askerOf, localWorkload, UNKNOWN_LOCAL_WORKLOAD } from "../pods/pod-context.ts";
import { RECURSIVE_CALL } from "../ports.ts";
import { carry } from "../sockets/carry.ts";
import { accessLogPeer, describedPeer } from "../telemetry/access-record.ts";
import type { OpenConnection } from "../telemetry/connection-telemetry.ts";
import { clientAddress } from "./client-address.ts";
import { connectOutbound, decisionAddress, type FarEnd, type OutboundConnector } from "./connect-outbound.ts";
import { type ConnectableDecision, decideOutbound, type OutboundDecision } from "./decide-outbound.ts";

/** Takes over an accepted, captured connection. Never throws or rejects: whatever goes wrong is told in the log. */
export function acceptOutbound(connector: OutboundConnector, socket: Socket): Promise<void> {
  const { context } = connector;
  return admitCaptured(context, "outbound", socket, async (captured) => {
    const { client, destination, attempt } = captured;
    if (isOwnListener(socket, destination)) return { message: RECURSIVE_CALL };
    const source = await localWorkload(context, attempt.signal);
    if (source === undefined) return { message: UNKNOWN_LOCAL_WORKLOAD };
    const decision = await decide(connector, source, destination, attempt.signal);
    if (decision.kind === "refuse") return { message: decision.message };
    const from = clientAddress(client, source, destination);
    await execute(connector, captured, { decision, source, client: from, destination });
    return "served";
  });
}

/** Nothing redirected it: passed on to where it was going it would come back here, again and again until descriptors run out. */
function isOwnListener(socket: Socket, destination: SocketAddress): boolean {
  return destination.port === socket.localPort && destination.ip === parseIp(socket.localAddress ?? "");
}

/**
 * Decided once all that the decision looks at is known. Host names are resolved between two decisions of the same draws by the
 * same snapshot, which therefore agree.
 */
async function decide(
  { context }: OutboundConnector,
  source: Workload,
  destination: SocketAddress,
  signal: AbortSignal,
): Promise<Exclude<OutboundDecision, { kind: "resolve" }>> {
  const { ports, network } = context.options;
  const draws = { waypoint: context.random(), endpoint: context.random() };
  const answers = new Map<string, readonly Ip[]>();
  const resolved = (hostname: string): readonly Ip[] | undefined => answers.get(hostname);
  const request = { source, network, destination, ports, draws, resolved };
  const lookup = {
    asker: askerOf(context),
    decide: (snapshot: MeshSnapshot) => decideOutbound(snapshot, request),
  };
  const found = await context.lookups.complete(lookup, signal);
  if (found.kind === "unknown") return { kind: "refuse", message: found.message };
  for (;;) {
    const decision = decideOutbound(found.snapshot, request);
    if (decision.kind !== "resolve") return decision;
    answers.set(decision.hostname, await context.resolver.resolve(decision.hostname, source));
  }
}

interface OutboundConnection {
  readonly decision: ConnectableDecision;
  readonly source: Workload;
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
}

async function execute(
  connector: OutboundConnector,
  { channel, attempt }: Captured,
  connection: OutboundConnection,
): Promise<void> {
  const { context } = connector;
  const { decision, source, client } = connection;
  const startedMs = context.clock.monotonicMs();
  // The far end of a double tunnel is known once it has answered, and counted then.
  const early = decision.kind === "doubleHbone" ? undefined : openTelemetry(connector, connection, startedMs);
  const remove = context.connections.add(
    "outbound",
    {
      src: formatSocketAddress(client),
      originalDst: formatSocketAddress(connection.destination),
      actualDst: decisionAddress(decision),
      protocol: protocolOf(decision),
    },
    () => attempt.cut("drain"),
  );
  try {
    const connected = await connectOutbound(connector, decision, source, client, attempt.signal);
    attempt.settle();
    const far = connected.kind === "connected" ? connected.far : undefined;
    const telemetry = early ?? openTelemetry(connector, connection, startedMs, far);
    if (connected.kind === "failed") {
      channel.abort("other-side-failed");
      telemetry.finish(connected.flag, connected.error);
      return;
    }
    const ends = { downstream: channel, upstream: connected.channel };
    await carry(context.relays, ends, attempt, telemetry);
  } finally {
    remove();
  }
}

function protocolOf(decision: ConnectableDecision): "HBONE" | "TCP" | "DOUBLEHBONE" {
  if (decision.kind === "hbone") return "HBONE";
  return decision.kind === "doubleHbone" ? "DOUBLEHBONE" : "TCP";
}

function openTelemetry(
  { context }: OutboundConnector,
  { decision, source, client }: OutboundConnection,
  startedMs: number,
  far?: FarEnd,
): OpenConnection {
  const { workload, service } = decision.target;
  const tunnel = decision.kind === "hbone" || decision.kind === "doubleHbone";
  const identity = tunnel ? workloadIdentity(source) : undefined;
  const known = far?.baggage === undefined ? workload : undefined;
  const peer = far?.identity ?? (workload && workloadIdentity(workload));
  return context.telemetry.open(
    {
      reporter: "source",
      source,
      sourceIdentity: identity,
      destination: known,
      destinationBaggage: far?.baggage,
      destinationIdentity: far?.identity,
      destinationService: service,
      mutualTls: tunnel,
    },
    {
      direction: "outbound",
      source: {
        ...accessLogPeer(source),
        address: formatSocketAddress(client),
        identity: identity && formatIdentity(identity),
      },
      destination: {
        ...(far?.baggage === undefined ? accessLogPeer(workload) : describedPeer(far.baggage)),
        address: decisionAddress(decision),
        hboneAddress: tunnel ? decision.authority : undefined,
        service: service?.hostname,
        identity: tunnel && peer !== undefined ? formatIdentity(peer) : undefined,
      },
    },
    startedMs,
  );
}
