/** How long a change takes to reach a hundred nodes, and what it costs the control plane. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { type Figure, figureOf } from "../figure.ts";
import type { Suite } from "../suite.ts";
import type {
  ChangeResult,
  FromServer,
  FromSubscribers,
  ServerState,
  ToServer,
  ToSubscribers,
} from "./messages.ts";

const SUBSCRIBERS = 100;
const SIZES = [1_000, 10_000];
const BURST = 100;
/** Longer than the quiet time of the debounce: every change is the first after a pause, as most are in life. */
const PAUSE_MS = 200;
/** Compiles the hot paths of both processes; not counted. */
const WARM_UP_CHANGES = 10;
const CHANGES_PER_PAIR = 10;

export const controlPlaneSuite: Suite = {
  name: "control-plane",
  about:
    "time from an API event to the last of 100 subscribers' ACK, its CPU, memory, and encodings per change",
  async *run({ pairs, progress }): AsyncIterable<Figure> {
    for (const pods of SIZES) yield* measureSize(pods, pairs * CHANGES_PER_PAIR, progress);
  },
};

async function* measureSize(
  pods: number,
  changes: number,
  progress: (text: string) => void,
): AsyncGenerator<Figure> {
  progress(`control plane with ${pods} pods and ${SUBSCRIBERS} subscribers`);
  const server = start(new URL("./server.worker.ts", import.meta.url), [pods, SUBSCRIBERS]);
  let subscribers: ChildProcess | undefined;
  try {
    const { port } = await hear<FromServer, "started">(server, "started");
    subscribers = start(new URL("./subscribers.worker.ts", import.meta.url), [port, SUBSCRIBERS]);
    const { elapsedMs } = await hear<FromSubscribers, "synced">(subscribers, "synced");
    const one = await series(server, 1, changes + WARM_UP_CHANGES, progress);
    const burst = await series(server, BURST, Math.ceil(changes / 2) + WARM_UP_CHANGES, progress);
    const state = await ask<FromServer, "state">(server, { kind: "state" } satisfies ToServer, "state");
    const report = await ask<FromSubscribers, "report">(
      subscribers,
      { kind: "report" } satisfies ToSubscribers,
      "report",
    );
    const correct = report.identical && report.digest === state.digest;
    yield* figuresOf(pods, { one, burst, state, elapsedMs, correct });
  } finally {
    server.kill("SIGKILL");
    subscribers?.kill("SIGKILL");
  }
}

interface Measured {
  readonly one: readonly ChangeResult[];
  readonly burst: readonly ChangeResult[];
  readonly state: ServerState;
  readonly elapsedMs: number;
  readonly correct: boolean;
}

function* figuresOf(pods: number, { one, burst, state, elapsedMs, correct }: Measured): Generator<Figure> {
  const of = `${pods} workloads, ${SUBSCRIBERS} subscribers`;
  const figure = (
    name: string,
    unit: string,
    values: readonly number[],
    target?: { readonly text: string; readonly holds: (figure: Figure) => boolean },
  ): Figure =>
    figureOf({
      name: `${name} (${of})`,
      unit,
      runs: values.map((ours) => ({ ours })),
      correct,
      ...(target && { target }),
    });
  const acks = (results: readonly ChangeResult[]): readonly number[] =>
    results.map(({ lastAckMs }) => lastAckMs);
  const cpu = (results: readonly ChangeResult[]): readonly number[] => results.map(({ cpuMs }) => cpuMs);
  yield figure("one change: API event to last ACK", "ms", acks(one));
  yield figure("one change: 99th percentile to last ACK", "ms", [percentile(acks(one), 0.99)]);
  yield figure("one change: CPU of the control plane", "ms", cpu(one));
  yield figure(
    "one change: encodings",
    "resources",
    one.map(({ encodings }) => encodings),
    { text: "1", holds: ({ runs }) => runs.every(({ ours }) => ours === 1) },
  );
  yield figure(`burst of ${BURST} changes: API event to last ACK`, "ms", acks(burst));
  yield figure(`burst of ${BURST} changes: CPU of the control plane`, "ms", cpu(burst));
  yield figure(
    `burst of ${BURST} changes: encodings per change`,
    "resources",
    burst.map(({ encodings }) => encodings / BURST),
    { text: "1", holds: ({ runs }) => runs.every(({ ours }) => ours === 1) },
  );
  yield figure("all subscribers connected and synced", "ms", [elapsedMs]);
  yield figure("RSS of the control plane", "MiB", [state.rssBytes / 1024 / 1024]);
}

/** Changes one after another, each after a pause; the warm-up is left out of the result. */
async function series(
  server: ChildProcess,
  count: number,
  rounds: number,
  progress: (text: string) => void,
): Promise<readonly ChangeResult[]> {
  progress(`${rounds} times ${count} changed pods`);
  const results: ChangeResult[] = [];
  for (let round = 0; round < rounds; round++) {
    await delay(PAUSE_MS);
    results.push(
      await ask<FromServer, "changed">(server, { kind: "change", count } satisfies ToServer, "changed"),
    );
  }
  return results.slice(WARM_UP_CHANGES);
}

function start(program: URL, args: readonly number[]): ChildProcess {
  const child = fork(program, args.map(String));
  child.once("exit", (code) => {
    if (code !== null && code !== 0) throw new Error(`${program.pathname} ended with code ${code}`);
  });
  return child;
}

async function hear<M extends { readonly kind: string }, K extends M["kind"]>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<M, { readonly kind: K }>> {
  for (;;) {
    const [message] = (await once(child, "message")) as [M];
    if (message.kind === kind) return message as Extract<M, { readonly kind: K }>;
  }
}

async function ask<M extends { readonly kind: string }, K extends M["kind"]>(
  child: ChildProcess,
  request: object,
  kind: K,
): Promise<Extract<M, { readonly kind: K }>> {
  const answer = hear<M, K>(child, kind);
  child.send(request);
  return await answer;
}

function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}
