import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createAccessLog, createRegistry } from "@meltemi/telemetry";
import { createFakeClock } from "@meltemi/testkit";
import { createConnectionTelemetry } from "./connection-telemetry.ts";

function setUp() {
  const clock = createFakeClock();
  const lines: string[] = [];
  const logger = createLogger(
    {
      filter: new LogFilter("warn"),
      format: "plain",
      nowMs: () => clock.nowMs(),
      write: (line) => void lines.push(line),
    },
    "proxy",
  );
  const registry = createRegistry();
  const accessLog = createAccessLog(logger);
  const telemetry = createConnectionTelemetry({
    registry,
    accessLog,
    monotonicMs: () => clock.monotonicMs(),
  });
  return { clock, lines, registry, telemetry };
}

test("refusals of both directions share the pod's bound in the log, and all are counted", () => {
  const { clock, lines, registry, telemetry } = setUp();
  const pod = telemetry.forPod();
  for (let index = 0; index < 300; index++) {
    pod.refused("10.0.0.1:1", "10.0.0.2:2", "outbound", "no place");
    pod.refused("10.0.0.3:3", undefined, "inbound", "no place");
  }
  assert.equal(lines.length, 100);
  const { body } = registry.exposition(undefined);
  assert.match(body, /^meltemi_connections_refused_total\{reporter="source"\} 300$/m);
  assert.match(body, /^meltemi_connections_refused_total\{reporter="destination"\} 300$/m);
  clock.advance(100);
  pod.refused("10.0.0.1:1", undefined, "outbound", "no place");
  assert.match(lines[100] ?? "", /error="no place \(500 refusals suppressed before this one\)"/);
});

test("one pod's flood of refusals leaves the next pod's first one in the log", () => {
  const { lines, telemetry } = setUp();
  const flooded = telemetry.forPod();
  for (let index = 0; index < 300; index++) flooded.refused("10.0.0.1:1", undefined, "inbound", "flood");
  telemetry.forPod().refused("10.0.0.9:9", undefined, "inbound", "alone");
  assert.match(lines.at(-1) ?? "", /connection failed.*src\.addr=10\.0\.0\.9:9.*error="alone"/);
});
