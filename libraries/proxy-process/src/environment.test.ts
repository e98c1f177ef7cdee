import assert from "node:assert/strict";
import { test } from "node:test";
import { EnvironmentReader } from "@meltemi/runtime";
import { readControlPlane, readDrainDeadlineMs, readMetadata } from "./environment.ts";

for (const [name, env, want] of [
  ["nothing: the fallback", {}, 7000],
  ["a grace period: less what leaving takes", { TERMINATION_GRACE_PERIOD_SECONDS: "30" }, 25_000],
  ["a short one: a second less", { TERMINATION_GRACE_PERIOD_SECONDS: "10" }, 9000],
  ["none at all: a second all the same", { TERMINATION_GRACE_PERIOD_SECONDS: "0" }, 1000],
  [
    "the explicit deadline before all",
    { TERMINATION_GRACE_PERIOD_SECONDS: "30", CONNECTION_TERMINATION_DEADLINE: "3s" },
    3000,
  ],
] as const)
  test(`drain deadline of ${name}`, () =>
    assert.equal(readDrainDeadlineMs(new EnvironmentReader(env), 7000), want));

test("an address that is set and empty means none", () => {
  assert.equal(readControlPlane(new EnvironmentReader({ XDS_ADDRESS: "" }), "XDS", "a:1").address, undefined);
  assert.equal(readControlPlane(new EnvironmentReader({}), "XDS", "a:1").address, "a:1");
});

test("metadata is text, and JSON where it says so; what is no JSON is a problem", () => {
  const reader = new EnvironmentReader({
    ISTIO_META_A: "text",
    ISTIO_METAJSON_B: '{"x":1}',
    ISTIO_METAJSON_C: "{",
  });
  assert.deepEqual(readMetadata(reader), { A: "text", B: { x: 1 } });
  assert.match(reader.problems.join(), /ISTIO_METAJSON_C: expected JSON, got "\{"/);
});
