/** What an operator types against a local cluster's nodes and pods, by the real kubectl. */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { apply, cluster, kubectl, pod, skip, state, up } from "./local-cluster.fixture.ts";

/** A line each tenth of a second, and an end at once when asked for one. */
const TALKER = 'trap "exit 0" TERM; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.1; done';

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await up();
  await apply(
    pod("talker", { script: TALKER, node: "node-1" }),
    pod("other", { script: TALKER, node: "node-2" }),
  );
  await kubectl("label", "pod/talker", "pod/other", "talks=yes");
  await kubectl("wait", "--for=condition=Ready", "pod/talker", "pod/other", "--timeout=30s");
});

after(async () => {
  if (skip === false) await cluster("down");
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, KUBECONFIG: join(state, "kubeconfig") });

/** Runs until it has said all of it, and is then ended. */
async function says(words: readonly string[], wanted: readonly RegExp[]): Promise<void> {
  const child = spawn("kubectl", words, { env: environment(), stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      text += chunk;
    });
  try {
    await eventually(() => wanted.every((pattern) => pattern.test(text)), { deadlineMs: 20_000 });
  } catch (error) {
    throw new Error(`kubectl ${words.join(" ")} said ${text}`, { cause: error });
  } finally {
    child.kill();
  }
}

function refusal(...words: string[]): Promise<string> {
  return new Promise((resolve) =>
    execFile("kubectl", words, { env: environment(), timeout: 20_000 }, (error, _stdout, stderr) =>
      resolve(error === null ? "accepted" : stderr),
    ),
  );
}

test("logs of several pods at once, followed, each line with its pod", { skip }, () =>
  says(
    ["logs", "-f", "-l", "talks=yes", "--prefix", "--tail=1"],
    [/^\[pod\/talker\/main\] line \d+$/m, /^\[pod\/other\/main\] line \d+$/m],
  ),
);

test("logs: the end, what is recent, with times", { skip }, async () => {
  const lines = (await kubectl("logs", "talker", "--tail=2", "--timestamps")).trim().split("\n");
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z line \d+$/);
  assert.equal(await kubectl("logs", "talker", "--limit-bytes=6"), "line 1");
  assert.match(await kubectl("logs", "talker", "--since=1h"), /^line 1$/m);
  assert.match(
    await refusal("logs", "talker", "-c", "missing"),
    /container missing is not valid for pod talker/,
  );
});

test("get -w shows what changes", { skip }, async () => {
  let isSeen = false;
  const watching = says(
    ["get", "pods", "-w", "--output-watch-events"],
    [/^ADDED +talker/m, /^MODIFIED +talker/m],
  ).finally(() => {
    isSeen = true;
  });
  for (let change = 0; !isSeen; change++)
    await kubectl("annotate", "pod/talker", "--overwrite", `change=${change}`);
  await watching;
});

test("cordon, drain, uncordon", { skip }, async () => {
  await kubectl("drain", "node-2", "--force", "--ignore-daemonsets", "--timeout=40s");
  assert.match(await refusal("get", "pod", "other"), /pods "other" not found/);
  assert.match(await kubectl("get", "node", "node-2"), /SchedulingDisabled/);
  await kubectl("uncordon", "node-2");
  assert.doesNotMatch(await kubectl("get", "node", "node-2"), /SchedulingDisabled/);
});

test("events of a pod, a taint, a description of a node", { skip }, async () => {
  assert.match(await kubectl("events", "--for", "pod/talker"), /Started container main/);
  await kubectl("taint", "node", "node-1", "a=b:NoSchedule");
  assert.match(await kubectl("describe", "node", "node-1"), /^Taints: +a=b:NoSchedule$/m);
  await kubectl("taint", "node", "node-1", "a-");
});

test("what is not there says so", { skip }, async () => {
  assert.match(await refusal("top", "pods"), /Metrics API not available/);
  assert.match(
    await refusal("debug", "talker", "--image=localhost/host"),
    /ephemeral containers are disabled/,
  );
});
