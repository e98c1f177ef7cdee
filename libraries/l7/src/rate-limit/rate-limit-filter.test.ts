import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { RateLimit, RateLimitKey } from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { rateLimit as wire } from "@meltemi/wire";
import { buildFilters } from "../filters/build-filters.ts";
import { FilterMemory } from "../filters/filter-memory.ts";
import { FilterMeter, type UnjudgedPass } from "../filters/filter-meter.ts";
import {
  ANY_OPERATION,
  clusterAt,
  type GrpcServer,
  judge,
  startGrpcServer,
  TestClock,
} from "../filters/services.fixture.ts";
import type { RequestFilter } from "../request-context.ts";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import type { LiveCluster } from "../upstream/live-cluster.ts";
import { SHOULD_RATE_LIMIT_PATH } from "./global-limit.ts";

const LOCAL = { kind: "local", requests: 1, perMs: 1000, burst: 1 } as const;
const SETTINGS = { trustDomain: "cluster.local", trustDomainAliases: [], authorizers: [] };

function limit(fields: Partial<RateLimit> = {}): RateLimit {
  return { namespace: "ns", name: "rl", operations: [], keys: [], limit: LOCAL, ...fields };
}

function filtersOf(
  rateLimits: readonly RateLimit[],
  memory: FilterMemory,
  scope = "ns/reviews",
  cluster?: LiveCluster,
): readonly RequestFilter[] {
  return buildFilters(
    { scope, jwtRules: [], policies: [], rateLimits, settings: SETTINGS, cluster: () => cluster },
    { memory, onProblem: () => undefined },
  );
}

const statusOf = async (filters: readonly RequestFilter[], request: SampleRequest = {}): Promise<number> =>
  (await judge(filters, sampleRequest(request)))?.status ?? 200;

function metered() {
  const registry = createRegistry();
  const passed: UnjudgedPass[] = [];
  const meter = new FilterMeter({ registry, onUnjudgedPass: (one) => void passed.push(one) });
  const lines = (): string[] => registry.exposition(undefined).body.split("\n");
  const samples = (): string[] => lines().filter((line) => line.startsWith("envoy_"));
  return { samples, passed, memory: new FilterMemory({ clock: new TestClock(), meter }) };
}

