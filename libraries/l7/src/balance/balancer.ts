/** Chooses among the endpoints of a cluster: subset, then priority, then locality, then the endpoint. */

import type { LoadBalancing } from "@meltemi/model";
import type { LoadBalancer, LocalityPolicy } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";
import type { BalancedEndpoint, PickRequest } from "./endpoint.ts";
import { LeastRequestPicker } from "./least-request-picker.ts";
import { type LocalityGroup, type LocalityLevel, type LocalitySource, localityLevels } from "./locality.ts";
import { MaglevPicker } from "./maglev-picker.ts";
import type { Member, Picker } from "./picker.ts";
import { availabilityOf, priorityLoads } from "./priority-load.ts";
import { RandomPicker } from "./random-picker.ts";
import { RingHashPicker } from "./ring-hash-picker.ts";
import { RoundRobinPicker } from "./round-robin-picker.ts";

export interface BalancerOptions<E extends BalancedEndpoint> {
  readonly endpoints: readonly E[];
  /** Absent: every endpoint. */
  readonly subset?: Readonly<Record<string, string>> | undefined;
  /** There is nothing to choose for `passthrough`. */
  readonly loadBalancer: Exclude<LoadBalancer, { readonly kind: "passthrough" }>;
  readonly locality?: LocalityPolicy | undefined;
  /** Of the service, from WDS: its health policy, and its preferences where the cluster has no locality policy. */
  readonly preference?: LoadBalancing | undefined;
  readonly source: LocalitySource;
  /** By outlier detection, uids. */
  readonly ejected: ReadonlySet<string>;
  /** When a smaller share is usable, ejections are disregarded (`minHealthPercent`); zero: never. */
  readonly minHealthPercent: number;
}

/** Draws for one request before it looks for an endpoint that no try went to; as Istio's `host_selection_retry_max_attempts`. */
const MAX_DRAWS = 5;

interface Level<E extends BalancedEndpoint> {
  readonly endpoints: readonly E[];
  readonly usableCount: number;
  readonly count: number;
  readonly groups: readonly Group<E>[];
  readonly totalWeight: number;
}

interface Group<E extends BalancedEndpoint> {
  readonly weight: number;
  readonly picker: Picker<E>;
}

/**
 * Of fixed endpoints and ejections: a change makes a new one. All that changes inside are the turns of round robin. `random` says
 * where those begin.
 */
export function createBalancer<E extends BalancedEndpoint>(
  options: BalancerOptions<E>,
  random: () => number,
): Balancer<E> {
  const members = selectSubset(options.endpoints, options.subset);
  const levels = localityLevels(members, options.source, options.locality, options.preference);
  const calm = levels.map((level) => newLevel(level, options, random, false));
  const isScarce = calm.reduce((sum, level) => sum + availabilityIn(level), 0) < 100;
  if (options.minHealthPercent <= 0 || !isScarce) return new Balancer(calm);
  return new Balancer(
    calm.map((level, index) =>
      100 * level.usableCount < options.minHealthPercent * level.count
        ? newLevel(levels[index] ?? [], options, random, true)
        : level,
    ),
  );
}

/** 0 to 100; what is missing goes to the next level. */
function availabilityIn({ usableCount, count }: Level<BalancedEndpoint>): number {
  return availabilityOf(usableCount, count);
}

/** Those whose labels hold all of these. */
export function selectSubset<E extends BalancedEndpoint>(
  endpoints: readonly E[],
  labels: Readonly<Record<string, string>> | undefined,
): readonly E[] {
  if (labels === undefined) return endpoints;
  const wanted = Object.entries(labels);
  return endpoints.filter((endpoint) =>
    wanted.every(([name, value]) => Object.hasOwn(endpoint.labels, name) && endpoint.labels[name] === value),
  );
}

export class Balancer<E extends BalancedEndpoint> {
  readonly #levels: readonly Level<E>[];
  readonly #loads: readonly number[];

  constructor(levels: readonly Level<E>[]) {
    this.#levels = levels;
    this.#loads = priorityLoads(levels.map(availabilityIn));
  }

  /** Whether any request can be served. */
  get isEmpty(): boolean {
    return this.#levels.every(({ groups }) => groups.length === 0);
  }

  /** Undefined: no endpoint is healthy (`no healthy upstream`). */
  pick(request: PickRequest): E | undefined {
    const level = this.#level(request);
    if (level === undefined) return undefined;
    const { tried } = request;
    let endpoint = pickOf(level, request, 0);
    if (tried.length === 0) return endpoint;
    for (let attempt = 1; attempt < MAX_DRAWS && isTried(endpoint, tried); attempt++)
      endpoint = pickOf(level, request, attempt);
    if (!isTried(endpoint, tried)) return endpoint;
    return level.endpoints.find((candidate) => !isTried(candidate, tried)) ?? endpoint;
  }

  #level(request: PickRequest): Level<E> | undefined {
    if (this.#levels.length === 1) return this.#levels[0];
    return this.#levels[drawPriority(this.#loadsFor(request), request)];
  }

