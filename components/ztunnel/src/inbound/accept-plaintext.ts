/** Plaintext connections to the pod, captured on 15006 (reference: protocol §5.3). There is no identity to judge by. */

import type { Socket } from "node:net";
import {
  findWorkloadByAddress,
  formatSocketAddress,
  type SocketAddress,
  type Workload,
} from "@meltemi/model";
import { admitCaptured, type Captured } from "../pods/admit.ts";
import { localWorkload, type PodContext, UNKNOWN_LOCAL_WORKLOAD } from "../pods/pod-context.ts";
import { accessLogPeer } from "../telemetry/access-record.ts";
import type { OpenConnection } from "../telemetry/connection-telemetry.ts";
import { decidePlaintextInbound, inboundService } from "./decide-inbound.ts";
import { describeInbound } from "./describe-inbound.ts";
import { serveInbound } from "./serve-inbound.ts";

export interface PlaintextInbound {
  readonly context: PodContext;
  readonly transparent: boolean;
}

/** Takes over an accepted, captured connection. Never throws or rejects. */
export function acceptPlaintext(inbound: PlaintextInbound, socket: Socket): Promise<void> {
  const { context } = inbound;
  return admitCaptured(context, "inbound", socket, async (captured) => {
    const decision = decidePlaintextInbound(context.options.ports, captured.destination);
    if (decision.kind === "refuse") return decision;
    const workload = await localWorkload(context, captured.attempt.signal);
    if (workload === undefined) return { message: UNKNOWN_LOCAL_WORKLOAD };
    await describeInbound(context, workload, captured.client.ip, captured.attempt.signal);
    await serve(inbound, captured, workload);
    return "served";
  });
}

async function serve(
  inbound: PlaintextInbound,
  { channel, client, destination, attempt }: Captured,
  workload: Workload,
): Promise<void> {
  const { context } = inbound;
  const telemetry = openTelemetry(context, workload, client, destination);
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
  workload: Workload,
  client: SocketAddress,
  destination: SocketAddress,
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