describe("local limits", () => {
  test("are counted by policy", async () => {
    const { samples, memory } = metered();
    const filters = filtersOf([limit()], memory);
    for (const status of [200, 429, 429]) assert.equal(await statusOf(filters), status);
    assert.deepEqual(samples(), [
      'envoy_http_local_rate_limit_ok{rate_limit_policy="ns/rl"} 1',
      'envoy_http_local_rate_limit_rate_limited{rate_limit_policy="ns/rl"} 2',
    ]);
  });
  test("over the limit: 429 in Envoy's words; a second later one more", async () => {
    const clock = new TestClock();
    const filters = filtersOf([limit()], new FilterMemory({ clock }));
    assert.equal(await statusOf(filters), 200);
    assert.deepEqual(await judge(filters, sampleRequest()), {
      status: 429,
      body: "local_rate_limited",
      headers: [
        ["x-envoy-ratelimited", "true"],
        ["x-ratelimit-limit", "1"],
        ["x-ratelimit-remaining", "0"],
        ["x-ratelimit-reset", "1"],
      ],
      flag: "RL",
      details: "local_rate_limited",
    });
    clock.ms += 1000;
    assert.equal(await statusOf(filters), 200);
  });

  const KEYS: readonly {
    readonly key: RateLimitKey;
    readonly one: SampleRequest;
    readonly other: SampleRequest;
    readonly uncounted?: SampleRequest;
  }[] = [
    {
      key: { kind: "header", name: "X-User" },
      one: { headers: { "x-user": "a" } },
      other: { headers: { "x-user": "b" } },
      uncounted: {},
    },
    { key: { kind: "path" }, one: { path: "/a?x" }, other: { path: "/b" } },
    { key: { kind: "method" }, one: { method: "GET" }, other: { method: "PUT" } },
    {
      key: { kind: "sourcePrincipal" },
      one: { callerNamespace: "a" },
      other: { callerNamespace: "b" },
      uncounted: {},
    },
  ];
  for (const { key, one, other, uncounted } of KEYS)
    test(`by ${key.kind}`, async () => {
      const filters = filtersOf([limit({ keys: [key] })], new FilterMemory({ clock: new TestClock() }));
      assert.deepEqual([await statusOf(filters, one), await statusOf(filters, one)], [200, 429]);
      assert.equal(await statusOf(filters, other), 200);
      if (uncounted === undefined) return;
      assert.deepEqual([await statusOf(filters, uncounted), await statusOf(filters, uncounted)], [200, 200]);
    });

  test("by claim, address and constant", async () => {
    const keys: RateLimitKey[] = [
      { kind: "claim", claim: "user.id" },
      { kind: "sourceIp" },
      { kind: "constant", key: "k", value: "v" },
    ];
    const filters = filtersOf([limit({ keys })], new FilterMemory({ clock: new TestClock() }));
    const ask = async (id: unknown): Promise<number> => {
      const context = sampleRequest();
      const claims = { user: { id } };
      context.token = { issuer: "i", subject: "s", audiences: [], claims, spaceDelimitedClaims: [] };
      return (await judge(filters, context))?.status ?? 200;
    };
    assert.deepEqual(
      [await ask(7), await ask(7), await ask(8), await ask(["a"]), await ask(["a"])],
      [200, 429, 200, 200, 200],
    );
  });

  test("values that only look alike together are counted apart", async () => {
    const keys: RateLimitKey[] = [
      { kind: "header", name: "a" },
      { kind: "header", name: "b" },
    ];
    const filters = filtersOf([limit({ keys })], new FilterMemory({ clock: new TestClock() }));
    assert.equal(await statusOf(filters, { headers: { a: "x", b: "yz" } }), 200);
    assert.equal(await statusOf(filters, { headers: { a: "xy", b: "z" } }), 200);
    assert.equal(await statusOf(filters, { headers: { a: "x1:y", b: "z" } }), 200);
  });

  test("only what its operations are of", async () => {
    const operations = [{ ...ANY_OPERATION, methods: ["POST"], paths: ["/login", "/u/{*}"] }];
    const filters = filtersOf([limit({ operations })], new FilterMemory({ clock: new TestClock() }));
    assert.deepEqual([await statusOf(filters), await statusOf(filters)], [200, 200]);
    const login = { method: "POST", path: "/login" };
    assert.deepEqual(
      [await statusOf(filters, login), await statusOf(filters, { method: "POST", path: "/u/1" })],
      [200, 429],
    );
  });

  test("a change of the configuration fills no bucket; another target has its own", async () => {
    const memory = new FilterMemory({ clock: new TestClock() });
    assert.equal(await statusOf(filtersOf([limit()], memory)), 200);
    assert.equal(
      await statusOf(
        filtersOf(
          [limit({ name: "new", operations: [{ ...ANY_OPERATION, paths: ["/x"] }] }), limit()],
          memory,
        ),
      ),
      429,
    );
    assert.equal(await statusOf(filtersOf([limit()], memory, "ns/other")), 200);
  });
});

