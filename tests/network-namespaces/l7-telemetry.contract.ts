/** What a waypoint tells of requests: metrics, tags, access log (reference: l7-and-cli §5, §8.3). */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADDRESSED,
  callerNamed,
  get,
  SERVICE_WAYPOINT,
  untilHolds,
  untilL7,
  waypointAddress,
} from "./l7-ambient.fixture.ts";
import { apply, kubectl, remove, skip } from "./l7-cluster.fixture.ts";
import { APPS, OUTSIDE, telemetry } from "./l7-objects.fixture.ts";

const HOST = `${ADDRESSED}.${APPS}.svc.cluster.local`;

/** The series of one metric for this service, each with its labels, `value` and all. */
async function series(metric: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const url = `http://${await waypointAddress(SERVICE_WAYPOINT)}:15020/stats/prometheus`;
  const page = await kubectl("exec", "-n", OUTSIDE, "deploy/client", "--", "curl", "-sS", "-m", "5", url);
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) && line.includes(`destination_service="${HOST}"`))
    .map((line) => ({
      ...Object.fromEntries([...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value])),
      value: line.split(" ").at(-1) ?? "",
    }));
}

async function untilSeries(metric: string, labels: Readonly<Record<string, string>>): Promise<void> {
  await untilHolds(async () => {
    const all = await series(metric);
    const found = all.find((one) => Object.entries(labels).every(([name, value]) => one[name] === value));
    assert.ok(
      found !== undefined,
      `${metric} ${JSON.stringify(labels)} among ${JSON.stringify(all.slice(0, 3))}`,
    );
  });
}

const OF_CLIENT = {
  reporter: "waypoint",
  source_workload: "client",
  source_workload_namespace: APPS,
  source_principal: `spiffe://cluster.local/ns/${APPS}/sa/client`,
  source_canonical_service: "client",
  source_app: "client",
  destination_service_name: ADDRESSED,
  destination_service_namespace: APPS,
  connection_security_policy: "mutual_tls",
} as const;

const OF_ECHO = {
  destination_workload: "echo-v1",
  destination_workload_namespace: APPS,
  destination_principal: `spiffe://cluster.local/ns/${APPS}/sa/echo-v1`,
  destination_canonical_service: "echo",
  destination_app: "echo",
  destination_version: "v1",
  destination_canonical_revision: "v1",
} as const;

export function describeTelemetry(): void {
  test("TestL7Telemetry", { skip }, async () => {
    const client = callerNamed("client");
    await client.all({ ...get(HOST), times: 10 });
    await client.all({ ...get(HOST), headers: { "x-echo": "status=418" }, times: 10 });
    await client.all({ kind: "grpc", target: `${HOST}:7070`, times: 10 });
    await client.all({ kind: "grpc", target: `${HOST}:7070`, metadata: { "x-echo": "status=7" }, times: 10 });
    await client.all({ kind: "bytes", host: HOST, port: 9090, send: "a\n", until: "a\n", times: 10 });
    const http = { ...OF_CLIENT, ...OF_ECHO, request_protocol: "http", response_flags: "-" };
    await untilSeries("istio_requests_total", { ...http, response_code: "200", grpc_response_status: "" });
    await untilSeries("istio_requests_total", { ...http, response_code: "418" });
    const grpc = { ...OF_CLIENT, ...OF_ECHO, request_protocol: "grpc", response_code: "200" };
    await untilSeries("istio_requests_total", { ...grpc, grpc_response_status: "0" });
    await untilSeries("istio_requests_total", { ...grpc, grpc_response_status: "7" });
    for (const metric of [
      "request_duration_milliseconds_count",
      "request_bytes_count",
      "response_bytes_count",
    ])
      await untilSeries(`istio_${metric}`, { ...http, response_code: "200" });
    for (const metric of ["request_messages_total", "response_messages_total"])
      await untilSeries(`istio_${metric}`, { ...OF_CLIENT, ...OF_ECHO });
    for (const metric of ["connections_opened_total", "connections_closed_total", "received_bytes_total"])
      await untilSeries(`istio_tcp_${metric}`, { ...OF_CLIENT, ...OF_ECHO, request_protocol: "tcp" });
  });

  test("TestCustomizeMetrics", { skip }, async () => {
    const tags = telemetry(ADDRESSED, {
      metrics: [
        {
          providers: [{ name: "prometheus" }],
          overrides: [
            {
              match: { metric: "REQUEST_COUNT" },
              tagOverrides: {
                custom_dimension: { value: "'test'" },
                source_principal: { operation: "REMOVE" },
              },
            },
          ],
        },
      ],
    });
    await apply(tags);
    await untilHolds(async () => {
      await callerNamed("client").one(get(HOST));
      const tagged = (await series("istio_requests_total")).filter(
        (one) => one["custom_dimension"] === "test",
      );
      assert.ok(tagged.length > 0);
      for (const one of tagged) assert.ok([undefined, "unknown"].includes(one["source_principal"]));
    });
    await remove(tags);
    await untilL7("client", get(HOST), true);
  });

  test("access logs are asked for by Telemetry, and name the request", { skip }, async () => {
    const logging = telemetry(ADDRESSED, {
      accessLogging: [{ providers: [{ name: "envoy" }], filter: { expression: "response.code >= 400" } }],
    });
    await apply(logging);
    const logged = async (): Promise<string> =>
      await kubectl("logs", "-n", APPS, `deploy/${SERVICE_WAYPOINT}`, "--tail=200");
    await untilHolds(async () => {
      const url = `http://${HOST}/logged`;
      await callerNamed("client").one({ kind: "http", url, headers: { "x-echo": "status=404" } });
      await callerNamed("client").one({ kind: "http", url: `http://${HOST}/not-logged` });
      assert.match(await logged(), /"GET \/logged HTTP\/1\.1" 404/);
    });
    assert.doesNotMatch(await logged(), /GET \/not-logged/);
    await remove(logging);
  });
}
