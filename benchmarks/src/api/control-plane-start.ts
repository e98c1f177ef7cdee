/** A control plane that starts beside a large cluster, until a node proxy has heard of everything. */

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKubernetesClient, type KubernetesClient, loadKubeconfig } from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";
import { type Figure, figureOf, type Run } from "../figure.ts";
import { cpuSeconds, nextMessage, stopProgram } from "../l4/place-process.ts";
import type { SuiteOptions } from "../suite.ts";
import { type LargeCluster, largeCluster } from "./large-cluster.ts";
import type { Listed } from "./list-watch.worker.ts";
import { runControlPlane } from "./running-control-plane.ts";

const SIZES = [1_000, 10_000];
const MIB = 1024 * 1024;

/** What one start took, of the control plane or of its peer. */
interface Start {
  readonly readyMs: number;
  readonly completeMs: number;
  readonly cpuMs: number;
  readonly peakRssBytes: number;
}

interface Pair {
  readonly ours: Start;
  readonly peer: Start;
  readonly faults: readonly string[];
}

export async function* controlPlaneStartFigures({ pairs, progress }: SuiteOptions): AsyncGenerator<Figure> {
  for (const pods of SIZES) {
    progress(`an API server with ${pods} pods`);
    const folder = mkdtempSync(join(tmpdir(), "meltemi-api-"));
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
    const server = fork(new URL("./api-server.worker.ts", import.meta.url), [folder, String(pods)]);
    cleanup.defer(() => stopProgram(server));
    await nextMessage(server);
    const kubeconfig = join(folder, "kubeconfig");
    const client = createKubernetesClient(loadKubeconfig(readFileSync(kubeconfig, "utf8")), {
      clock: systemClock,
    });
    cleanup.defer(() => client.close());
    const results: Pair[] = [];
    // The first one creates its authority and a ConfigMap in each namespace: it counts as a warm-up.
    for (let pair = 0; pair <= pairs; pair++) {
      progress(`control plane starts beside ${pods} pods, ${pair === 0 ? "warm-up" : `${pair} of ${pairs}`}`);
      const result = await measurePair(kubeconfig, client, largeCluster(pods));
      if (pair > 0) results.push(result);
      for (const fault of result.faults.slice(0, 5)) progress(`WRONG: ${fault}`);
    }
    yield* figuresOf(pods, results);
  }
}

async function measurePair(
  kubeconfig: string,
  client: KubernetesClient,
  content: LargeCluster,
): Promise<Pair> {
  const ours = await startControlPlane(kubeconfig, client, content);
  const peer = await startListWatch(kubeconfig, content);
  return { ours: ours.start, peer: peer.start, faults: [...ours.faults, ...peer.faults] };
}

interface Checked {
  readonly start: Start;
  readonly faults: readonly string[];
}

async function startControlPlane(
  kubeconfig: string,
  client: KubernetesClient,
  content: LargeCluster,
): Promise<Checked> {
  const startMs = performance.now();
  await using plane = await runControlPlane(kubeconfig, client);
  const readyMs = performance.now() - startMs;
  const faults = await plane.subscribe(content);
  const completeMs = performance.now() - startMs;
  return { start: { readyMs, completeMs, ...costOf(plane.child) }, faults };
}

async function startListWatch(kubeconfig: string, content: LargeCluster): Promise<Checked> {
  const startMs = performance.now();
  const child = fork(new URL("./list-watch.worker.ts", import.meta.url), [kubeconfig]);
  try {
    const { objects } = await nextMessage<Listed>(child);
    const completeMs = performance.now() - startMs;
    const expected = Object.values(content).reduce((sum, list) => sum + list.length, 0);
    return {
      start: { readyMs: completeMs, completeMs, ...costOf(child) },
      // Every cluster has some more.
      faults: objects >= expected ? [] : [`the bare client saw ${objects} of ${expected} objects`],
    };
  } finally {
    await stopProgram(child);
  }
}

function costOf({ pid = 0 }: ChildProcess): Pick<Start, "cpuMs" | "peakRssBytes"> {
  const peakKib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpuMs: cpuSeconds(pid) * 1000, peakRssBytes: Number(peakKib) * 1024 };
}

function* figuresOf(pods: number, pairs: readonly Pair[]): Generator<Figure> {
  const correct = pairs.every(({ faults }) => faults.length === 0);
  const figure = (name: string, unit: string, of: (start: Start) => number): Figure => {
    const runs: readonly Run[] = pairs.map(({ ours, peer }) => ({ ours: of(ours), peer: of(peer) }));
    const peerName = "a bare client lists and watches the same";
    return figureOf({
      name: `control-plane start beside ${pods} pods, ${name}`,
      unit,
      peerName,
      runs,
      correct,
    });
  };
  yield figure("exec to ready", "ms", ({ readyMs }) => readyMs);
  yield figure("exec to a ztunnel that has everything", "ms", ({ completeMs }) => completeMs);
  yield figure("CPU until then", "ms", ({ cpuMs }) => cpuMs);
  yield figure("peak RSS", "MiB", ({ peakRssBytes }) => peakRssBytes / MIB);
}