describe("a global service", () => {
  let server: GrpcServer;
  let cluster: LiveCluster;
  const memory = new FilterMemory({ clock: systemClock });
  before(async () => {
    server = await startGrpcServer(SHOULD_RATE_LIMIT_PATH);
    cluster = clusterAt(server.port, "http2");
  });
  after(() => {
    cluster.drain();
    server.close();
  });
  const global = (failOpen = false) =>
    ({ kind: "global", domain: "d", cluster: "policy", timeoutMs: 2000, failOpen }) as const;
  const answer = (fields: Parameters<typeof create<typeof wire.RateLimitResponseSchema>>[1]): Uint8Array =>
    toBinary(wire.RateLimitResponseSchema, create(wire.RateLimitResponseSchema, fields));
  const { OK, OVER_LIMIT } = wire.RateLimitResponse_Code;
  const byUser: Partial<RateLimit> = { keys: [{ kind: "header", name: "x-user" }, { kind: "path" }] };

  test("is asked once for all descriptors of a domain; what it adds is added", async () => {
    const asked: wire.RateLimitRequest[] = [];
    server.answer = (message) => {
      asked.push(fromBinary(wire.RateLimitRequestSchema, message));
      return answer({
        overallCode: OK,
        requestHeadersToAdd: [
          { key: "X-Plan", value: "gold" },
          { key: "bad name", value: "x" },
        ],
        responseHeadersToAdd: [
          { key: "x-left", value: "5" },
          { key: "content-length", value: "0" },
        ],
      });
    };
    const limits = [
      limit({ ...byUser, limit: global() }),
      limit({ keys: [{ kind: "method" }], limit: global() }),
    ];
    const context = sampleRequest({ path: "/p?q", headers: { "x-user": "ann" } });
    assert.equal(await judge(filtersOf(limits, memory, "", cluster), context), undefined);
    assert.equal(context.request.headers.get("x-plan"), "gold");
    assert.deepEqual(context.responseFields, [["x-left", "5"]]);
    assert.equal(asked.length, 1);
    assert.equal(asked[0]?.domain, "d");
    assert.deepEqual(
      asked[0]?.descriptors.map(({ entries }) => entries.map(({ key, value }) => [key, value])),
      [
        [
          ["x-user", "ann"],
          ["path", "/p"],
        ],
        [["method", "GET"]],
      ],
    );
  });

  test("is not asked of requests without the keys", async () => {
    server.answer = () => assert.fail("asked");
    assert.equal(
      await statusOf(filtersOf([limit({ ...byUser, limit: global() })], memory, "", cluster)),
      200,
    );
  });

  test("says too many", async () => {
    server.answer = () =>
      answer({
        overallCode: OVER_LIMIT,
        rawBody: Buffer.from("slow down"),
        responseHeadersToAdd: [{ key: "retry-after", value: "9" }],
      });
    const filters = filtersOf([limit({ limit: global() })], memory, "", cluster);
    assert.deepEqual(await judge(filters, sampleRequest()), {
      status: 429,
      body: "slow down",
      headers: [
        ["retry-after", "9"],
        ["x-envoy-ratelimited", "true"],
      ],
      flag: "RL",
      details: "request_rate_limited",
    });
  });

  for (const [name, bytes] of [
    ["is not there", undefined],
    ["answers noise", Buffer.from([0xff, 0xff])],
    ["does not know", answer({})],
  ] as const)
    test(`${name}: 500 with RLSE, or passes where that is asked for`, async () => {
      server.answer = () => bytes;
      const reply = await judge(
        filtersOf([limit({ limit: global() })], memory, "", cluster),
        sampleRequest(),
      );
      assert.deepEqual([reply?.status, reply?.flag, reply?.details], [500, "RLSE", "rate_limiter_error"]);
      assert.equal(await statusOf(filtersOf([limit({ limit: global(true) })], memory, "", cluster)), 200);
    });

  test("what it says is counted by policy, and failures that pass are told", async () => {
    const { samples, passed, memory } = metered();
    const filters = (failOpen: boolean): readonly RequestFilter[] =>
      filtersOf(
        ["a", "b"].map((name) => limit({ name, limit: global(failOpen), keys: [{ kind: "path" }] })),
        memory,
        "",
        cluster,
      );
    server.answer = () => answer({ overallCode: OK });
    await statusOf(filters(false));
    server.answer = () => answer({ overallCode: OVER_LIMIT, statuses: [{ code: OK }, { code: OVER_LIMIT }] });
    await statusOf(filters(false));
    server.answer = () => undefined;
    await statusOf(filters(false));
    await statusOf(filters(true));
    const prefix = "envoy_cluster_ratelimit";
    assert.deepEqual(samples(), [
      `${prefix}_ok{rate_limit_policy="ns/a"} 2`,
      `${prefix}_ok{rate_limit_policy="ns/b"} 1`,
      `${prefix}_over_limit{rate_limit_policy="ns/a"} 0`,
      `${prefix}_over_limit{rate_limit_policy="ns/b"} 1`,
      `${prefix}_error{rate_limit_policy="ns/a"} 2`,
      `${prefix}_error{rate_limit_policy="ns/b"} 2`,
      `${prefix}_failure_mode_allowed{rate_limit_policy="ns/a"} 1`,
      `${prefix}_failure_mode_allowed{rate_limit_policy="ns/b"} 1`,
    ]);
    assert.deepEqual(passed, [{ filter: "ratelimit", name: "d", why: "gRPC status 14 not now" }]);
  });

  test("has no cluster", async () =>
    assert.equal(await statusOf(filtersOf([limit({ limit: global() })], memory, "")), 500));
});
