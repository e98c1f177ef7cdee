import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, formatLine, LogFilter } from "./log.ts";

const AT_MS = Date.UTC(2025, 2, 4, 10, 11, 12, 131);

test("a plain line has ztunnel's form", () => {
  assert.equal(
    formatLine("plain", AT_MS, "info", "access", "connection complete", {
      "src.addr": "10.0.1.7:41250",
      "src.workload": "client-6c4",
      error: undefined,
      bytes_sent: 67,
    }),
    '2025-03-04T10:11:12.131000Z\tinfo\taccess\tconnection complete\tsrc.addr=10.0.1.7:41250 src.workload="client-6c4" bytes_sent=67\n',
  );
});

test("a line cannot be split or forged by what it carries", () => {
  const line = formatLine("plain", AT_MS, "warn", "x", "a\nb\tc", { name: 'q"\n2025 error' });
  assert.equal(line.split("\n").length, 2);
  assert.equal(line.split("\t").length, 5);
});

test("json lines parse, with level, time, scope and message first", () => {
  const line = formatLine("json", AT_MS, "error", "xds", "gone", { status: 503 });
  assert.deepEqual(Object.keys(JSON.parse(line) as object), ["level", "time", "scope", "message", "status"]);
});

test("levels are per scope, nested by ::, and change while the process runs", () => {
  const lines: string[] = [];
  const filter = new LogFilter("info");
  const log = createLogger(
    { filter, format: "plain", nowMs: () => AT_MS, write: (l) => lines.push(l) },
    "xds",
  );
  const client = log.scope("xds::client");
  client.debug("unseen");
  filter.set("debug", "xds");
  client.debug("seen");
  filter.set("off", "xds::client");
  client.error("unseen");
  filter.reset("info");
  client.info("seen again");
  assert.deepEqual(
    lines.map((l) => l.split("\t")[3]?.trim()),
    ["seen", "seen again"],
  );
  assert.equal(filter.toString(), "info");
});
