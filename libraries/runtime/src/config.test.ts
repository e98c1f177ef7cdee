import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EnvironmentReader, parseDurationMs } from "./config.ts";

const durations = [
  { text: "5s", want: 5000 },
  { text: "1h30m", want: 5_400_000 },
  { text: "250ms", want: 250 },
  { text: "1.5s", want: 1500 },
  { text: "0", want: 0 },
  { text: "", want: undefined },
  { text: "5", want: undefined },
  { text: "-5s", want: undefined },
  { text: "5 s", want: undefined },
  { text: "s", want: undefined },
  { text: "5d", want: undefined },
] as const;
for (const row of durations) {
  test(`duration ${JSON.stringify(row.text)} is ${row.want}`, () =>
    assert.equal(parseDurationMs(row.text), row.want));
}

test("a duration of any text is a number or undefined", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDurationMs(text);
      assert.ok(ms === undefined || ms >= 0);
    }),
  );
});

test("absent and empty variables give the fallback", () => {
  const read = new EnvironmentReader({ EMPTY: "" });
  assert.equal(read.port("ABSENT", 15008), 15008);
  assert.equal(read.flag("EMPTY", true), true);
  assert.equal(read.optionalText("EMPTY"), undefined);
  assert.deepEqual(read.problems, []);
});

test("all problems are collected, each naming its variable, value and expectation", () => {
  const read = new EnvironmentReader({ PORT: "70000", FLAG: "yes", WAIT: "soon", MODE: "both" });
  read.port("PORT", 1);
  read.flag("FLAG", false);
  read.durationMs("WAIT", 1);
  read.oneOf("MODE", ["shared", "dedicated"], "shared");
  read.requiredText("NODE_NAME", "the node's name");
  assert.deepEqual(read.problems, [
    'PORT: expected a whole number from 1 to 65535, got "70000"',
    'FLAG: expected true or false, got "yes"',
    'WAIT: expected a duration such as 5s or 1h30m, got "soon"',
    'MODE: expected one of shared, dedicated, got "both"',
    "NODE_NAME: expected the node's name, got nothing",
  ]);
});

test("variables with a prefix are found, the prefix cut off", () => {
  const read = new EnvironmentReader({ ISTIO_META_A: "1", ISTIO_METAB: "2", OTHER: "3" });
  assert.deepEqual([...read.withPrefix("ISTIO_META_")], [["A", "1"]]);
});
