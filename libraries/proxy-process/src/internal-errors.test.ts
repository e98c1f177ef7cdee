import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createInternalErrorReport } from "./internal-errors.ts";

test("an error of our own is told and counted", () => {
  const lines: string[] = [];
  const sink = {
    filter: new LogFilter("error"),
    format: "plain",
    nowMs: () => 0,
    write: (line: string) => void lines.push(line),
  } as const;
  const registry = createRegistry();
  const report = createInternalErrorReport({ registry, logger: createLogger(sink, "proxy") });
  report("pod", new Error("no", { cause: new Error("really") }));
  report("pod", "no", "web-0");
  assert.match(lines[0] ?? "", /error\tproxy\tinternal error\tpart="pod" error="no: really"/);
  assert.match(lines[1] ?? "", /part="pod" pod="web-0" error="no"/);
  assert.match(registry.exposition(undefined).body, /^meltemi_internal_errors_total\{part="pod"\} 2$/m);
});
