import assert from "node:assert/strict";
import { test } from "node:test";
import { loggingPath } from "./log-levels.ts";
import { parseTarget } from "./target.ts";

const cases = [
  ["a", { kind: "pod", name: "a", namespace: "here" }],
  ["a.b", { kind: "pod", name: "a", namespace: "b" }],
  ["deploy/a.b", { kind: "deployment", name: "a", namespace: "b" }],
  ["svc/a.b.c", { kind: "service", name: "a.b", namespace: "c" }],
  ["DS/ztunnel", { kind: "daemonset", name: "ztunnel", namespace: "here" }],
] as const;
for (const [text, want] of cases)
  test(`target ${text}`, () => assert.deepEqual(parseTarget(text, "here"), want));

for (const text of ["", ".a", "a.", "gateway/a", "/a", "a/b/c", "A", "constructor/a", "a b"])
  test(`refused target ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseTarget(text, "here"), { code: "INPUT_INVALID" }));

const levels = [
  [undefined, false, "/logging"],
  ["debug", false, "/logging?level=debug"],
  ["info,access:debug,a::b=Warning", false, "/logging?level=info%2Caccess%3Ddebug%2Ca%3A%3Ab%3Dwarn"],
  [undefined, true, "/logging?reset="],
] as const;
for (const [level, reset, want] of levels)
  test(`logging ${level} ${reset}`, () => assert.equal(loggingPath({ level, reset }), want));
test("a level that is none", () =>
  assert.throws(() => loggingPath({ level: "a:loud", reset: false }), /loud/));
