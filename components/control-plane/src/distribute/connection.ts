/** One connected client: carries requests into its session and responses out of it, no faster than it reads. */

import type { ServerDuplexStream } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { Clock, Logger, Timer } from "@meltemi/runtime";
import type { discovery } from "@meltemi/wire";
import {
  type Answer,
  createDeltaSession,
  type DeltaSession,
  encodeResponse,
  type ResourceLog,
  type WatchStatus,
} from "@meltemi/xds";
import type { Caller } from "../certificate-authority/decide-issue.ts";
import {
  type ClaimedPod,
  type ClientKind,
  clientKind,
  type KnownPod,
  podOfNode,
  typeFault,
} from "./client-kind.ts";
import type { DistributionMetrics } from "./metrics.ts";
import { nodeFault } from "./node-identity.ts";
import type { Turnstile } from "./turnstile.ts";

export type DeltaCall = ServerDuplexStream<discovery.DeltaDiscoveryRequest, Buffer>;

export interface ConnectionDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: DistributionMetrics;
  /** In the order in which they go out. */
  readonly logsFor: (client: ClientKind) => readonly ResourceLog[];
  /** A pod as the cluster has it. */
  readonly pod: (namespace: string, name: string) => KnownPod | undefined;
  /** For first responses. */
  readonly turnstile: Turnstile;
}

/** What debug pages show. */
export interface ConnectionStatus {
  readonly connectionId: string;
  readonly nodeId: string;
  readonly peer: string;
  readonly version: string;
  readonly clusterId: string;
  readonly connectedAtMs: number;
  readonly watches: ReadonlyMap<string, WatchStatus>;
}

export interface Connection {
  /** Something was published at `changedMs` (monotonic): send what this client may have now. */
  push(changedMs: number): void;
  readonly status: ConnectionStatus;
  close(code: number, message: string): void;
}

/** A client that has not answered by then is taken to have read the response, and told what is new since. */
const ANSWER_TIMEOUT_MS = 30_000;

interface Place {
  hasTurn: boolean;
  leave: () => void;
}

