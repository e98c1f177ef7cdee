import assert from "node:assert/strict";
import { test } from "node:test";
import { type AbortReason, type ByteChannel, type ByteConsumer, createRelays } from "@meltemi/l4";
import { ip } from "@meltemi/model";
import type { ConnectionPool } from "@meltemi/model/l7";
import { createFakeClock } from "@meltemi/testkit";
import { CLUSTER } from "../proxy/proxy.fixture.ts";
import { ConnectionLimits } from "../upstream/connection-limits.ts";
import type { TcpUpstream, UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { createTcpProxy } from "./tcp-proxy.ts";
import { compileTcpRoutes } from "./tcp-routes.ts";
import type { ClientConnectionFacts, TcpRecord, TcpSite } from "./tcp-site.ts";

class FakeChannel implements ByteChannel {
  readonly bufferedBytes = 0;
  consumer: ByteConsumer | undefined;
  aborted: AbortReason | undefined;
  open(consumer: ByteConsumer): void {
    this.consumer = consumer;
  }
  pause(): void {}
  resume(): void {}
  write(): boolean {
    return true;
  }
  endWrite(): void {}
  abort(reason: AbortReason): void {
    this.aborted ??= reason;
  }
  close(): void {
    this.consumer?.onEnd();
    this.consumer?.onClosed();
  }
}

const DENIAL = { flag: "", details: "rbac_access_denied", upstreamFailure: "" } as const;

const FACTS: ClientConnectionFacts = {
  caller: { ip: ip("10.0.1.1"), port: 40_000, identity: undefined, workload: undefined, labels: {} },
  destination: { ip: ip("10.96.0.1"), port: 80 },
  serverName: undefined,
};

function setUp(given: {
  readonly pool?: Partial<ConnectionPool>;
  readonly refusals?: number;
  readonly endpoints?: number;
  readonly site?: Partial<TcpSite>;
}) {
  const clock = createFakeClock();
  const limits = new ConnectionLimits(given.pool ?? {});
  const client = new FakeChannel();
  const service = new FakeChannel();
  const records: TcpRecord[] = [];
  const errors: unknown[] = [];
  const reports: string[] = [];
  let refusals = given.refusals ?? 0;
  const endpoints = Array.from(
    { length: given.endpoints ?? 2 },
    (_, index): UpstreamEndpoint => ({
      uid: `uid-${index}`,
      ip: ip(`10.0.0.${index + 1}`),
      port: 80,
      workload: undefined,
      active: 0,
      poolFor: () => assert.fail("no pool is needed"),
    }),
  );
  const cluster: TcpUpstream = {
    config: { ...CLUSTER, connectionPool: { ...CLUSTER.connectionPool, ...given.pool } },
    limits,
    choose(_context, tried) {
      const endpoint = endpoints.find(({ uid }) => !tried.includes(uid)) ?? endpoints[0];
      return endpoint ? { kind: "endpoint", endpoint, setCookie: undefined } : { kind: "none" };
    },
    report: ({ uid }) => void reports.push(uid),
    connectTcp: async () =>
      refusals-- > 0
        ? { kind: "failed", timedOut: false, detail: "refused" }
        : { kind: "open", channel: service },
  };
  const onInternalError = (error: unknown): void => void errors.push(error);
  const relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock, onInternalError });
  const proxy = createTcpProxy({ clock, random: () => 0.5, relays, onInternalError });
  let current: TcpSite | undefined;
  const change = (fields: Partial<TcpSite> | undefined): void => {
    current = fields && current && { ...current, ...fields };
    proxy.rejudge();
    clock.advance(0);
  };
  const serve = async (): Promise<void> => {
    current = {
      service: CLUSTER.service,
      routes: compileTcpRoutes([]),
      defaultCluster: cluster,
      cluster: () => undefined,
      authorize: () => undefined,
      observer: { onOpened: () => undefined, onComplete: (record) => void records.push(record) },
      ...given.site,
    };
    proxy.serve(client, FACTS, current, () => current);
    await settle();
  };
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 20; turns++) await Promise.resolve();
  };
  const isAtRest = (): void => {
    assert.ok(endpoints.every(({ active }) => active === 0));
    assert.deepEqual([limits.connections, clock.pending, relays.active], [0, 0, 0]);
  };
  return { clock, client, service, records, errors, reports, endpoints, serve, change, settle, isAtRest };
}

