import assert from "node:assert/strict";
import { test } from "node:test";
import { type BalancerOptions, createBalancer, selectSubset } from "./balancer.ts";
import { availabilityOf, priorityLoads } from "./priority-load.ts";
import {
  evenRandom,
  type SampleEndpoint,
  sampleEndpoint,
  samplePick,
  sampleSource,
} from "./sample-endpoint.ts";

type Options = BalancerOptions<SampleEndpoint>;

function options(endpoints: readonly SampleEndpoint[], given: Partial<Options> = {}): Options {
  return {
    endpoints,
    loadBalancer: { kind: "random" },
    source: sampleSource("r1/z1/s1"),
    ejected: new Set(),
    minHealthPercent: 0,
    ...given,
  };
}

/** Percentages by the part of the uid before `-`, rounded. */
function shares(
  given: Options,
  picks = 20_000,
  pick: Parameters<typeof samplePick>[0] = {},
): Record<string, number> {
  const random = evenRandom();
  const balancer = createBalancer(given, random);
  const counts: Record<string, number> = {};
  for (let count = 0; count < picks; count++) {
    const name = balancer.pick(samplePick({ random, ...pick }))?.uid.split("-")[0] ?? "none";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).map(([name, number]) => [name, (100 * number) / picks]));
}

function assertShares(got: Record<string, number>, want: Record<string, number>, tolerance = 1.5): void {
  assert.deepEqual(Object.keys(got).sort(), Object.keys(want).sort());
  for (const [name, share] of Object.entries(want))
    assert.ok(Math.abs((got[name] ?? 0) - share) <= tolerance, `${name}: ${got[name]}, expected ${share}`);
}

const places = {
  local: "r1/z1/s1",
  subzone: "r1/z1/s2",
  zone: "r1/z2/s1",
  region: "r2/z1/s1",
  far: "r3/z1/s1",
};
function spread(
  broken: Readonly<Record<string, number>> = {},
  names: readonly (keyof typeof places)[] = ["local", "subzone", "zone", "region", "far"],
): SampleEndpoint[] {
  return names.flatMap((name) =>
    Array.from({ length: 10 }, (_, index) =>
      sampleEndpoint(`${name}-${index}`, { place: places[name], healthy: index >= (broken[name] ?? 0) }),
    ),
  );
}
const failover = (given: Partial<Extract<NonNullable<Options["locality"]>, { kind: "failover" }>> = {}) =>
  ({ kind: "failover", failover: [], priority: [], ...given }) as const;

