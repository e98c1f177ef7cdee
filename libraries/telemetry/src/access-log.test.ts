import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter, type LogFormat, type LogLevel } from "@meltemi/runtime";
import { type AccessLogRecord, createAccessLog } from "./access-log.ts";

const RECORD: AccessLogRecord = {
  source: {
    address: "10.0.1.7:41250",
    workload: "client-6c4",
    namespace: "demo",
    identity: "spiffe://cluster.local/ns/demo/sa/client",
  },
  destination: {
    address: "10.0.2.9:15008",
    hboneAddress: "10.0.2.9:8080",
    service: "server.demo.svc.cluster.local",
    workload: "server-9f1",
    namespace: "demo",
    identity: "spiffe://cluster.local/ns/demo/sa/server",
  },
  direction: "outbound",
};

function lines(
  level: LogLevel,
  format: LogFormat,
  act: (log: ReturnType<typeof createAccessLog>) => void,
): string[] {
  const written: string[] = [];
  const sink = {
    filter: new LogFilter(level),
    format,
    nowMs: () => Date.UTC(2025, 2, 4, 10, 11, 12, 131),
    write: (line: string) => written.push(line),
  };
  act(createAccessLog(createLogger(sink, "proxy")));
  return written;
}

test("a finished connection is one line with Istio's keys in Istio's order", () => {
  const [line] = lines("info", "plain", (log) =>
    log.complete(RECORD, { bytesSent: 67, bytesReceived: 490, durationMs: 13.4 }),
  );
  assert.equal(
    line,
    [
      "2025-03-04T10:11:12.131000Z",
      "info",
      "access",
      "connection complete",
      'src.addr=10.0.1.7:41250 src.workload="client-6c4" src.namespace="demo" src.identity="spiffe://cluster.local/ns/demo/sa/client" dst.addr=10.0.2.9:15008 dst.hbone_addr=10.0.2.9:8080 dst.service="server.demo.svc.cluster.local" dst.workload="server-9f1" dst.namespace="demo" dst.identity="spiffe://cluster.local/ns/demo/sa/server" direction="outbound" bytes_sent=67 bytes_recv=490 duration="13ms"\n',
    ].join("\t"),
  );
});

test("an error raises the level and ends the line", () => {
  const [line] = lines("info", "plain", (log) =>
    log.complete(RECORD, { bytesSent: 0, bytesReceived: 0, durationMs: 1, error: "http status: 401" }),
  );
  assert.match(
    line ?? "",
    /\terror\taccess\tconnection complete\t.*duration="1ms" error="http status: 401"\n$/,
  );
});

test("an early refusal is a warning with addresses, direction and error only", () => {
  const [line] = lines("info", "plain", (log) =>
    log.refused("10.0.0.1:1", "10.0.0.2:2", "inbound", "illegal port"),
  );
  assert.match(
    line ?? "",
    /\twarn\taccess\tconnection failed\tsrc.addr=10.0.0.1:1 dst.addr=10.0.0.2:2 direction="inbound" error="illegal port"\n$/,
  );
});

test("opening is said at debug only", () => {
  assert.equal(lines("info", "plain", (log) => log.opened(RECORD)).length, 0);
  assert.match(lines("debug", "plain", (log) => log.opened(RECORD))[0] ?? "", /connection opened/);
});

test("JSON keeps the same keys", () => {
  const [line] = lines("info", "json", (log) =>
    log.complete(RECORD, { bytesSent: 1, bytesReceived: 2, durationMs: 3 }),
  );
  const parsed = JSON.parse(line ?? "") as Record<string, unknown>;
  assert.equal(parsed["scope"], "access");
  assert.equal(parsed["dst.hbone_addr"], "10.0.2.9:8080");
  assert.equal("error" in parsed, false);
});
