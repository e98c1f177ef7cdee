/** What every connection passes first, however it comes: a place in the process, and one answer to all that can go wrong. */

import type { Socket } from "node:net";
import { type ByteChannel, tcpChannel } from "@meltemi/l4";
import { formatSocketAddress, type SocketAddress } from "@meltemi/model";
import { describeError, MeshError } from "@meltemi/runtime";
import { Attempt } from "../sockets/attempt.ts";
import { peerOf } from "../sockets/pod-sockets.ts";
import type { PodContext } from "./pod-context.ts";

type Direction = "inbound" | "outbound";

/** Why a connection is not served, for the log; for an HBONE request, the status of the answer too. */
export interface Refusal {
  readonly message: string;
  readonly status?: 400 | 503;
}

export interface Newcomer {
  readonly direction: Direction;
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
  /** Ends it unserved. */
  readonly refuse: (status: 400 | 503) => void;
}

/** Serves it until its end, in a place that it holds as long, or refuses it. Never rejects. */
export async function admit(
  context: PodContext,
  newcomer: Newcomer,
  serve: () => Promise<Refusal | "served">,
): Promise<void> {
  const { direction, client, destination, refuse } = newcomer;
  const place = context.admission.take();
  const letGo = context.connections.hold();
  try {
    const refusal: Refusal | "served" = place.kind === "refused" ? { message: place.message } : await serve();
    if (refusal === "served") return;
    const [from, to] = [formatSocketAddress(client), formatSocketAddress(destination)];
    context.telemetry.refused(from, to, direction, refusal.message);
    refuse(refusal.status ?? 503);
  } catch (error) {
    refuse(503);
    tellFailure(context, direction, error);
  } finally {
    letGo();
    if (place.kind === "admitted") place.release();
  }
}

/** A captured TCP connection. */
export interface Captured {
  readonly channel: ByteChannel;
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
  readonly attempt: Attempt;
}

/** Takes over an accepted, captured connection and {@link admit}s it. Never throws or rejects. */
export async function admitCaptured(
  context: PodContext,
  direction: Direction,
  socket: Socket,
  serve: (captured: Captured) => Promise<Refusal | "served">,
): Promise<void> {
  const channel = tcpChannel(socket, (error) => context.reportInternalError("connection", error));
  const client = peerOf(socket);
  const attempt = Attempt.of(socket);
  const closed = context.telemetry.socketOpened(direction === "outbound" ? "source" : "destination");
  try {
    // Gone between the kernel and us.
    if (client === undefined) return channel.abort("other-side-failed");
    const destination = context.sockets.originalDestination(socket);
    const newcomer = { direction, client, destination, refuse: () => channel.abort("limit") };
    await admit(context, newcomer, () => serve({ channel, client, destination, attempt }));
  } catch (error) {
    channel.abort("other-side-failed");
    tellFailure(context, direction, error);
  } finally {
    closed();
  }
}

/** A MeshError is what went wrong around us; anything else is an error of ours. */
function tellFailure(context: PodContext, direction: Direction, error: unknown): void {
  if (error instanceof MeshError)
    context.logger.warn(`${direction} connection failed`, { error: describeError(error) });
  else context.reportInternalError("connection", error);
}
