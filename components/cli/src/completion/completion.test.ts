import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { run, setUp } from "../program.fixture.ts";
import { candidates } from "./candidates.ts";

const cases = [
  { words: ["way"], want: ["waypoint"] },
  { words: ["zc", "w"], want: ["workload"] },
  { words: ["waypoint", "apply", "--for", "x"], want: [] },
  { words: ["zc", "workload", "-o", ""], want: ["json", "short", "yaml"] },
  { words: ["zc", "workload", "--raw", "-n", "shop", "--addr"], want: ["--address"] },
  { words: ["__"], want: [] },
];
for (const { words, want } of cases)
  test(`completing ${words.join(" ")}`, () =>
    assert.deepEqual(candidates(setUp("istioctl").program, words), want));

test("every command is offered at the beginning", () => {
  const offered = candidates(setUp("istioctl").program, [""]);
  for (const name of ["analyze", "explain", "install", "proxy-status", "ztunnel-config"])
    assert.ok(offered.includes(name));
});

for (const shell of ["bash", "zsh", "fish", "powershell"])
  test(`a script for ${shell} asks the program itself`, async () => {
    const { out, code } = await run("istioctl", "completion", shell);
    assert.equal(code, 0);
    assert.match(out, /istioctl __complete -- /);
    // The one shell that is there: its own check of the syntax.
    if (shell === "bash") execFileSync("bash", ["-n", "-c", out]);
  });
test("a shell there is not", async () => {
  assert.match(
    (await run("istioctl", "completion", "ksh")).err,
    /Allowed choices are bash, zsh, fish, powershell/,
  );
});
