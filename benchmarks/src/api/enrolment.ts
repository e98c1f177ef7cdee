/** From a namespace's label to the first connection of which the proxy has seen the peer's certificate. */

import { setTimeout as delay } from "node:timers/promises";
import { type KubernetesClient, NAMESPACES, PODS, SERVICE_ACCOUNTS } from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import { type Figure, figureOf, type Run } from "../figure.ts";
import { indexLog, keyOf, type LoggedConnection, readOutbound } from "./access-log.ts";
import { NODES } from "./cluster.ts";
import { machineMs, type Probe, type Target } from "./messages.ts";
import { ENROLMENT_LABEL, namespace, REDIRECTION, SERVER_PORT, serverPod } from "./objects.ts";
import type { Prober } from "./prober.ts";
import { quantile } from "./quantile.ts";
import { type WatchFloor, watchFloor } from "./watch-floor.ts";

/** A hundred pods on a busy machine; a single one takes a hundredth. */
const ENROL_DEADLINE_MS = 60_000;
const CREATE_DEADLINE_MS = 120_000;
const LOOK_EVERY_MS = 100;
const PLAIN_PROBES = 3;
/** The node agent serves a pod that leaves for half a second longer: the next round begins with a pod that is outside altogether. */
const AFTER_LEAVING_MS = 1_000;
const PROBE_WORKED = "200 ";

export interface Scene {
  readonly client: KubernetesClient;
  readonly prober: Prober;
  /** Name of the proxy on the client's node. */
  readonly ztunnel: string;
}

interface Sample {
  /** Of each pod, from the label's write. */
  readonly enrolledMs: readonly number[];
  readonly floorMs: number;
  readonly faults: readonly string[];
  /** Requests without an answer from the moment on when the label was taken away. */
  readonly lostLeaving: number;
}

export interface EnrolmentOptions {
  readonly pods: number;
  readonly rounds: number;
  /** Between two connections to the same pod: what is not seen in between is the figure's resolution. */
  readonly everyMs: number;
  readonly progress: (text: string) => void;
}

export async function* enrolmentFigures(scene: Scene, options: EnrolmentOptions): AsyncGenerator<Figure> {
  const { pods, rounds, everyMs, progress } = options;
  const name = `enrol-${pods}`;
  const { client } = scene;
  progress(`${podsOf(pods)} outside the mesh`);
  const targets = await createServers(client, name, pods);
  using floor = await watchFloor(client, NAMESPACES, undefined);
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++) {
    progress(`${podsOf(pods)} into the mesh and out again, ${round} of ${rounds}`);
    samples.push(await enrolOnce(scene, { name, targets, everyMs, floor }));
  }
  for (const fault of samples.flatMap(({ faults }) => faults).slice(0, 5)) progress(`WRONG: ${fault}`);
  await client.delete(NAMESPACES, { name });
  yield* figuresOf(samples, options);
  yield figureOf({
    name: `requests lost while ${podsOf(pods)} leave the mesh`,
    unit: "requests",
    runs: samples.map(({ lostLeaving }) => ({ ours: lostLeaving })),
    correct: true,
    target: { text: "0", holds: ({ runs }) => runs.every(({ ours }) => ours === 0) },
  });
}

const podsOf = (count: number): string => (count === 1 ? "1 pod" : `${count} pods`);

/** None is right when a single request was lost, or went in the clear once it should not. */
function* figuresOf(
  samples: readonly Sample[],
  { pods, rounds, everyMs }: EnrolmentOptions,
): Generator<Figure> {
  const figure = (what: string, runs: readonly Run[]): Figure =>
    figureOf({
      name: `label to enrolled, ${what} (a connection to each every ${everyMs} ms)`,
      unit: "ms",
      peerName: "a watch sees the label",
      runs,
      correct: samples.every(({ faults }) => faults.length === 0),
    });
  const runsOf = (part: number): readonly Run[] =>
    samples.map(({ enrolledMs, floorMs }) => ({ ours: quantile(enrolledMs, part), peer: floorMs }));
  if (pods === 1) {
    const runs = runsOf(1);
    const [ours, peers] = [runs.map((run) => run.ours), samples.map(({ floorMs }) => floorMs)];
    yield figure("1 pod", runs);
    yield figure(`1 pod, 99th percentile of ${rounds}`, [
      { ours: quantile(ours, 0.99), peer: quantile(peers, 0.99) },
    ]);
    return;
  }
  yield figure(`the median of ${pods} pods`, runsOf(0.5));
  yield figure(`99th percentile of ${pods} pods`, runsOf(0.99));
  yield figure(`the last of ${pods} pods`, runsOf(1));
}

/** No pod is accepted in a new namespace before a controller has made its service account. */
export async function untilPodsAccepted(client: KubernetesClient, inNamespace: string): Promise<void> {
  await eventually(() => client.get(SERVICE_ACCOUNTS, { namespace: inNamespace, name: "default" }), {
    deadlineMs: CREATE_DEADLINE_MS,
  });
}

async function createServers(
  client: KubernetesClient,
  name: string,
  count: number,
): Promise<readonly Target[]> {
  await client.create(NAMESPACES, namespace(name, false));
  await untilPodsAccepted(client, name);
  for (let at = 0; at < count; at++)
    await client.create(PODS, serverPod(name, `server-${at}`, NODES[(at + 1) % NODES.length] ?? NODES[1]));
  return await eventually(
    async () => {
      const { items } = await client.list(PODS, { namespace: name });
      const ready = items.filter(({ status }) =>
        status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True"),
      );
      if (ready.length < count) return undefined;
      return ready.map(({ status }) => ({
        address: status?.podIP ?? "",
        port: SERVER_PORT,
        host: "server",
      }));
    },
    { deadlineMs: CREATE_DEADLINE_MS, everyMs: LOOK_EVERY_MS },
  );
}