/** `caller` undefined: authentication is switched off. `onClose` is called once. */
export function createConnection(
  call: DeltaCall,
  caller: Caller | undefined,
  connectionId: string,
  deps: ConnectionDependencies,
  onClose: () => void,
): Connection {
  const { clock, logger, metrics } = deps;
  /** Known with the first request, and with it what the client may have. */
  let client: ClientKind | undefined;
  let logs: readonly ResourceLog[] = [];
  let session: DeltaSession = createDeltaSession(new Set());
  const connectedAtMs = clock.nowMs();
  const answerTimers = new Map<string, Timer>();
  /** Per type: since when (monotonic) the client lacks a change, and of when the change under way is. */
  const lacking = new Map<string, number>();
  const underWay = new Map<string, number>();
  /** Per type: the place among those that are sent everything, or the wait for it. */
  const places = new Map<string, Place>();
  let writable = true;
  let isOpen = true;

  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    for (const timer of answerTimers.values()) timer.cancel();
    for (const typeUrl of [...places.keys()]) leave(typeUrl);
    onClose();
  };
  const close = (code: number, message: string): void => {
    if (!isOpen) return;
    end();
    call.emit("error", { code, details: message });
  };
  /**
   * In the order of `logs`, each answered before the next: a workload that names a policy must not reach a client before the
   * policy. Removals go the other way round: a policy is taken away when no workload names it any more. They wait for one round
   * of the others, not for a quiet moment.
   */
  const pump = (): void => {
    const sendInTurn = (log: ResourceLog, holdRemovals: boolean): boolean => {
      if (isOpen && writable && mayBegin(log.typeUrl)) send(log, holdRemovals);
      return session.watch(log.typeUrl)?.awaitingAnswer !== true;
    };
    const last = logs.at(-1);
    for (const log of logs) {
      const holdRemovals = log !== last && session.watch(log.typeUrl)?.owesRemovals !== true;
      if (!sendInTurn(log, holdRemovals)) return;
    }
    for (const log of logs)
      if (session.watch(log.typeUrl)?.owesRemovals === true && !sendInTurn(log, false)) return;
  };
  const mayBegin = (typeUrl: string): boolean => {
    const watch = session.watch(typeUrl);
    if (watch === undefined || watch.hasBegun) return watch !== undefined;
    const known = places.get(typeUrl);
    if (known !== undefined) return known.hasTurn;
    const place: Place = { hasTurn: false, leave: () => undefined };
    places.set(typeUrl, place);
    let isWaiting = false;
    place.leave = deps.turnstile.enter(() => {
      place.hasTurn = true;
      if (isWaiting) pump();
    });
    isWaiting = true;
    return place.hasTurn;
  };
  const leave = (typeUrl: string): void => {
    const place = places.get(typeUrl);
    places.delete(typeUrl);
    place?.leave();
  };
  const send = (log: ResourceLog, holdRemovals: boolean): void => {
    const { typeUrl } = log;
    const next = session.next(log, holdRemovals);
    if (next.kind === "nothing") {
      // Nothing is missing unless a response is under way, or removals are held: then a later one carries it.
      const watch = session.watch(typeUrl);
      if (watch?.awaitingAnswer !== true && watch?.owesRemovals !== true) lacking.delete(typeUrl);
      return;
    }
    if (next.kind === "behind") {
      close(status.UNAVAILABLE, "the client was too slow and must reconnect to catch up");
      return;
    }
    const bytes = encodeResponse({ typeUrl, ...next });
    metrics.pushed(typeUrl);
    metrics.configBytes.observe(bytes.length);
    const since = lacking.get(typeUrl);
    if (since !== undefined) underWay.set(typeUrl, since);
    lacking.delete(typeUrl);
    answerTimers.get(typeUrl)?.cancel();
    answerTimers.set(
      typeUrl,
      clock.after(ANSWER_TIMEOUT_MS, () => giveUpAnswer(log, next.nonce)),
    );
    writable = call.write(bytes);
  };
  const giveUpAnswer = (log: ResourceLog, nonce: string): void => {
    metrics.unansweredResponses.add(1);
    logger.warn("no answer to a response", { client: connectionId, type: log.typeUrl, nonce });
    session.watch(log.typeUrl)?.forgetAnswer(nonce);
    leave(log.typeUrl);
    pump();
  };
  const book = (typeUrl: string, answer: Answer): void => {
    if (answer.kind === "stale") metrics.expiredNonce(typeUrl);
    if (answer.kind !== "ack" && answer.kind !== "nack") return;
    answerTimers.get(typeUrl)?.cancel();
    leave(typeUrl);
    const since = underWay.get(typeUrl);
    underWay.delete(typeUrl);
    if (answer.kind === "nack") {
      metrics.rejected(typeUrl);
      logger.warn("response refused", { client: connectionId, type: typeUrl, reason: answer.message });
    } else if (since !== undefined) metrics.convergence.observe((clock.monotonicMs() - since) / 1000);
  };
  const meet = (request: discovery.DeltaDiscoveryRequest): ClientKind => {
    const claim = caller === undefined ? podOfNode(request.node?.id ?? "") : podOfCaller(caller);
    const kind = clientKind(claim, claim && deps.pod(claim.namespace, claim.name));
    logs = deps.logsFor(kind);
    session = createDeltaSession(new Set(logs.map(({ typeUrl }) => typeUrl)));
    return kind;
  };
  const deny = (fault: string): void => {
    metrics.refusedStreams("PERMISSION_DENIED").inc();
    close(status.PERMISSION_DENIED, fault);
  };
  const receive = (request: discovery.DeltaDiscoveryRequest): void => {
    if (!isOpen) return;
    client ??= meet(request);
    const forbidden = typeFault(request.typeUrl, client);
    if (forbidden !== undefined) {
      deny(forbidden);
      return;
    }
    const received = session.receive(request);
    if (received.kind === "refused") {
      metrics.refusedStreams(received.code).inc();
      close(status[received.code], received.message);
      return;
    }
    const fault = caller && session.node && nodeFault(session.node, caller);
    if (fault !== undefined) {
      deny(fault);
      return;
    }
    if (received.kind === "ignored")
      logger.debug("type not served", { client: connectionId, type: received.typeUrl.slice(0, 128) });
    else book(received.typeUrl, received.answer);
    pump();
  };

  call.on("drain", () => {
    writable = true;
    pump();
  });
  call.on("end", () => {
    end();
    call.end();
  });
  call.on("cancelled", end);
  call.on("close", end);
  call.on("error", end);
  call.on("data", receive);

  return {
    push(changedMs) {
      for (const { typeUrl } of logs) if (!lacking.has(typeUrl)) lacking.set(typeUrl, changedMs);
      pump();
    },
    get status() {
      const { id = "", version = "", clusterId = "" } = session.node ?? {};
      const watches = new Map(
        logs.flatMap(({ typeUrl }) => {
          const watch = session.watch(typeUrl);
          return watch === undefined ? [] : [[typeUrl, watch.status] as const];
        }),
      );
      const peer = call.getPeer();
      return { connectionId, nodeId: id, peer, version, clusterId, connectedAtMs, watches };
    },
    close,
  };
}

/** A token that is bound to no pod is of no waypoint. */
function podOfCaller({ namespace, pod }: Caller): ClaimedPod | undefined {
  return pod && { namespace, name: pod.name, uid: pod.uid };
}
