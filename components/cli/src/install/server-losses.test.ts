import assert from "node:assert/strict";
import { test } from "node:test";
import { meshDefinitions } from "../manifests/definitions.ts";
import { factsOfMinor } from "../manifests/facts.ts";
import { renderComponents } from "../manifests/render.ts";
import { readInstallValues, type Tree } from "../manifests/values.ts";
import { lossesOn } from "./server-losses.ts";

function losses(minor: number, spec: Tree): readonly string[] {
  const read = readInstallValues([spec]);
  assert.equal(read.kind, "ok");
  if (read.kind !== "ok") return [];
  return lossesOn(minor, renderComponents(read.values, meshDefinitions(), factsOfMinor(minor)));
}

const CASES = [
  { minor: 30, spec: { profile: "ambient" }, want: [] },
  { minor: 23, spec: { profile: "ambient" }, want: [] },
  { minor: 22, spec: { profile: "ambient" }, want: [/need CEL/, /not scaled by load/] },
  {
    minor: 20,
    spec: { profile: "ambient" },
    want: [/need CEL/, /not scaled by load/, /cannot start the new pod/],
  },
  { minor: 20, spec: { profile: "default" }, want: [/need CEL/, /not scaled by load/] },
  { minor: 20, spec: { profile: "empty" }, want: [] },
];
for (const { minor, spec, want } of CASES)
  test(`lossesOn: ${spec.profile} on 1.${minor}`, () => {
    const got = losses(minor, spec);
    assert.equal(got.length, want.length, got.join());
    for (const [index, pattern] of want.entries()) assert.match(got[index] ?? "", pattern);
  });
