/**
 * Which pods are proxied, by the node agent's word (reference: protocol §3.5). Adding is idempotent, a snapshot tells what
 * is gone, and a pod that cannot be served yet is tried again. Messages are handled one after the other.
 */

import type { WorkloadName } from "@meltemi/model";
import {
  type Clock,
  describeError,
  detach,
  type Logger,
  type OnInternalError,
  type Timer,
} from "@meltemi/runtime";

/** A pod's network namespace; the set closes it when the pod is dropped or replaced. */
export interface PodNamespace {
  readonly inode: bigint;
  readonly device: bigint;
  close(): void;
}

export interface AnnouncedPod {
  readonly uid: string;
  readonly name: WorkloadName;
}

/** A running proxy of one pod. */
export interface PodProxy {
  /**
   * No new connections; open ones go on until they end, or are cut after `deadlineMs`. Called again with less time, the
   * earlier deadline holds, for both calls.
   */
  drain(deadlineMs: number): Promise<void>;
}

export type PodMessage<N extends PodNamespace> =
  | { readonly kind: "add"; readonly pod: AnnouncedPod; readonly namespace: N }
  | { readonly kind: "keep"; readonly uid: string }
  | { readonly kind: "del"; readonly uid: string }
  | { readonly kind: "snapshotSent" };

export interface PodSetOptions {
  /** Between tries to start a pod's proxy that failed. */
  readonly retryMs: number;
  /** How long connections of a pod that was un-enrolled may go on. */
  readonly departedDeadlineMs: number;
}

export interface PodSetDeps<N extends PodNamespace, P extends PodProxy> {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly start: (pod: AnnouncedPod, namespace: N) => Promise<P>;
  /** A task for one pod failed by an error of this program; all others go on. */
  readonly onInternalError: OnInternalError;
  readonly onChange?: (counts: { readonly up: number; readonly pending: number }) => void;
  readonly onStarted?: () => void;
  readonly onStopped?: () => void;
}

export interface PodState {
  readonly pod: AnnouncedPod;
  readonly state: "Up" | "Pending";
}

type Slot<N, P> =
  | { readonly kind: "up"; readonly pod: AnnouncedPod; readonly namespace: N; readonly proxy: P }
  | { readonly kind: "pending"; readonly pod: AnnouncedPod; readonly namespace: N };

/** Undefined when the message was carried out, else why not. */
export type Refusal = string | undefined;

export class PodSet<N extends PodNamespace, P extends PodProxy = PodProxy> {
  readonly #options: PodSetOptions;
  readonly #deps: PodSetDeps<N, P>;
  readonly #slots = new Map<string, Slot<N, P>>();
  /** Proxies of pods that left, until their last connection has ended. */
  readonly #departing = new Map<P, Promise<void>>();
  /** Uids named since the connection began; undefined once the snapshot is complete. */
  #announced: Set<string> | undefined = new Set();
  #retry: Timer | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: PodSetOptions, deps: PodSetDeps<N, P>) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Served as told: a snapshot is complete and no pod waits. */
  get ready(): boolean {
    return this.#announced === undefined && this.states().every(({ state }) => state === "Up");
  }

