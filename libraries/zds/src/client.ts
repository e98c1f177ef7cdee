/** ZDS from ztunnel's side: connects to the CNI agent, receives pods' network namespaces, answers each request in order. */

import {
  closeFd,
  connectSeqpacket,
  errnoName,
  type NetworkNamespace,
  networkNamespaceFromFd,
  type Packet,
  type SeqpacketConnection,
} from "@meltemi/linux";
import { backoffMs, type Clock, delay, describeError, type Logger, MeshError } from "@meltemi/runtime";
import { INITIAL_CLIENT_STATE, stepClient } from "./client-step.ts";
import { encodeAnswer, encodeHello, type ZdsAnswer, type ZdsRequest, type ZdsWorkload } from "./codec.ts";

/** What ztunnel does with pods. Calls come one at a time; the next request is read when the promise has settled. */
export interface ZdsHandler {
  /** A new connection: forget the snapshot state and the pending list. Known pods keep running. */
  connected(): void;
  /** A pod to serve. `netns` is the handler's to close, whatever it answers. A throw is answered as a nack. */
  add(uid: string, workload: ZdsWorkload, netns: NetworkNamespace): Promise<ZdsAnswer>;
  /** The pod is still there; its namespace is not sent again. Unknown uids are no error. */
  keep(uid: string): void;
  /** The pod is gone or has left the mesh. Unknown uids are no error. */
  del(uid: string): Promise<ZdsAnswer>;
  /** The snapshot is complete: pods neither added nor kept since `connected` are to be drained. */
  snapshotSent(): Promise<ZdsAnswer>;
  /** The connection ended; it will be made anew. ztunnel is not ready until the next snapshot is complete. */
  disconnected(why: string): void;
}

export interface ZdsClientOptions {
  /** Istio: /var/run/ztunnel/ztunnel.sock (INPOD_UDS). */
  readonly path: string;
}

export interface ZdsClientDependencies {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly handler: ZdsHandler;
}

export interface ZdsClient {
  /**
   * Serves until the signal is aborted, then resolves; reconnects after every loss, waiting 10 ms doubling to 15 s.
   * Rejects with PROTOCOL_VIOLATION when the agent does not speak ZDS: the process should exit with code 1.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** Reference: protocol §3.5. */
const RECONNECT = { baseMs: 10, maxMs: 15_000 } as const;

export function createZdsClient(options: ZdsClientOptions, deps: ZdsClientDependencies): ZdsClient {
  const { clock, log, handler } = deps;
  const run = async (signal: AbortSignal): Promise<void> => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      const outcome = await connectOnce(options.path, handler, signal);
      if (signal.aborted) return;
      if (outcome.served) attempt = 0;
      const waitMs = backoffMs(RECONNECT, attempt, deps.random);
      log.warn("not connected to the CNI agent", {
        path: options.path,
        why: outcome.why,
        "retry.ms": waitMs,
      });
      await delay(clock, waitMs, signal).catch(() => undefined);
    }
  };
  return { run };
}

interface Outcome {
  /** Whether the agent spoke to us before the end. */
  readonly served: boolean;
  readonly why: string;
}

async function connectOnce(path: string, handler: ZdsHandler, signal: AbortSignal): Promise<Outcome> {
  let connection: SeqpacketConnection;
  try {
    connection = connectSeqpacket(path);
  } catch (error) {
    return { served: false, why: describeError(error) };
  }
  let served = false;
  let why = "the agent closed the connection";
  try {
    await connection.send(encodeHello(), [], signal);
    handler.connected();
    await serve(connection, handler, signal, () => {
      served = true;
    });
  } catch (error) {
    if (error instanceof MeshError && error.code === "PROTOCOL_VIOLATION") throw error;
    why = describeError(error);
    // Only what the socket or the abort brings is worth another try: anything else is a fault of this program.
    if (!signal.aborted && errnoName(error) === undefined) throw error;
  } finally {
    connection.close();
  }
  handler.disconnected(why);
  return { served, why };
}

async function serve(
  connection: SeqpacketConnection,
  handler: ZdsHandler,
  signal: AbortSignal,
  onPacket: () => void,
): Promise<void> {
  let state = INITIAL_CLIENT_STATE;
  for (;;) {
    const packet = await connection.receive(signal);
    if (packet === undefined) return;
    onPacket();
    const step = stepClient(state, packet);
    if (step.kind === "violation") {
      closeAll(packet.fds);
      await giveUp(connection, step.why, signal);
    } else {
      state = step.state;
      await connection.send(encodeAnswer(await perform(handler, step.request, packet)), [], signal);
    }
  }
}

async function giveUp(connection: SeqpacketConnection, why: string, signal: AbortSignal): Promise<never> {
  await connection.send(encodeAnswer({ kind: "nack", why }), [], signal).catch(() => undefined);
  throw new MeshError("PROTOCOL_VIOLATION", `read request of the CNI agent: ${why}`);
}

async function perform(handler: ZdsHandler, request: ZdsRequest, packet: Packet): Promise<ZdsAnswer> {
  try {
    switch (request.kind) {
      case "add":
        return await handler.add(request.uid, request.workload, networkNamespaceFromFd(packet.fds[0] ?? -1));
      case "keep":
        handler.keep(request.uid);
        return { kind: "ack" };
      case "del":
        return await handler.del(request.uid);
      case "snapshotSent":
        return await handler.snapshotSent();
    }
  } catch (error) {
    return { kind: "nack", why: describeError(error) };
  }
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeFd(fd);
}