const cases: readonly {
  name: string;
  given: Options;
  want: Record<string, number>;
  pick?: Parameters<typeof samplePick>[0];
}[] = [
  {
    name: "no locality policy: everyone",
    given: options(spread()),
    want: { local: 20, subzone: 20, zone: 20, region: 20, far: 20 },
  },
  {
    name: "failover: the own subzone first",
    given: options(spread(), { locality: failover() }),
    want: { local: 100 },
  },
  {
    name: "failover: two of seven may be gone",
    given: options(spread({ local: 2 }), { locality: failover() }),
    want: { local: 100 },
  },
  {
    name: "failover: half gone spills over",
    given: options(spread({ local: 5 }), { locality: failover() }),
    want: { local: 70, subzone: 30 },
  },
  {
    name: "failover: down to the next region",
    given: options(spread({ local: 10, subzone: 10, zone: 10 }), { locality: failover() }),
    want: { region: 50, far: 50 },
  },
  {
    name: "failover: to the region that is named",
    given: options(spread({ local: 10, subzone: 10, zone: 10 }), {
      locality: failover({ failover: [{ from: "r1", to: "r3" }] }),
    }),
    want: { far: 100 },
  },
  {
    name: "failover: what all lack is shared as they share",
    given: options(spread({ local: 9, subzone: 8 }, ["local", "subzone"]), { locality: failover() }),
    want: { local: 33.3, subzone: 66.7 },
  },
  {
    name: "failoverPriority by labels",
    given: options(
      [
        sampleEndpoint("both", { labels: { a: "1", b: "1" } }),
        sampleEndpoint("first", { labels: { a: "1" } }),
      ],
      { source: sampleSource("", { a: "1", b: "1" }), locality: failover({ priority: ["a", "b"] }) },
    ),
    want: { both: 100 },
  },
  {
    name: "failoverPriority by a value",
    given: options(
      [
        sampleEndpoint("v1", { labels: { version: "v1" } }),
        sampleEndpoint("v2", { labels: { version: "v2" } }),
      ],
      { locality: failover({ priority: ["version=v2"] }) },
    ),
    want: { v2: 100 },
  },
  {
    name: "failoverPriority by topology",
    given: options([sampleEndpoint("near", { network: "n1" }), sampleEndpoint("away", { network: "n2" })], {
      source: { ...sampleSource(), network: "n2" },
      locality: failover({ priority: ["topology.istio.io/network"] }),
    }),
    want: { away: 100 },
  },
  {
    name: "failoverPriority and failover",
    given: options(spread({}, ["region", "far"]), {
      locality: failover({ priority: ["x"], failover: [{ from: "r1", to: "r3" }] }),
    }),
    want: { far: 100 },
  },
  {
    name: "distribute",
    given: options(spread(), {
      locality: { kind: "distribute", rules: [{ from: "r1/z1/*", to: { "r1/z1/*": 80, "r2/*": 20 } }] },
    }),
    want: { local: 40, subzone: 40, region: 20 },
  },
  {
    name: "distribute: a failing locality gives up its share",
    given: options(spread({ region: 10 }), {
      locality: {
        kind: "distribute",
        rules: [
          { from: "r1/*", to: { "r1/z1/s1": 50, r2: 50 } },
          { from: "*", to: { "*": 100 } },
        ],
      },
    }),
    want: { local: 100 },
  },
  {
    name: "distribute: no rule for this place",
    given: options(spread({}, ["local", "far"]), {
      locality: { kind: "distribute", rules: [{ from: "r9", to: { r9: 100 } }] },
    }),
    want: { local: 50, far: 50 },
  },
  {
    name: "distribute by hash: one ring",
    given: options(spread({}, ["local", "far"]), {
      loadBalancer: { kind: "maglev", key: { kind: "sourceIp" }, tableSize: 65537 },
      locality: { kind: "distribute", rules: [{ from: "*", to: { r1: 75, r3: 25 } }] },
    }),
    want: { local: 75, far: 25 },
  },
  {
    name: "WDS: failover",
    given: options(spread({ local: 10 }), {
      preference: {
        mode: "failover",
        routingPreferences: ["region", "zone", "subzone"],
        healthPolicy: "onlyHealthy",
      },
    }),
    want: { subzone: 100 },
  },
  {
    name: "WDS: strict",
    given: options(spread({ local: 10 }), {
      preference: {
        mode: "strict",
        routingPreferences: ["region", "zone", "subzone"],
        healthPolicy: "onlyHealthy",
      },
    }),
    want: { none: 100 },
  },
  {
    name: "WDS: a policy of the cluster stands before it",
    given: options(spread({}, ["local", "far"]), {
      locality: { kind: "distribute", rules: [{ from: "*", to: { "*": 100 } }] },
      preference: { mode: "strict", routingPreferences: ["region"], healthPolicy: "onlyHealthy" },
    }),
    want: { local: 50, far: 50 },
  },
  {
    name: "WDS: unhealthy ones may be used",
    given: options(spread({ local: 10 }, ["local"]), {
      preference: { mode: "standard", routingPreferences: [], healthPolicy: "allowAll" },
    }),
    want: { local: 100 },
  },
  {
    name: "subset",
    given: options(
      [
        sampleEndpoint("v1", { labels: { version: "v1", app: "x" } }),
        sampleEndpoint("v2", { labels: { version: "v2" } }),
      ],
      { subset: { version: "v1" } },
    ),
    want: { v1: 100 },
  },
  {
    name: "an empty subset has no healthy upstream",
    given: options([sampleEndpoint("v1")], { subset: { toString: "x" } }),
    want: { none: 100 },
  },
  { name: "no endpoints", given: options([]), want: { none: 100 } },
  {
    name: "ejected ones are left out",
    given: options([sampleEndpoint("a"), sampleEndpoint("b")], { ejected: new Set(["a"]) }),
    want: { b: 100 },
  },
  {
    name: "all ejected: nobody, for there is no panic",
    given: options([sampleEndpoint("a")], { ejected: new Set(["a"]) }),
    want: { none: 100 },
  },
  {
    name: "minHealthPercent: ejections are disregarded below it",
    given: options([sampleEndpoint("a"), sampleEndpoint("b"), sampleEndpoint("c", { healthy: false })], {
      ejected: new Set(["a"]),
      minHealthPercent: 50,
    }),
    want: { a: 50, b: 50 },
  },
  {
    name: "minHealthPercent: above it they count",
    given: options([sampleEndpoint("a"), sampleEndpoint("b")], {
      ejected: new Set(["a"]),
      minHealthPercent: 50,
    }),
    want: { b: 100 },
  },
  {
    name: "minHealthPercent: not where another priority takes over",
    given: options(spread({}, ["local", "far"]), {
      ejected: new Set(Array.from({ length: 10 }, (_, index) => `local-${index}`)),
      locality: failover(),
      minHealthPercent: 50,
    }),
    want: { far: 100 },
  },
  {
    name: "weight zero takes nothing",
    given: options([sampleEndpoint("a"), sampleEndpoint("b", { weight: 0 })]),
    want: { a: 100 },
  },
  {
    name: "but all of weight zero are better than none",
    given: options([sampleEndpoint("a", { weight: 0 }), sampleEndpoint("b", { weight: 0 })]),
    want: { a: 50, b: 50 },
  },
  {
    name: "a retry avoids who was tried",
    given: options([sampleEndpoint("a", { weight: 1000 }), sampleEndpoint("b")]),
    pick: { tried: ["a"] },
    want: { b: 100 },
  },
  {
    name: "unless there is nobody else",
    given: options([sampleEndpoint("a")]),
    pick: { tried: ["a"] },
    want: { a: 100 },
  },
  {
    name: "retryRemoteLocalities: another priority",
    given: options(spread(), { locality: failover() }),
    pick: { tried: ["local-0"], otherPriorities: true },
    want: { subzone: 100 },
  },
  {
    name: "retryRemoteLocalities: unless there is none",
    given: options(spread({}, ["local"]), { locality: failover() }),
    pick: { tried: ["local-0"], otherPriorities: true },
    want: { local: 100 },
  },
];
for (const { name, given, want, pick } of cases)
  test(`balancer: ${name}`, () => {
    assertShares(shares(given, 20_000, pick), want);
  });

test("selectSubset: labels are own ones", () => {
  assert.deepEqual(selectSubset([sampleEndpoint("a")], { constructor: "x" }), []);
});

test("priority loads: Envoy's overprovisioning of 1.4", () => {
  assert.equal(availabilityOf(5, 10), 70);
  assert.equal(availabilityOf(8, 10), 100);
  assert.equal(availabilityOf(0, 0), 0);
  assert.deepEqual(priorityLoads([100, 100]), [100, 0]);
  assert.deepEqual(priorityLoads([70, 100]), [70, 30]);
  assert.deepEqual(priorityLoads([70, 0, 100]), [70, 0, 30]);
  assert.deepEqual(priorityLoads([25, 25]), [50, 50]);
  assert.deepEqual(priorityLoads([0, 0]), [0, 0]);
  assert.deepEqual(priorityLoads([]), []);
});
