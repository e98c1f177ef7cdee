/** Tunnels to other nodes over shared connections (reference: protocol §1.7). */

import { BatchBuffers } from "@meltemi/http/http2-transport";
import { formatIdentity, formatSocketAddress } from "@meltemi/model";
import { endProcess } from "@meltemi/runtime";
import { BATCH_BYTES } from "./options.ts";
import type { HbonePeer } from "./peer.ts";
import { PoolEntry } from "./pool-entry.ts";
import type { HbonePoolDeps, HbonePoolOptions } from "./pool-options.ts";
import type { PoolKey, TunnelOutcome, TunnelRequest } from "./tunnel.ts";

export interface HbonePool extends AsyncDisposable {
  /** Opens a tunnel on a pooled connection, making one when needed. Never rejects. */
  openTunnel(key: PoolKey, request: TunnelRequest, signal?: AbortSignal): Promise<TunnelOutcome>;
  readonly connections: number;
  readonly streams: number;
  /** No new tunnels; resolves when the open ones have ended, or after `deadlineMs` when the rest was cut. */
  drain(deadlineMs: number): Promise<{ readonly cutStreams: number }>;
  /** Cuts the connections whose peer matches (revoked certificate). Returns how many. */
  abortPeers(matches: (peer: HbonePeer) => boolean): number;
}

/** A stream that the peer had not looked at is tried once more on another connection; more would hide a sick peer. */
const MAX_TRIES = 2;

export function createHbonePool(options: HbonePoolOptions, deps: HbonePoolDeps): HbonePool {
  return new Pool(options, deps);
}

/** Text of a key; equal keys give equal texts. */
function keyText(key: PoolKey): string {
  const expected = key.expected.map(formatIdentity).join(",");
  return `${formatIdentity(key.source)} ${expected} ${formatSocketAddress(key.destination)} ${key.sourceIp}`;
}

class Pool implements HbonePool {
  readonly #options: HbonePoolOptions;
  readonly #deps: HbonePoolDeps;
  readonly #buffers = new BatchBuffers(BATCH_BYTES);
  readonly #entries = new Map<string, PoolEntry>();
  #draining = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: HbonePoolOptions, deps: HbonePoolDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get connections(): number {
    let connections = 0;
    for (const entry of this.#entries.values()) connections += entry.connections;
    return connections;
  }

  get streams(): number {
    let streams = 0;
    for (const entry of this.#entries.values()) streams += entry.streams;
    return streams;
  }

  async openTunnel(key: PoolKey, request: TunnelRequest, signal?: AbortSignal): Promise<TunnelOutcome> {
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      if (this.#draining) return { kind: "failed", stage: "closed", detail: "pool is draining" };
      const outcome = await this.#entry(key).openTunnel(request, signal);
      if (outcome !== "unseen") return outcome;
    }
    return { kind: "failed", stage: "stream", detail: "peer refused the stream, twice" };
  }

  #entry(key: PoolKey): PoolEntry {
    const text = keyText(key);
    const known = this.#entries.get(text);
    if (known !== undefined) return known;
    const deps = {
      ...this.#deps,
      buffers: this.#buffers,
      onEmpty: () => this.#forget(text, entry),
      onInternalError: this.#deps.onInternalError ?? endProcess,
    };
    const entry = new PoolEntry(key, this.#options, deps);
    this.#entries.set(text, entry);
    return entry;
  }

  async drain(deadlineMs: number): Promise<{ readonly cutStreams: number }> {
    this.#draining = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    for (const entry of [...this.#entries.values()]) entry.drain();
    if (this.#entries.size === 0) return { cutStreams: 0 };
    let cutStreams = 0;
    const deadline = this.#deps.clock.after(deadlineMs, () => {
      cutStreams = this.streams;
      for (const entry of [...this.#entries.values()]) entry.abort("pool closed");
    });
    await promise;
    deadline.cancel();
    return { cutStreams };
  }

  abortPeers(matches: (peer: HbonePeer) => boolean): number {
    let cut = 0;
    for (const entry of this.#entries.values()) cut += entry.abortPeers(matches);
    return cut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  #forget(text: string, entry: PoolEntry): void {
    if (this.#entries.get(text) !== entry) return;
    this.#entries.delete(text);
    if (this.#entries.size === 0) this.#onEmpty?.();
  }
}
