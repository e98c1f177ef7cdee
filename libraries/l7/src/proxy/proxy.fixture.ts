/** A proxy between a client and a cluster that do what the test says; no sockets. */

import type { RequestHead } from "@meltemi/http";
import { type Ip, ip } from "@meltemi/model";
import { type Cluster, type HttpRoute, newCluster, type RetryPolicy } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { TryResult } from "../balance/outlier-detector.ts";
import type { RequestFilter } from "../request-context.ts";
import { compileRoutes } from "../routing/route-table.ts";
import { ConnectionLimits } from "../upstream/connection-limits.ts";
import type { UpstreamCluster, UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { type FakeTry, fakeEndpoints } from "./fake-endpoints.fixture.ts";
import { FakeExchange } from "./fake-exchange.fixture.ts";
import { HeldBytes } from "./held-body.ts";
import { createHttpProxy } from "./http-proxy.ts";
import type { RequestRecord, RequestTracer } from "./request-record.ts";
import type { HttpSite } from "./site.ts";

const RETRY: RetryPolicy = {
  retries: 2,
  on: ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"],
  statusCodes: [503],
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  avoidPreviousHosts: true,
  otherLocalities: false,
};

export const CLUSTER: Cluster = newCluster({
  name: "inbound-vip|80|http|reviews.default.svc.cluster.local",
  service: { namespace: "default", hostname: "reviews.default.svc.cluster.local" },
  port: 80,
  protocol: "http1",
});

export interface ProxyBench {
  readonly tries: FakeTry[];
  readonly outcomes: (TryResult & { readonly uid: string })[];
  readonly records: RequestRecord[];
  readonly errors: unknown[];
  readonly limits: ConnectionLimits;
  /** Bodies that are kept, of all requests. */
  readonly heldBytes: HeldBytes;
  readonly endpoints: readonly UpstreamEndpoint[];
  /** Endpoints whose connections are refused. */
  readonly refusing: Set<string>;
  send(request?: Partial<RequestHead>, hasBody?: boolean): FakeExchange;
  /** Connections that are not in use are closed. */
  retire(): void;
  /** Until everything that was promised is done. */
  settle(): Promise<void>;
}

export interface BenchOptions {
  readonly routes?: readonly HttpRoute[];
  readonly filters?: readonly RequestFilter[];
  readonly retry?: Partial<RetryPolicy>;
  readonly endpoints?: readonly string[];
  readonly cluster?: Partial<Cluster>;
  readonly bounds?: ConstructorParameters<typeof ConnectionLimits>[0];
  readonly connectTimeoutMs?: number;
  readonly maxHeldBytes?: number;
  readonly tracer?: RequestTracer;
  /** Called before an endpoint is chosen; may throw. */
  readonly onChoose?: () => void;
}

function fakeCluster(
  given: BenchOptions,
  endpoints: readonly UpstreamEndpoint[],
  limits: ConnectionLimits,
  outcomes: ProxyBench["outcomes"],
): UpstreamCluster {
  let turn = 0;
  return {
    config: { ...CLUSTER, ...given.cluster },
    limits,
    choose(_context, tried) {
      given.onChoose?.();
      const fresh = endpoints.filter(({ uid }) => !tried.includes(uid));
      const from = fresh.length > 0 ? fresh : endpoints;
      const endpoint = from[turn++ % Math.max(1, from.length)];
      return endpoint === undefined ? { kind: "none" } : { kind: "endpoint", endpoint, setCookie: undefined };
    },
    report: ({ uid }, outcome) => void outcomes.push({ uid, ...outcome }),
  };
}

export function createProxyBench(clock: Clock, given: BenchOptions = {}): ProxyBench {
  const tries: FakeTry[] = [];
  const outcomes: ProxyBench["outcomes"] = [];
  const records: RequestRecord[] = [];
  const errors: unknown[] = [];
  const refusing = new Set<string>();
  const limits = new ConnectionLimits(given.bounds ?? {});
  const onInternalError = (error: unknown): void => void errors.push(error);
  const endpoints = fakeEndpoints(
    {
      uids: given.endpoints ?? ["a", "b", "c"],
      connectTimeoutMs: given.connectTimeoutMs ?? 1000,
      refusing,
      tries,
    },
    { clock, limits, onInternalError },
  );
  const cluster = fakeCluster(given, endpoints, limits, outcomes);
  const heldBytes = new HeldBytes(given.maxHeldBytes ?? 2 * 1024 * 1024);
  const proxy = createHttpProxy({
    clock,
    random: () => 0.5,
    heldBytes,
    requestId: () => "the-request-id",
    identity: { trustDomain: "cluster.local", namespace: "default", serviceAccount: "waypoint" },
    onInternalError,
  });
  return {
    tries,
    outcomes,
    records,
    errors,
    limits,
    heldBytes,
    endpoints,
    refusing,
    send(request = {}, hasBody = false) {
      const exchange = new FakeExchange(request, hasBody);
      const site: HttpSite = {
        service: CLUSTER.service,
        filters: given.filters ?? [],
        routes: given.routes && compileRoutes(given.routes),
        defaultCluster: cluster,
        cluster: (name) => (name === CLUSTER.name ? cluster : undefined),
        defaultRetry: { ...RETRY, ...given.retry },
        pathNormalization: "base",
        forwardClientIdentity: true,
        observer: { onComplete: (record) => void records.push(record) },
        tracer: given.tracer,
      };
      proxy.serve(exchange, CONNECTION, site, () => site);
      return exchange;
    },
    retire() {
      for (const { poolFor } of endpoints) poolFor("HTTP/1.1").retire();
    },
    async settle() {
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
    },
  };
}

const CONNECTION = {
  caller: {
    ip: ip("10.0.1.1") as Ip,
    port: 40_000,
    identity: { trustDomain: "cluster.local", namespace: "default", serviceAccount: "productpage" },
    workload: undefined,
    labels: {},
  },
  destination: { ip: ip("10.96.0.1"), port: 80 },
  serverName: undefined,
};