test("a connection that is carried and ends", async () => {
  const bench = setUp({ pool: { tcpIdleTimeoutMs: 1000, maxConnectionDurationMs: 5000 } });
  await bench.serve();
  assert.equal(bench.endpoints[0]?.active, 1);
  bench.client.consumer?.onData(new Uint8Array(3), false);
  bench.client.close();
  bench.service.close();
  await bench.settle();
  assert.deepEqual(
    bench.records.map(({ receivedBytes, responseFlags, details }) => [receivedBytes, responseFlags, details]),
    [[3, [], ""]],
  );
  bench.isAtRest();
});

test("silent for longer than permitted: both sides are cut", async () => {
  const bench = setUp({ pool: { tcpIdleTimeoutMs: 1000 } });
  await bench.serve();
  for (let time = 0; time < 10; time++) {
    bench.clock.advance(900);
    bench.service.consumer?.onData(new Uint8Array(1), false);
  }
  assert.equal(bench.client.aborted, undefined);
  bench.clock.advance(1500);
  assert.deepEqual([bench.client.aborted, bench.service.aborted], ["idle", "idle"]);
  await bench.settle();
  assert.equal(bench.records[0]?.details, "connection_aborted{idle}");
  bench.isAtRest();
});

test("older than permitted: DT", async () => {
  const bench = setUp({ pool: { tcpIdleTimeoutMs: 0, maxConnectionDurationMs: 5000 } });
  await bench.serve();
  bench.clock.advance(5000);
  await bench.settle();
  assert.deepEqual(bench.records[0]?.responseFlags, ["DT"]);
  bench.isAtRest();
});

test("policies that change: what they forbid now is cut and told; what they allow, or nobody serves, goes on", async () => {
  const bench = setUp({});
  await bench.serve();
  bench.change({ rejudge: () => undefined });
  bench.change({});
  bench.change(undefined);
  assert.equal(bench.client.aborted, undefined);
  const other = setUp({});
  await other.serve();
  other.change({ rejudge: () => "rbac_access_denied" });
  await other.settle();
  assert.deepEqual([other.client.aborted, other.service.aborted], ["policy", "policy"]);
  assert.equal(other.records[0]?.details, "rbac_access_denied");
  other.isAtRest();
});

test("policies that change while an authorizer is asked hold", async () => {
  const verdict = Promise.withResolvers<undefined>();
  const bench = setUp({ site: { authorize: () => verdict.promise } });
  await bench.serve();
  bench.change({ rejudge: () => "rbac_access_denied" });
  verdict.resolve(undefined);
  await bench.settle();
  bench.clock.advance(0);
  await bench.settle();
  assert.equal(bench.records[0]?.details, "rbac_access_denied");
  bench.isAtRest();
});

const refusals: readonly {
  readonly name: string;
  readonly given: Parameters<typeof setUp>[0];
  readonly want: readonly string[];
}[] = [
  { name: "a policy", given: { site: { authorize: () => DENIAL } }, want: [] },
  {
    name: "an authorizer",
    given: { site: { authorize: async () => ({ ...DENIAL, flag: "UAEX" }) } },
    want: ["UAEX"],
  },
  { name: "no endpoint", given: { endpoints: 0 }, want: ["UH"] },
  { name: "endpoints that refuse", given: { refusals: 9 }, want: ["UF"] },
  { name: "too many connections", given: { pool: { maxConnections: 0 } }, want: ["UO"] },
  { name: "a route to nowhere", given: { site: { routes: nowhere() } }, want: ["NR"] },
];
for (const { name, given, want } of refusals)
  test(`refused: ${name}`, async () => {
    const bench = setUp(given);
    await bench.serve();
    assert.notEqual(bench.client.aborted, undefined);
    assert.deepEqual(
      bench.records.map(({ responseFlags }) => responseFlags),
      [want],
    );
    bench.isAtRest();
  });

function nowhere(): TcpSite["routes"] {
  return compileTcpRoutes([
    { name: "r", matches: [], targets: [{ target: { kind: "cluster", cluster: "gone" }, weight: 1 }] },
  ]);
}

test("the next endpoint is tried where one refuses", async () => {
  const bench = setUp({ refusals: 1 });
  await bench.serve();
  assert.deepEqual(bench.reports, ["uid-0"]);
  assert.equal(bench.endpoints[1]?.active, 1);
});

test("an observer that throws leaves no connection and no count behind", async () => {
  const bench = setUp({
    pool: { tcpIdleTimeoutMs: 1000 },
    site: { observer: { onOpened: () => assert.fail("broken observer"), onComplete: () => undefined } },
  });
  await bench.serve();
  assert.equal(bench.errors.length, 1);
  assert.deepEqual([bench.client.aborted, bench.service.aborted], ["other-side-failed", "other-side-failed"]);
  bench.isAtRest();
});
