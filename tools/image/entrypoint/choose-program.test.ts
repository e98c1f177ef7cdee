import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseProgram } from "./choose-program.ts";

const runs = [
  { words: ["discovery", "--monitoringAddr=:15014"], component: "control-plane" },
  { words: ["proxy", "ztunnel"], component: "ztunnel" },
  { words: ["proxy", "waypoint", "--domain", "a.svc.cluster.local"], component: "waypoint" },
  { words: ["install-cni"], component: "cni" },
];
for (const { words, component } of runs)
  test(`${words.join(" ")} is ${component}`, () =>
    assert.deepEqual(chooseProgram(words), { kind: "run", component }));

test("version is answered without any component", () =>
  assert.deepEqual(chooseProgram(["version"]), { kind: "version" }));

for (const words of [
  [],
  [""],
  ["proxy"],
  ["proxy", "sidecar"],
  ["ztunnel"],
  ["../main.mjs"],
  ["constructor"],
])
  test(`refused: ${JSON.stringify(words)}`, () => {
    const choice = chooseProgram(words);
    assert.equal(choice.kind, "refuse");
    assert.match(
      choice.kind === "refuse" ? choice.why : "",
      /unknown (command|proxy) ".*": expected discovery, /,
    );
  });
