import assert from "node:assert/strict";
import { test } from "node:test";
import { readSetFlags } from "./set-flags.ts";
import { overlay, readInstallValues, type Tree } from "./values.ts";

function valuesOf(...flags: string[]): ReturnType<typeof readInstallValues> {
  const read = readSetFlags(flags);
  assert.equal(read.kind, "ok");
  return readInstallValues([read.kind === "ok" ? read.tree : {}]);
}

test("profile ambient enables the node agent and ztunnel", () => {
  const result = valuesOf("profile=ambient");
  assert.equal(result.kind, "ok");
  if (result.kind !== "ok") return;
  assert.deepEqual(
    [result.values.base, result.values.pilot, result.values.cni, result.values.ztunnel].map((c) => c.enabled),
    [true, true, true, true],
  );
  assert.equal(result.values.pilot.env.get("PILOT_ENABLE_AMBIENT"), "true");
});

test("the mission's second install command is understood", () => {
  const result = valuesOf(
    "profile=default",
    "components.ztunnel.enabled=true",
    "values.ztunnel.variant=distroless",
  );
  assert.equal(result.kind, "ok");
  if (result.kind !== "ok") return;
  assert.equal(result.values.ztunnel.enabled, true);
  assert.equal(result.values.ztunnel.variant, "distroless");
  assert.equal(result.values.cni.enabled, false);
});

const refusals = [
  {
    name: "unknown profile",
    flags: ["profile=sidecarless"],
    problem: /profile: expected one of default, ambient/,
  },
  {
    name: "misspelt path",
    flags: ["values.ztunel.variant=x"],
    problem: /values\.ztunel: no such value; did you mean ztunnel/,
  },
  {
    name: "wrong case",
    flags: ["values.cni.ambient.dnscapture=true"],
    problem: /did you mean dnsCapture/,
  },
  {
    name: "not a boolean",
    flags: ["components.cni.enabled=yes"],
    problem: /expected true or false, got "yes"/,
  },
  {
    name: "out of range",
    flags: ["values.pilot.replicaCount=0"],
    problem: /replicaCount: expected a whole number/,
  },
] as const;
for (const row of refusals) {
  test(`refused: ${row.name}`, () => {
    const result = valuesOf(...row.flags);
    assert.equal(result.kind, "invalid");
    if (result.kind === "invalid") assert.match(result.problems.join("\n"), row.problem);
  });
}

test("all problems are reported together", () => {
  const result = valuesOf("components.cni.enabled=yes", "values.pilot.replicaCount=0");
  assert.equal(result.kind === "invalid" && result.problems.length, 2);
});

const flags = [
  { flag: "a.b=1", want: { a: { b: 1 } } },
  { flag: "a.b=true", want: { a: { b: true } } },
  { flag: "a=v1.2", want: { a: "v1.2" } },
  { flag: "a.b\\.c=x=y", want: { a: { "b.c": "x=y" } } },
  { flag: "a={x, y}", want: { a: ["x", "y"] } },
  { flag: "a=007", want: { a: "007" } },
] as const;
for (const row of flags) {
  test(`--set ${row.flag}`, () => {
    const read = readSetFlags([row.flag]);
    assert.equal(read.kind, "ok");
    if (read.kind === "ok") assert.equal(JSON.stringify(read.tree), JSON.stringify(row.want));
  });
}

for (const flag of ["noequals", "=x", "a..b=1", ".a=1", `${"a.".repeat(20)}a=1`]) {
  test(`--set ${flag.slice(0, 20)} is refused`, () => assert.equal(readSetFlags([flag]).kind, "invalid"));
}

test("overlay does not touch prototypes", () => {
  const merged = overlay({}, JSON.parse('{"__proto__": {"polluted": true}}') as Tree);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  assert.ok(Object.hasOwn(merged, "__proto__"));
});