interface Round {
  readonly name: string;
  readonly targets: readonly Target[];
  readonly everyMs: number;
  readonly floor: WatchFloor;
}

async function enrolOnce(scene: Scene, { name, targets, everyMs, floor }: Round): Promise<Sample> {
  const { client, prober } = scene;
  const beganMs = machineMs();
  prober.probe({ targets, everyMs });
  await prober.more(targets.length * PLAIN_PROBES);
  const told = floor.next();
  const sentMs = machineMs();
  await label(client, name, "ambient");
  const floorMs = (await told) - sentMs;
  await annotated(client, name, targets.length);
  const find = await untilAll(scene, targets, beganMs, (peer) => peer !== undefined);
  const { enrolledMs, faults } = judge(prober.seen, targets, find, { sentMs, name });
  const leftMs = machineMs();
  await label(client, name, null);
  await annotated(client, name, 0);
  await untilAll(scene, targets, beganMs, (peer) => peer === undefined);
  await delay(AFTER_LEAVING_MS);
  const lost = prober.seen.filter(({ outcome }) => outcome !== PROBE_WORKED);
  const joining = lost.filter(({ startedMs }) => startedMs < leftMs);
  prober.probe({ targets: [], everyMs });
  return {
    enrolledMs,
    floorMs,
    faults: [...faults, ...joining.map((probe) => `a request failed: ${JSON.stringify(probe)}`)],
    lostLeaving: lost.length - joining.length,
  };
}

async function label(client: KubernetesClient, name: string, value: string | null): Promise<void> {
  const body = { metadata: { labels: { [ENROLMENT_LABEL]: value } } };
  await client.patch(NAMESPACES, { name }, { kind: "merge", body });
}

async function annotated(client: KubernetesClient, name: string, count: number): Promise<void> {
  await eventually(
    async () => {
      const { items } = await client.list(PODS, { namespace: name });
      return (
        items.filter(({ metadata }) => metadata?.annotations?.[REDIRECTION] === "enabled").length === count
      );
    },
    { deadlineMs: ENROL_DEADLINE_MS, everyMs: LOOK_EVERY_MS },
  );
}

/** What the proxy told of a probe; undefined while it has told nothing. */
type FindProbe = (probe: Probe) => LoggedConnection | undefined;

/** Until the newest logged connection to every target is as wanted. Resolves with all that the proxy told since `beganMs`. */
async function untilAll(
  { client, prober, ztunnel }: Scene,
  targets: readonly Target[],
  beganMs: number,
  wanted: (peer: string | undefined) => boolean,
): Promise<FindProbe> {
  return await eventually(
    async () => {
      await prober.more(targets.length);
      const find = await readLog(client, ztunnel, targets, beganMs);
      const newest = new Map<number, boolean>();
      for (const probe of prober.seen) {
        const logged = find(probe);
        if (logged !== undefined) newest.set(probe.target, wanted(logged.peer));
      }
      return newest.size === targets.length && [...newest.values()].every(Boolean) ? find : undefined;
    },
    { deadlineMs: ENROL_DEADLINE_MS, everyMs: LOOK_EVERY_MS },
  );
}

async function readLog(
  client: KubernetesClient,
  ztunnel: string,
  targets: readonly Target[],
  beganMs: number,
): Promise<FindProbe> {
  const sinceSeconds = Math.ceil((machineMs() - beganMs) / 1000) + 1;
  const parts: Uint8Array[] = [];
  for await (const part of client.logs({ namespace: "istio-system", name: ztunnel }, { sinceSeconds }))
    parts.push(part);
  const find = indexLog(readOutbound(Buffer.concat(parts).toString()));
  const epochMs = Date.now() - machineMs();
  return ({ target, localPort, endedMs }) =>
    find(keyOf(localPort, targets[target]?.address ?? ""), endedMs + epochMs);
}

/** Plaintext before, the pod's own identity from some connection on, and never plaintext again. */
function judge(
  seen: readonly Probe[],
  targets: readonly Target[],
  find: FindProbe,
  { sentMs, name }: { readonly sentMs: number; readonly name: string },
): Pick<Sample, "enrolledMs" | "faults"> {
  const firsts = new Map<number, Probe>();
  const faults: string[] = [];
  const expected = `spiffe://cluster.local/ns/${name}/sa/default`;
  for (const probe of seen) {
    const logged = find(probe);
    if (logged === undefined) continue;
    const { peer } = logged;
    if (peer === undefined) {
      if (firsts.has(probe.target)) faults.push(`plaintext after a tunnel: ${JSON.stringify(probe)}`);
    } else if (peer !== expected) faults.push(`a connection ended at ${peer}, expected ${expected}`);
    else if (probe.endedMs < sentMs) faults.push(`a tunnel before the label: ${JSON.stringify(probe)}`);
    else if (!firsts.has(probe.target)) firsts.set(probe.target, probe);
  }
  if (firsts.size < targets.length) faults.push(`${targets.length - firsts.size} pods were never enrolled`);
  return { enrolledMs: [...firsts.values()].map(({ endedMs }) => endedMs - sentMs), faults };
}
