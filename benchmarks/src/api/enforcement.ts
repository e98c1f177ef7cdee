/** From a written policy or route to the first new connection that it decides. */

import { setTimeout as delay } from "node:timers/promises";
import {
  AUTHORIZATION_POLICIES,
  type CustomObject,
  HTTP_ROUTES,
  type KubernetesClient,
  type ResourceType,
  refOf,
} from "@meltemi/kubernetes";
import { type Figure, figureOf } from "../figure.ts";
import { machineMs, type Probe, type Target } from "./messages.ts";
import { denial, HOME, markedRoute } from "./objects.ts";
import type { Prober } from "./prober.ts";
import { quantile } from "./quantile.ts";
import { type WatchFloor, watchFloor } from "./watch-floor.ts";

/** Between two new connections: the resolution of these figures. */
const PROBE_EVERY_MS = 2;
/** From then on the new rule holds: so many connections are looked at. */
const SETTLED_PROBES = 10;
/** Longer than what the control plane gathers changes for; of uneven length, so that no timer falls into step with it. */
const PAUSE_MS = 150;
const PAUSE_STEP_MS = 37;
const PAUSE_SPREAD_MS = 100;
const MAX_TOLD = 5;

export interface EnforcementOptions {
  readonly client: KubernetesClient;
  readonly prober: Prober;
  readonly rounds: number;
  readonly progress: (text: string) => void;
}

interface Sample {
  readonly enforcedMs: number;
  readonly floorMs: number;
  /** Connections that neither the old rule nor the new one explains. */
  readonly strays: readonly Probe[];
}

interface Change {
  readonly write: () => Promise<unknown>;
  readonly before: string;
  readonly after: string;
}

/** DENY for a server on another node, put there and taken away. */
export async function* policyFigures(options: EnforcementOptions, server: Target): AsyncGenerator<Figure> {
  const { client, prober, rounds, progress } = options;
  using floor = await watchFloor(client, AUTHORIZATION_POLICIES, HOME);
  prober.probe({ targets: [server], everyMs: PROBE_EVERY_MS });
  await prober.first(0, ({ outcome }) => outcome === "200 ");
  const [refused, allowed]: [Sample[], Sample[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    if (round % 10 === 0) progress(`policy put there and taken away, ${round} of ${rounds}`);
    const put = () => client.create(AUTHORIZATION_POLICIES, denial);
    refused.push(await measure({ write: put, before: "200 ", after: "closed" }, round, prober, floor));
    const take = () => client.delete(AUTHORIZATION_POLICIES, refOf(denial));
    allowed.push(await measure({ write: take, before: "closed", after: "200 " }, round, prober, floor));
  }
  prober.probe({ targets: [], everyMs: PROBE_EVERY_MS });
  yield* figuresOf("DENY policy written to the first refused connection", refused, progress);
  yield* figuresOf("DENY policy deleted to the first allowed connection", allowed, progress);
}

/** A route's header filter changes at a waypoint. */
export async function* routeFigures(options: EnforcementOptions, service: Target): AsyncGenerator<Figure> {
  const { client, prober, rounds, progress } = options;
  using floor = await watchFloor(client, HTTP_ROUTES, HOME);
  const mark = (round: number): string => `200 r${round}`;
  const put = (round: number) => replace(client, HTTP_ROUTES, markedRoute(`r${round}`));
  await client.create(HTTP_ROUTES, markedRoute("r0"));
  prober.probe({ targets: [service], everyMs: PROBE_EVERY_MS });
  await prober.first(0, ({ outcome }) => outcome === mark(0));
  await prober.more(SETTLED_PROBES);
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++) {
    if (round % 10 === 0) progress(`route changed, ${round} of ${rounds}`);
    const change = { write: () => put(round), before: mark(round - 1), after: mark(round) };
    samples.push(await measure(change, round, prober, floor));
  }
  prober.probe({ targets: [], everyMs: PROBE_EVERY_MS });
  yield* figuresOf("HTTPRoute changed to the first request that follows it", samples, progress);
}

async function replace(
  client: KubernetesClient,
  type: ResourceType<CustomObject>,
  { metadata, spec }: CustomObject,
): Promise<void> {
  await client.patch(type, refOf({ ...(metadata && { metadata }) }), { kind: "merge", body: { spec } });
}

/** The old rule for every connection, then the new one for every connection: anything else is a wrong result. */
async function measure(
  { write, before, after }: Change,
  round: number,
  prober: Prober,
  floor: WatchFloor,
): Promise<Sample> {
  await delay(PAUSE_MS + ((round * PAUSE_STEP_MS) % PAUSE_SPREAD_MS));
  const from = prober.seen.length;
  const told = floor.next();
  const sentMs = machineMs();
  await write();
  const at = await prober.first(from, ({ outcome }) => outcome === after);
  await prober.more(SETTLED_PROBES);
  const others = (probes: readonly Probe[], wanted: string): readonly Probe[] =>
    probes.filter(({ outcome }) => outcome !== wanted);
  return {
    enforcedMs: (prober.seen[at]?.endedMs ?? Number.NaN) - sentMs,
    floorMs: (await told) - sentMs,
    strays: [...others(prober.seen.slice(from, at), before), ...others(prober.seen.slice(at), after)],
  };
}

function* figuresOf(
  name: string,
  samples: readonly Sample[],
  progress: (text: string) => void,
): Generator<Figure> {
  for (const { strays } of samples.slice(0, MAX_TOLD))
    for (const stray of strays) progress(`WRONG: ${JSON.stringify(stray)}`);
  const correct = samples.every(({ strays }) => strays.length === 0);
  const [ours, floors] = [samples.map(({ enforcedMs }) => enforcedMs), samples.map(({ floorMs }) => floorMs)];
  const peerName = "a watch sees the change";
  const runs = samples.map(({ enforcedMs, floorMs }) => ({ ours: enforcedMs, peer: floorMs }));
  yield figureOf({ name, unit: "ms", peerName, runs, correct });
  const worst = [{ ours: quantile(ours, 0.99), peer: quantile(floors, 0.99) }];
  const p99 = `${name}, 99th percentile of ${samples.length}`;
  yield figureOf({ name: p99, unit: "ms", peerName, runs: worst, correct });
}
