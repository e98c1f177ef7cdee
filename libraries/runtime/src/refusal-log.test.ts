import assert from "node:assert/strict";
import { test } from "node:test";
import { createRefusalLog } from "./refusal-log.ts";

test("a scan is written up to the bound, and the next line counts what was left out", () => {
  let nowMs = 0;
  const log = createRefusalLog({ monotonicMs: () => nowMs });
  const written = Array.from({ length: 1000 }, () => log.admit()).filter((one) => one.kind === "write");
  assert.equal(written.length, 100);
  assert.ok(written.every((one) => one.kind === "write" && one.suppressed === 0));
  nowMs += 100;
  assert.deepEqual(log.admit(), { kind: "write", suppressed: 900 });
  assert.deepEqual(log.admit(), { kind: "suppress" });
  nowMs += 60_000;
  assert.deepEqual(log.admit(), { kind: "write", suppressed: 1 });
  assert.deepEqual(log.admit(), { kind: "write", suppressed: 0 });
});
