/** Sends spans to one collector in batches, one at a time; what does not fit or arrive is dropped and counted, never waited for. */

import type { Clock, Timer } from "@meltemi/runtime";
import type { Counter, Family } from "@meltemi/telemetry";

/** One span is 2 KB: a collector that stands still holds 8 MB at most. */
const MAX_QUEUED_SPANS = 4096;
/** Half a megabyte of JSON, which collectors take (OTLP's usual limit is 4 MB). */
const MAX_BATCH_SPANS = 256;
/** A span is seen about a second after its request. */
const BATCH_INTERVAL_MS = 1000;

export interface SpanExporterDeps {
  readonly clock: Clock;
  /** Resolves with the status of the answer; rejects when there was none. */
  readonly post: (body: string) => Promise<number>;
  readonly batch: (spans: readonly string[]) => string;
  readonly counts: SpanCounts;
}

export interface SpanCounts {
  readonly sent: Counter;
  readonly dropped: Family<"reason", Counter>;
}

export class SpanExporter {
  readonly #deps: SpanExporterDeps;
  #queue: string[] = [];
  #sending: Promise<void> | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(deps: SpanExporterDeps) {
    this.#deps = deps;
  }

  /** Asked before a span is written, which is the dear part. False: one was dropped. */
  takesOne(): boolean {
    if (!this.#closed && this.#queue.length < MAX_QUEUED_SPANS) return true;
    this.#drop(this.#closed ? "shutdown" : "queue_full", 1);
    return false;
  }

  add(span: string): void {
    this.#queue.push(span);
    if (this.#queue.length >= MAX_BATCH_SPANS) this.#send();
    else this.#schedule();
  }

  /** Sends what waits; gives the rest up with the first batch that does not arrive. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#sending;
    while (this.#queue.length > 0) {
      if (!(await this.#post(this.#take()))) break;
    }
    this.#drop("shutdown", this.#queue.length);
    this.#queue = [];
  }

  #schedule(): void {
    this.#timer ??= this.#deps.clock.after(BATCH_INTERVAL_MS, () => {
      this.#timer = undefined;
      this.#send();
    });
  }

  #send(): void {
    if (this.#sending !== undefined || this.#queue.length === 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending = this.#sendBatches();
  }

  /** As long as whole batches wait; never rejects. */
  async #sendBatches(): Promise<void> {
    do await this.#post(this.#take());
    while (this.#queue.length >= MAX_BATCH_SPANS);
    this.#sending = undefined;
    if (this.#queue.length > 0 && !this.#closed) this.#schedule();
  }

  #take(): readonly string[] {
    return this.#queue.splice(0, MAX_BATCH_SPANS);
  }

  /** True when the collector took them. */
  async #post(spans: readonly string[]): Promise<boolean> {
    const { post, batch, counts } = this.#deps;
    try {
      const status = await post(batch(spans));
      const taken = status >= 200 && status < 300;
      if (taken) counts.sent.inc(spans.length);
      else this.#drop("refused", spans.length);
      return taken;
    } catch {
      // Why a collector cannot be reached is told by who dials it; here only what was lost counts.
      this.#drop("unreachable", spans.length);
      return false;
    }
  }

  #drop(reason: string, spans: number): void {
    if (spans > 0) this.#deps.counts.dropped.labels({ reason }).inc(spans);
  }
}
