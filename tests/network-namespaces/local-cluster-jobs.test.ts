/** Jobs as their user meets them: the real kubectl, and programs that really end. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apply, cluster, holds, kubectl, skip, up } from "./local-cluster.fixture.ts";

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await up();
});

after(async () => {
  if (skip === false) await cluster("down");
});

interface JobOptions {
  readonly script: string;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly restartPolicy?: string;
}

function job(name: string, { script, spec, restartPolicy }: JobOptions): unknown {
  const volumeMounts = [{ name: "once", mountPath: "/once" }];
  const command = ["sh", "-c", script];
  const pod = {
    restartPolicy: restartPolicy ?? "Never",
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "main", image: "localhost/host", command, volumeMounts }],
    // Outlives the container, not the pod.
    volumes: [{ name: "once", emptyDir: {} }],
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: { ...spec, template: { spec: pod } },
  };
}

const podsOf = (name: string): Promise<string> =>
  kubectl("get", "pods", "-l", `job-name=${name}`, "-o", "name");
const field = (name: string, path: string): Promise<string> =>
  kubectl("get", "job", name, "-o", `jsonpath={.status.${path}}`);
const until = (name: string, condition: string): Promise<string> =>
  kubectl("wait", `job/${name}`, `--for=condition=${condition}`, "--timeout=20s");

test("kubectl create job: it runs once, completes, and its log stays", { skip }, async () => {
  await kubectl("create", "job", "hello", "--image=localhost/host", "--", "echo", "done");
  await until("hello", "complete");
  assert.equal(await kubectl("logs", "job/hello"), "done\n");
  assert.match(
    await kubectl("get", "job", "hello"),
    /^NAME +STATUS +COMPLETIONS +DURATION +AGE\nhello +Complete +1\/1 +\d+s /,
  );
  assert.match(
    await kubectl("describe", "job", "hello"),
    /Pods Statuses: +0 Active .* \/ 1 Succeeded \/ 0 Failed/,
  );
});

test("several at a time, each counted once, and one that is deleted when it is done counts too", {
  skip,
}, async () => {
  await apply(job("many", { script: "true", spec: { parallelism: 3, completions: 7 } }));
  await kubectl("delete", "pod", "-l", "job-name=many", "--field-selector=status.phase=Succeeded");
  await until("many", "complete");
  assert.equal(await field("many", "succeeded"), "7");
  assert.equal(await field("many", "uncountedTerminatedPods"), "");
});

test("a job that fails says why, and what still runs of it is ended", { skip }, async () => {
  await apply(job("fails", { script: "exit 3", spec: { backoffLimit: 0 } }));
  await until("fails", "failed");
  assert.match(await field("fails", "conditions[*].reason"), /BackoffLimitExceeded/);
  await apply(job("late", { script: "sleep 100", spec: { activeDeadlineSeconds: 1 } }));
  await until("late", "failed");
  assert.match(await field("late", "conditions[*].reason"), /DeadlineExceeded/);
  await holds(async () => assert.equal(await field("late", "failed"), "1"));
});

test("OnFailure starts the container again in its pod", { skip }, async () => {
  const script = "[ -e /once/x ] && exit 0; touch /once/x; exit 1";
  await apply(job("again", { script, restartPolicy: "OnFailure" }));
  await until("again", "complete");
  assert.equal((await podsOf("again")).trim().split("\n").length, 1);
});

test("suspended, it has no pods; resumed, it runs; after its time to live it is gone", { skip }, async () => {
  await apply(job("pause", { script: "true", spec: { suspend: true, ttlSecondsAfterFinished: 1 } }));
  await until("pause", "suspended");
  assert.equal(await podsOf("pause"), "");
  await kubectl("patch", "job", "pause", "--type=merge", "-p", '{"spec":{"suspend":false}}');
  await holds(async () => assert.equal(await kubectl("get", "job", "pause", "--ignore-not-found"), ""));
  await holds(async () => assert.equal(await podsOf("pause"), ""));
});

test("a deleted job takes its running pods with it", { skip }, async () => {
  await apply(job("gone", { script: "exec sleep 1000", spec: { parallelism: 2, completions: 2 } }));
  await holds(async () => assert.equal(await field("gone", "active"), "2"));
  await kubectl("delete", "job", "gone");
  await holds(async () => assert.equal(await podsOf("gone"), ""));
});

const REFUSED: readonly (readonly [name: string, spec: object, restartPolicy: string, why: RegExp])[] = [
  ["restarted for ever", {}, "Always", /restartPolicy: Unsupported value: "Always".*"OnFailure", "Never"/],
  ["indexed", { completionMode: "Indexed" }, "Never", /completionMode: Unsupported value: "Indexed"/],
  [
    "with a failure policy",
    { podFailurePolicy: { rules: [] } },
    "Never",
    /podFailurePolicy: Forbidden: not supported/,
  ],
  ["a negative number", { parallelism: -1 }, "Never", /parallelism: Invalid value: -1/],
];
for (const [name, spec, restartPolicy, why] of REFUSED)
  test(`refused: ${name}`, { skip }, async () => {
    const object = job("refused", { script: "true", spec: { ...spec }, restartPolicy });
    await assert.rejects(apply(object), why);
  });
