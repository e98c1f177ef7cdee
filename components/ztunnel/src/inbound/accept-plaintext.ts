/** Plaintext connections to the pod, captured on 15006 (reference: protocol §5.3). There is no identity to judge by. */

import type { Socket } from "node:net";
import { type ByteChannel, tcpChannel } from "@meltemi/l4";
import {
  findWorkloadByAddress,
  formatSocketAddress,
  type SocketAddress,
  type Workload,
} from "@meltemi/model";
import { describeError } from "@meltemi/runtime";
import { localWorkload, type PodContext, UNKNOWN_LOCAL_WORKLOAD } from "../pods/pod-context.ts";
import { CLOSED_BY_POLICY } from "../policy/live-connections.ts";
import { Attempt } from "../sockets/attempt.ts";
import { peerOf } from "../sockets/pod-sockets.ts";
import { accessLogPeer } from "../telemetry/access-record.ts";
import { CLOSED_BY_DRAIN, type OpenConnection, relayEnding } from "../telemetry/connection-telemetry.ts";
import { connectApplication } from "./connect-application.ts";
import { decidePlaintextInbound, inboundService } from "./decide-inbound.ts";

export interface PlaintextInbound {
  readonly context: PodContext;
  readonly transparent: boolean;
}

/** Takes over an accepted, captured connection. Never throws or rejects. */
export async function acceptPlaintext(inbound: PlaintextInbound, socket: Socket): Promise<void> {
  const { context } = inbound;
  const channel = tcpChannel(socket);
  const client = peerOf(socket);
  const place = context.admission.take();
  const attempt = Attempt.of(socket);
  const closed = context.telemetry.socketOpened("destination");
  try {
    // Gone between the kernel and us.
    if (client === undefined) return channel.abort("other-side-failed");
    const destination = context.sockets.originalDestination(socket);
    const refuse = (why: string): void => {
      const [from, to] = [formatSocketAddress(client), formatSocketAddress(destination)];
      context.telemetry.refused(from, to, "inbound", why);
      channel.abort("limit");
    };
    if (place.kind === "refused") return refuse(place.message);
    const decision = decidePlaintextInbound(context.options.ports, destination);
    if (decision.kind === "refuse") return refuse(decision.message);
    const workload = await localWorkload(context, attempt.signal);
    if (workload === undefined) return refuse(UNKNOWN_LOCAL_WORKLOAD);
    await serve(inbound, channel, { workload, client, destination }, attempt);
  } catch (error) {
    channel.abort("other-side-failed");
    context.logger.warn("inbound connection failed", { error: describeError(error) });
  } finally {
    closed();
    if (place.kind === "admitted") place.release();
  }
}

interface PlaintextConnection {
  readonly workload: Workload;
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
}

async function serve(
  inbound: PlaintextInbound,
  channel: ByteChannel,
  { workload, client, destination }: PlaintextConnection,
  attempt: Attempt,
): Promise<void> {
  const { context } = inbound;
  const telemetry = openTelemetry(context, { workload, client, destination });
  let cutByPolicy = (): void => attempt.end(CLOSED_BY_POLICY);
  let cutByDrain = (): void => attempt.end(CLOSED_BY_DRAIN);
  const l4 = { sourceIp: client.ip, destination };
  const forget = context.live.register({
    workloadUid: workload.uid,
    connection: l4,
    cut: () => cutByPolicy(),
  });
  const remove = context.connections.add("inbound", entryOf(client, destination), () => cutByDrain());
  const fail = (flag: "DENY" | "CONNECT", why: string): void => {
    channel.abort(flag === "DENY" ? "policy" : "other-side-failed");
    telemetry.finish(flag, why);
  };
  try {
    const verdict = await context.authorizer.authorize(workload.uid, l4, attempt.signal);
    if (verdict.kind === "deny") return fail("DENY", verdict.message);
    if (attempt.cutBecause !== undefined) return fail("DENY", attempt.cutBecause);
    const target = { address: destination, client, keepSourceAddress: true };
    const application = await connectApplication(context, inbound.transparent, target, attempt.signal);
    attempt.settle();
    if (application.kind === "failed") return fail("CONNECT", application.error);
    const session = context.relays.start(channel, tcpChannel(application.socket));
    cutByPolicy = () => session.abort("policy");
    cutByDrain = () => session.abort("drain");
    if (attempt.cutBecause !== undefined) cutByPolicy();
    telemetry.carry(session);
    const { flag, error } = relayEnding(await session.finished);
    telemetry.finish(flag, error);
  } finally {
    forget();
    remove();
  }
}

function entryOf(client: SocketAddress, destination: SocketAddress) {
  return {
    src: formatSocketAddress(client),
    originalDst: null,
    actualDst: formatSocketAddress(destination),
    protocol: "TCP",
  } as const;
}

function openTelemetry(
  context: PodContext,
  { workload, client, destination }: PlaintextConnection,
): OpenConnection {
  const snapshot = context.mesh.current;
  const source = findWorkloadByAddress(snapshot, context.options.network, client.ip);
  const service = inboundService(snapshot, workload, destination.port, undefined);
  return context.telemetry.open(
    {
      reporter: "destination",
      source,
      sourceIdentity: undefined,
      destination: workload,
      destinationService: service,
      mutualTls: false,
    },
    {
      direction: "inbound",
      source: { ...accessLogPeer(source), address: formatSocketAddress(client) },
      destination: {
        ...accessLogPeer(workload),
        address: formatSocketAddress(destination),
        service: service?.hostname,
      },
    },
  );
}
