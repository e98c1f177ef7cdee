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
import { Attempt } from "../sockets/attempt.ts";
import { peerOf } from "../sockets/pod-sockets.ts";
import { accessLogPeer } from "../telemetry/access-record.ts";
import type { OpenConnection } from "../telemetry/connection-telemetry.ts";
import { decidePlaintextInbound, inboundService } from "./decide-inbound.ts";
import { serveInbound } from "./serve-inbound.ts";

export interface PlaintextInbound {
  readonly context: PodContext;
  readonly transparent: boolean;
}

/** Takes over an accepted, captured connection. Never throws or rejects. */
export async function acceptPlaintext(inbound: PlaintextInbound, socket: Socket): Promise<void> {
  const { context } = inbound;
  const channel = tcpChannel(socket, (error) => context.reportInternalError("connection", error));
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
  const connection = {
    workload,
    transparent: inbound.transparent,
    client,
    entry: entryOf(client, destination),
    target: { address: destination, client, keepSourceAddress: true },
  };
  await serveInbound(context, connection, attempt, telemetry, {
    accept: () => channel,
    refuse: (flag) => channel.abort(flag === "DENY" ? "policy" : "other-side-failed"),
  });
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
