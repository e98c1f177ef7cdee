/** Records of requests and connections as the proxy makes them, and a telemetry whose lines and spans the test holds. */

import { HeaderFields } from "@meltemi/http";
import { ip, newWorkload, type Workload } from "@meltemi/model";
import type { TelemetrySettings } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import type { RequestRecord, UpstreamRecord } from "../proxy/request-record.ts";
import type { Caller, RequestContext } from "../request-context.ts";
import type { TcpRecord } from "../tcp/tcp-site.ts";
import { createTelemetry, type ServiceTelemetry, type Telemetry } from "./telemetry.ts";

const CLIENT: Workload = newWorkload({
  uid: "client-uid",
  name: "productpage-7b9-x2x",
  namespace: "default",
  workloadName: "productpage-v1",
  canonicalName: "productpage",
  canonicalRevision: "v1",
  serviceAccount: "bookinfo-productpage",
});
export const SERVER: Workload = newWorkload({
  uid: "server-uid",
  name: "reviews-v2-5c4-9zz",
  namespace: "default",
  workloadName: "reviews-v2",
  canonicalName: "reviews",
  canonicalRevision: "v2",
  serviceAccount: "bookinfo-reviews",
});
export const REVIEWS = { namespace: "default", hostname: "reviews.default.svc.cluster.local" };
const CLUSTER = "inbound-vip|9080|http|reviews.default.svc.cluster.local";

export const CALLER: Caller = {
  ip: ip("10.0.1.1"),
  port: 40_000,
  identity: { trustDomain: "cluster.local", namespace: "default", serviceAccount: "bookinfo-productpage" },
  workload: CLIENT,
  labels: { app: "productpage", version: "v1" },
};
export const UNKNOWN_CALLER: Caller = {
  ...CALLER,
  identity: undefined,
  workload: undefined,
  labels: {},
};
export const ENDPOINT: NonNullable<UpstreamRecord["endpoint"]> = {
  ip: ip("10.0.2.2"),
  port: 9080,
  workload: SERVER,
};

export function requestContext(
  given: Partial<RequestContext> = {},
  ...headers: readonly (readonly [string, string])[]
): RequestContext {
  return {
    request: {
      version: "HTTP/1.1",
      method: "GET",
      scheme: "http",
      authority: "reviews:9080",
      path: "/reviews/0?full=1",
      headers: HeaderFields.of(["user-agent", "curl/8"], ["x-request-id", "the-request-id"], ...headers),
      expectsContinue: false,
    },
    caller: CALLER,
    destination: { ip: ip("10.96.0.1"), port: 9080 },
    serverName: undefined,
    path: "/reviews/0",
    token: undefined,
    metadata: new Map(),
    ...given,
  };
}

export function requestRecord(given: Partial<RequestRecord> = {}): RequestRecord {
  return {
    context: requestContext(),
    service: REVIEWS,
    routeName: "default",
    upstream: { cluster: CLUSTER, service: REVIEWS, endpoint: ENDPOINT },
    startedAtMs: Date.UTC(2025, 0, 2, 3, 4, 5, 678),
    durationMs: 12.4,
    upstreamServiceTimeMs: 11.6,
    responseCode: 200,
    responseHeaders: HeaderFields.of(
      ["content-type", "application/json"],
      ["x-envoy-upstream-service-time", "12"],
    ),
    responseTrailers: undefined,
    responseFlags: [],
    responseCodeDetails: "via_upstream",
    upstreamFailure: "",
    requestBytes: 0,
    responseBytes: 375,
    grpc: undefined,
    attempts: 1,
    ...given,
  };
}

export function tcpRecord(given: Partial<TcpRecord> = {}): TcpRecord {
  return {
    connection: { caller: CALLER, destination: { ip: ip("10.96.0.1"), port: 5432 }, serverName: undefined },
    service: REVIEWS,
    cluster: undefined,
    endpoint: ENDPOINT,
    startedAtMs: Date.UTC(2025, 0, 2, 3, 4, 5, 678),
    durationMs: 1000,
    receivedBytes: 10,
    sentBytes: 20,
    responseFlags: [],
    details: "",
    upstreamFailure: "",
    ...given,
  };
}

function telemetrySettings(given: Partial<TelemetrySettings> = {}): TelemetrySettings {
  return {
    accessLog: { kind: "off" },
    metrics: [],
    tracing: { samplingPercent: 100, customTags: [] },
    ...given,
  };
}

export interface TelemetryBench {
  readonly telemetry: Telemetry;
  readonly lines: string[];
  readonly posts: { readonly cluster: string; readonly path: string; readonly body: string }[];
  /** Status of the collector's answers; zero: none. */
  collectorStatus: number;
  /** Of these settings, by default plain ones. */
  service(settings?: Partial<TelemetrySettings>): ServiceTelemetry;
  /** Samples of families of ours, without comments. */
  samples(): string[];
}

export function createTelemetryBench(clock: Clock): TelemetryBench {
  const registry = createRegistry();
  const lines: string[] = [];
  const posts: TelemetryBench["posts"] = [];
  const telemetry = createTelemetry({
    registry,
    clock,
    random: () => 0.5,
    writeAccessLog: (line) => void lines.push(line),
    async postSpans(cluster, path, body) {
      posts.push({ cluster, path, body });
      if (bench.collectorStatus === 0) throw new Error("no answer");
      return bench.collectorStatus;
    },
    node: {
      name: "waypoint-abc",
      namespace: "default",
      canonicalService: "waypoint",
      canonicalRevision: "latest",
      clusterId: "Kubernetes",
      meshId: "cluster.local",
    },
  });
  const bench: TelemetryBench = {
    telemetry,
    lines,
    posts,
    collectorStatus: 200,
    service: (settings = {}) => telemetry.forService(telemetrySettings(settings)),
    samples: () =>
      registry
        .exposition(undefined)
        .body.split("\n")
        .filter((line) => line !== "" && !line.startsWith("#")),
  };
  return bench;
}

/** Labels of one sample, as text of the exposition. */
export function labelsOf(line: string): Map<string, string> {
  return new Map(
    [...line.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
}