  /** As if levels that a try went to had nobody left; if that leaves nobody at all, as usual. */
  #loadsFor({ otherPriorities, tried }: PickRequest): readonly number[] {
    if (!otherPriorities || tried.length === 0) return this.#loads;
    const left = this.#levels.map((level) =>
      level.endpoints.some((endpoint) => isTried(endpoint, tried)) ? 0 : availabilityIn(level),
    );
    return left.some((availability) => availability > 0) ? priorityLoads(left) : this.#loads;
  }
}

function isTried(endpoint: BalancedEndpoint | undefined, tried: readonly string[]): boolean {
  return endpoint !== undefined && tried.includes(endpoint.uid);
}

/** By the hash where there is one: a key stays in its priority too. */
function drawPriority(loads: readonly number[], { hash, random }: PickRequest): number {
  let left = (hash === undefined ? random() : (hash.low % 10_000) / 10_000) * 100;
  for (const [index, load] of loads.entries()) {
    if (left < load) return index;
    left -= load;
  }
  return loads.findLastIndex((load) => load > 0);
}

function pickOf<E extends BalancedEndpoint>(
  { groups, totalWeight }: Level<E>,
  request: PickRequest,
  attempt: number,
): E | undefined {
  if (groups.length === 1) return groups[0]?.picker.pick(request, attempt);
  let left = request.random() * totalWeight;
  for (const group of groups) {
    if (left < group.weight) return group.picker.pick(request, attempt);
    left -= group.weight;
  }
  return groups.at(-1)?.picker.pick(request, attempt);
}

function newLevel<E extends BalancedEndpoint>(
  level: LocalityLevel<E>,
  options: BalancerOptions<E>,
  random: () => number,
  isPanic: boolean,
): Level<E> {
  const usable = (endpoint: E): boolean =>
    (endpoint.healthy || options.preference?.healthPolicy === "allowAll") &&
    (isPanic || !options.ejected.has(endpoint.uid));
  let usableCount = 0;
  const groups = level.flatMap(({ weight, endpoints }): LocalityGroup<E>[] => {
    const able = endpoints.filter(usable);
    usableCount += able.length;
    const share = (weight * availabilityOf(able.length, endpoints.length)) / 100;
    return able.length === 0 ? [] : [{ weight: share, endpoints: takers(able) }];
  });
  return {
    endpoints: groups.flatMap((group) => group.endpoints),
    usableCount,
    count: level.reduce((sum, group) => sum + group.endpoints.length, 0),
    groups: pickersOf(groups, options, random),
    totalWeight: groups.reduce((sum, { weight }) => sum + weight, 0),
  };
}

/** Weight zero means "send nothing here"; but a set of only such is better used than refused. */
function takers<E extends BalancedEndpoint>(endpoints: readonly E[]): readonly E[] {
  const taking = endpoints.filter(({ weight }) => weight > 0);
  return taking.length > 0 ? taking : endpoints;
}

function pickersOf<E extends BalancedEndpoint>(
  groups: readonly LocalityGroup<E>[],
  { loadBalancer }: BalancerOptions<E>,
  random: () => number,
): readonly Group<E>[] {
  const isHashed = loadBalancer.kind === "ringHash" || loadBalancer.kind === "maglev";
  // A key must find its endpoint whatever chance says: all localities lie on one ring, their weights multiplied in.
  if (isHashed && groups.length > 1)
    return [{ weight: 1, picker: newPicker(loadBalancer, groups.flatMap(scaled), random) }];
  return groups.map((group) => ({
    weight: group.weight,
    picker: newPicker(loadBalancer, group.endpoints.map(member), random),
  }));
}

function member<E extends BalancedEndpoint>(endpoint: E): Member<E> {
  return { endpoint, weight: endpoint.weight > 0 ? endpoint.weight : 1 };
}

function scaled<E extends BalancedEndpoint>({ weight, endpoints }: LocalityGroup<E>): Member<E>[] {
  const members = endpoints.map(member);
  const sum = members.reduce((total, one) => total + one.weight, 0);
  return members.map((one) => ({ endpoint: one.endpoint, weight: (one.weight * weight) / sum }));
}

function newPicker<E extends BalancedEndpoint>(
  loadBalancer: BalancerOptions<E>["loadBalancer"],
  members: readonly Member<E>[],
  random: () => number,
): Picker<E> {
  switch (loadBalancer.kind) {
    case "roundRobin":
      return new RoundRobinPicker(members, loadBalancer.warmup, random);
    case "leastRequest":
      return new LeastRequestPicker(members, loadBalancer.warmup);
    case "random":
      return new RandomPicker(members);
    case "ringHash":
      return new RingHashPicker(members, loadBalancer.minimumRingSize);
    case "maglev":
      return new MaglevPicker(members, loadBalancer.tableSize);
    default:
      return unreachable(loadBalancer);
  }
}
