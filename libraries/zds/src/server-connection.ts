/** One connected ztunnel: hello, snapshot, then one request at a time, each answered within a deadline. */

import { closeFd, type Packet, type SeqpacketConnection } from "@meltemi/linux";
import { type Clock, describeError, type Logger, MeshError } from "@meltemi/runtime";
import { decodeAnswer, decodeHello, encodeRequest, type ZdsAnswer, type ZdsRequest } from "./codec.ts";
import type { QueuedRequest, ZdsPods } from "./pods.ts";

export interface ServerConnection {
  /** Queues a request; resolves with its answer, rejects with UNAVAILABLE when the connection ends first. */
  request(request: QueuedRequest): Promise<ZdsAnswer>;
  /** Resolves with the reason once the connection has ended. Never rejects. */
  readonly closed: Promise<string>;
  close(why: string): void;
}

/** For the hello and for each answer (reference: protocol §3.5). */
const ANSWER_DEADLINE_MS = 5_000;
/** A node has at most a few hundred pods; a ztunnel so far behind is better reconnected and given a snapshot. */
const MAX_QUEUED = 4096;

interface Queued {
  readonly request: QueuedRequest;
  readonly resolve: (answer: ZdsAnswer) => void;
  readonly reject: (error: unknown) => void;
}

interface Dependencies {
  readonly clock: Clock;
  readonly log: Logger;
  readonly pods: ZdsPods;
}

export function createServerConnection(socket: SeqpacketConnection, deps: Dependencies): ServerConnection {
  const ended = Promise.withResolvers<string>();
  const queue: Queued[] = [];
  let wake: () => void = () => undefined;
  let open = true;

  const close = (why: string): void => {
    if (!open) return;
    open = false;
    socket.close();
    for (const { request, reject } of queue.splice(0)) reject(unavailable(request, why));
    wake();
    ended.resolve(why);
  };

  const request = (wanted: QueuedRequest): Promise<ZdsAnswer> => {
    if (!open) return Promise.reject(unavailable(wanted, "the connection is closed"));
    if (queue.length >= MAX_QUEUED) close(`${MAX_QUEUED} requests are waiting: it does not keep up`);
    if (!open) return Promise.reject(unavailable(wanted, "the connection is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<ZdsAnswer>();
    queue.push({ request: wanted, resolve, reject });
    wake();
    return promise;
  };

  const run = async (inbox: Inbox): Promise<void> => {
    const hello = decodeHello(await inbox.next("hello"));
    if (hello.kind === "bad") throw new MeshError("PROTOCOL_VIOLATION", hello.why);
    for (;;) {
      const next = queue.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        if (!open) return;
        continue;
      }
      try {
        next.resolve(await exchange(socket, inbox, deps, next.request));
      } catch (error) {
        next.reject(unavailable(next.request, describeError(error)));
        throw error;
      }
    }
  };

  queueSnapshot(deps, request);
  const inbox = createInbox(socket, deps.clock, close);
  run(inbox).catch((error: unknown) => close(describeError(error)));
  return { request, closed: ended.promise, close };
}

/** The whole snapshot is queued at once, so that whatever comes later comes behind it. */
function queueSnapshot(deps: Dependencies, request: ServerConnection["request"]): void {
  const tell = (answer: ZdsAnswer, uid: string): void => {
    if (answer.kind === "nack")
      deps.log.warn("ztunnel refused a pod of the snapshot", { uid, why: answer.why });
  };
  // A failure ends the connection, which is logged once there.
  for (const uid of deps.pods.uids())
    request({ kind: "add", uid }).then(
      (answer) => tell(answer, uid),
      () => undefined,
    );
  request({ kind: "snapshotSent" }).catch(() => undefined);
}

async function exchange(
  socket: SeqpacketConnection,
  inbox: Inbox,
  deps: Dependencies,
  request: QueuedRequest,
): Promise<ZdsAnswer> {
  const message = messageOf(request, deps.pods);
  if (message.kind === "gone") return { kind: "nack", why: `pod ${message.uid} is gone` };
  const received = inbox.next(`answer to ${request.kind}`);
  // Sent within this very turn of the loop: the descriptor looked up above is still the pod's.
  const [packet] = await Promise.all([received, socket.send(encodeRequest(message.request), message.fds)]);
  const answer = decodeAnswer(packet);
  if (answer.kind === "bad") throw new MeshError("PROTOCOL_VIOLATION", answer.why);
  return answer.value;
}

type Message =
  | { readonly kind: "send"; readonly request: ZdsRequest; readonly fds: readonly number[] }
  | { readonly kind: "gone"; readonly uid: string };

function messageOf(request: QueuedRequest, pods: ZdsPods): Message {
  if (request.kind !== "add") return { kind: "send", request, fds: [] };
  const pod = pods.find(request.uid);
  if (pod === undefined) return { kind: "gone", uid: request.uid };
  const { uid, workload, netnsFd } = pod;
  if (netnsFd === undefined) return { kind: "send", request: { kind: "keep", uid }, fds: [] };
  return { kind: "send", request: { kind: "add", uid, workload }, fds: [netnsFd] };
}

interface Inbox {
  /** The next packet, waited for at most {@link ANSWER_DEADLINE_MS}. */
  next(what: string): Promise<Packet>;
}

/**
 * Always reading, so that a ztunnel's end is seen at once and not with the next request. A packet nobody waits for is a violation:
 * that is also the liveness check Istio makes by a short read every 5 s.
 */
function createInbox(socket: SeqpacketConnection, clock: Clock, close: (why: string) => void): Inbox {
  let waiting:
    | { readonly resolve: (packet: Packet) => void; readonly reject: (error: unknown) => void }
    | undefined;
  const read = async (): Promise<void> => {
    for (;;) {
      const packet = await socket.receive();
      if (packet === undefined) throw new MeshError("UNAVAILABLE", "it closed the connection");
      // The kernel has given them to us; a ztunnel has none to send, and could fill our table with them.
      for (const fd of packet.fds) closeFd(fd);
      if (waiting === undefined) throw new MeshError("PROTOCOL_VIOLATION", "it spoke without being asked");
      waiting.resolve(packet);
      waiting = undefined;
    }
  };
  read().catch((error: unknown) => {
    waiting?.reject(error);
    close(describeError(error));
  });
  const withDeadline = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const late = Promise.withResolvers<never>();
    const timer = clock.after(ANSWER_DEADLINE_MS, () =>
      late.reject(new MeshError("TIMEOUT", `wait for ${what}: nothing within ${ANSWER_DEADLINE_MS} ms`)),
    );
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  };
  return {
    next: (what) => {
      const { promise, resolve, reject } = Promise.withResolvers<Packet>();
      waiting = { resolve, reject };
      return withDeadline(what, promise);
    },
  };
}

function unavailable(request: QueuedRequest, why: string): MeshError {
  const of = request.kind === "snapshotSent" ? "" : ` ${request.uid}`;
  return new MeshError("UNAVAILABLE", `tell ztunnel ${request.kind}${of}: ${why}`);
}