  states(): readonly PodState[] {
    return [...this.#slots.values()].map(({ kind, pod }) => ({
      pod,
      state: kind === "up" ? "Up" : "Pending",
    }));
  }

  /** The running proxy of a pod. */
  proxy(uid: string): P | undefined {
    const slot = this.#slots.get(uid);
    return slot?.kind === "up" ? slot.proxy : undefined;
  }

  /** A new connection to the node agent begins: its snapshot is awaited; pods that wait are forgotten, it will name them again. */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      this.#announced = new Set();
      for (const [uid, slot] of this.#slots) {
        if (slot.kind !== "pending") continue;
        this.#slots.delete(uid);
        slot.namespace.close();
      }
      this.#changed();
    });
  }

  /** The connection to the node agent is lost: all goes on, but what is told may be old. */
  disconnected(): void {
    this.#announced = new Set();
  }

  handle(message: PodMessage<N>): Promise<Refusal> {
    return this.#inTurn(() => this.#handle(message));
  }

  async #handle(message: PodMessage<N>): Promise<Refusal> {
    switch (message.kind) {
      case "add":
        return this.#add(message.pod, message.namespace);
      case "keep":
        if (this.#announced === undefined) return "keep after the snapshot was complete";
        this.#announced.add(message.uid);
        return undefined;
      case "del":
        this.#announced?.delete(message.uid);
        this.#drop(message.uid);
        return undefined;
      case "snapshotSent":
        if (this.#announced === undefined) return "second snapshot on one connection";
        this.#completeSnapshot(this.#announced);
        return undefined;
    }
  }

  async #add(pod: AnnouncedPod, namespace: N): Promise<Refusal> {
    if (this.#closed) {
      namespace.close();
      return "shutting down";
    }
    this.#announced?.add(pod.uid);
    const known = this.#slots.get(pod.uid);
    if (known !== undefined && isSame(known.namespace, namespace)) {
      namespace.close();
      if (known.kind === "up") return undefined;
      return this.#tryStart(known);
    }
    if (known !== undefined) this.#drop(pod.uid);
    const slot = { kind: "pending", pod, namespace } as const;
    this.#slots.set(pod.uid, slot);
    return this.#tryStart(slot);
  }

  async #tryStart(slot: Extract<Slot<N, P>, { kind: "pending" }>): Promise<Refusal> {
    const { pod, namespace } = slot;
    try {
      const proxy = await this.#deps.start(pod, namespace);
      this.#slots.set(pod.uid, { kind: "up", pod, namespace, proxy });
      this.#deps.onStarted?.();
      return undefined;
    } catch (error) {
      const why = `failure to start proxy : ${describeError(error)}`;
      this.#deps.logger.warn(why, { uid: pod.uid, retry_ms: this.#options.retryMs });
      this.#retry ??= this.#deps.clock.after(this.#options.retryMs, () => {
        this.#retry = undefined;
        detach(() => this.#inTurn(() => this.#retryPending()), this.#deps.onInternalError);
      });
      return why;
    } finally {
      this.#changed();
    }
  }

  async #retryPending(): Promise<void> {
    for (const slot of [...this.#slots.values()]) {
      if (this.#closed) return;
      if (slot.kind === "pending") await this.#tryStart(slot);
    }
  }

  #completeSnapshot(announced: ReadonlySet<string>): void {
    for (const uid of [...this.#slots.keys()]) if (!announced.has(uid)) this.#drop(uid);
    this.#announced = undefined;
    this.#changed();
  }

  /**
   * Connections that are open go on: a pod that is un-enrolled notices nothing, and one that was deleted ends its
   * connections itself.
   */
  #drop(uid: string): void {
    const slot = this.#slots.get(uid);
    if (slot === undefined) return;
    this.#slots.delete(uid);
    if (slot.kind === "pending") slot.namespace.close();
    else this.#depart(slot, this.#options.departedDeadlineMs);
    this.#changed();
  }

  #depart(slot: Extract<Slot<N, P>, { kind: "up" }>, deadlineMs: number): void {
    this.#departing.set(slot.proxy, this.#drain(slot, deadlineMs));
  }

  /** Never rejects: whoever closes waits for all of them. */
  async #drain({ proxy, namespace }: Extract<Slot<N, P>, { kind: "up" }>, deadlineMs: number): Promise<void> {
    try {
      await proxy.drain(deadlineMs);
    } catch (error) {
      this.#deps.onInternalError(error);
    }
    this.#departing.delete(proxy);
    try {
      namespace.close();
      this.#deps.onStopped?.();
    } catch (error) {
      this.#deps.onInternalError(error);
    }
  }

  /** Drains all pods and takes no more. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await this.#inTurn(async () => {
      // Those that left before had time without end; now they have as much as the others.
      for (const proxy of this.#departing.keys())
        detach(() => proxy.drain(deadlineMs), this.#deps.onInternalError);
      for (const slot of this.#slots.values()) {
        if (slot.kind === "pending") slot.namespace.close();
        else this.#depart(slot, deadlineMs);
      }
      this.#slots.clear();
      this.#changed();
    });
    await Promise.all(this.#departing.values());
  }

  #changed(): void {
    const states = this.states();
    const up = states.filter(({ state }) => state === "Up").length;
    this.#deps.onChange?.({ up, pending: states.length - up });
  }

  /** One task at a time, in the order of arrival. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

function isSame(a: PodNamespace, b: PodNamespace): boolean {
  return a.inode === b.inode && a.device === b.device;
}
