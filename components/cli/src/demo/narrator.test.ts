import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf } from "./narrator.ts";

test("what was seen is wrapped between words, and loses none", () => {
  const seen = Array.from({ length: 60 }, (_, i) => `word${i}`).join(" ");
  const lines = linesOf({ claim: "c", ok: true, seen });
  assert.ok(lines.length > 1 && lines.every((line) => line.length <= 92));
  assert.equal(lines.join(" "), seen);
});

test("fields are aligned, and stand for the long text", () => {
  const fields = { metric: "opened", reporter: "source" };
  assert.deepEqual(linesOf({ claim: "c", ok: true, seen: "long", fields }), [
    "metric    opened",
    "reporter  source",
  ]);
});
