/** The demo is the end-to-end test: every claim it makes is a test of its own. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const projectRoot = join(import.meta.dirname, "..", "..");
const DEMO_DEADLINE_MS = 540_000;

/** A demo that made fewer claims than this stopped somewhere: silence is not success. */
const FEWEST_CLAIMS = 33;

/** How ambient mode is taken up, as it is published: people paste these lines, so they must work to the letter. */
const PUBLISHED = [
  "istioctl install --set profile=ambient",
  "istioctl install --set profile=default --set components.ztunnel.enabled=true --set values.ztunnel.variant=distroless",
  "kubectl label namespace default istio.io/dataplane-mode=ambient",
  "kubectl get namespace default --show-labels",
  "istioctl waypoint apply --namespace default",
  "istioctl waypoint apply --namespace default --name reviews-waypoint --for service/reviews",
  "kubectl label namespace staging istio.io/dataplane-mode=ambient",
];

interface Claim {
  readonly claim: string;
  readonly ok: boolean;
  readonly seen: string;
  readonly commands?: readonly { readonly line: string; readonly exitCode: number }[];
}

function runDemo(): Promise<{
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(projectRoot, "components/cli/src/main.ts"), "demo", "--once", "-o", "json", "--name", "e2e"],
      { stdio: ["ignore", "pipe", "pipe"], timeout: DEMO_DEADLINE_MS },
    );
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

test("the demo, claim by claim", { timeout: DEMO_DEADLINE_MS + 30_000 }, async (t) => {
  const { code, stdout, stderr } = await runDemo();
  const claims = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Claim);
  for (const claim of claims) {
    await t.test(claim.claim, () => assert.ok(claim.ok, claim.seen));
  }
  const typed = claims.flatMap(({ commands = [] }) => commands);
  for (const line of PUBLISHED) {
    await t.test(`typed to the letter, and done: ${line}`, () => {
      const ends = typed.filter((command) => command.line === line).map(({ exitCode }) => exitCode);
      assert.deepEqual(ends, [0]);
    });
  }
  assert.ok(
    claims.length >= FEWEST_CLAIMS,
    `expected at least ${FEWEST_CLAIMS} claims, got ${claims.length}\n${stderr}`,
  );
  assert.equal(code, 0, stderr);
});
