import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job, Pod } from "@meltemi/kubernetes";
import type { Action } from "./action.ts";
import { decideJob, releaseAll } from "./decide-job.ts";
import { TRACKING_FINALIZER } from "./job-tally.ts";
import { NOW, NOW_MS, type PodOptions, podOf } from "./objects.testing.ts";

type Spec = Partial<NonNullable<Job["spec"]>>;
type Status = NonNullable<Job["status"]>;

function jobOf(spec: Spec = {}, status: Status = {}, terminating = false): Job {
  return {
    metadata: {
      name: "job",
      namespace: "default",
      uid: "job",
      ...(terminating ? { deletionTimestamp: NOW } : {}),
    },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 2,
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [], restartPolicy: "Never" } },
      ...spec,
    },
    status: { startTime: NOW, ...status },
  };
}

/** A pod of the job that it still has to count; `counted` is one that nothing holds any more. */
function own(options: PodOptions & { readonly counted?: boolean; readonly endedAt?: string }): Pod {
  const { counted, endedAt, ...rest } = options;
  const pod = podOf({ owner: { uid: "job", kind: "Job" }, node: "n", ...rest });
  const terminated = { exitCode: 1, finishedAt: endedAt ?? "2026-01-01T11:00:00Z" };
  const container = { name: "c", image: "i", imageID: "", ready: false, restartCount: 0 };
  return {
    ...pod,
    metadata: { ...pod.metadata, ...(counted === true ? {} : { finalizers: ["x", TRACKING_FINALIZER] }) },
    status: { ...pod.status, containerStatuses: [{ ...container, state: { terminated } }] },
  };
}

const done = (name: string, counted = false): Pod => own({ name, phase: "Succeeded", counted });
const lost = (name: string, counted = false): Pod => own({ name, phase: "Failed", counted });
const condition = (type: string, status = "True") => ({ type, status, reason: "r", lastTransitionTime: NOW });

function pods(actions: readonly Action[]): readonly string[] {
  return actions
    .filter((action) => !(action.kind === "patch" && action.subresource === "status"))
    .map((action) =>
      action.kind === "create"
        ? "create"
        : `${action.kind === "patch" ? "release" : action.kind} ${action.object.metadata?.name}`,
    );
}

function decide(job: Job, all: readonly Pod[]) {
  const decision = decideJob({ job, pods: all, nowMs: NOW_MS, now: NOW });
  const patch = decision.actions.find((action) => action.kind === "patch" && action.subresource === "status");
  const status = (patch?.kind === "patch" ? patch.body["status"] : {}) as Status;
  const types = (status.conditions ?? [])
    .filter((one) => one.status === "True")
    .map((one) => `${one.type} ${one.reason}`);
  return { pods: pods(decision.actions), status, types, recheckAfterMs: decision.recheckAfterMs };
}

interface Row {
  readonly name: string;
  readonly job: Job;
  readonly pods?: readonly Pod[];
  readonly want: readonly string[];
  readonly types?: readonly string[];
  readonly status?: Partial<Status>;
}

const rows: readonly Row[] = [
  { name: "a new job begins", job: jobOf(), want: ["create"], status: { active: 0 } },
  {
    name: "it waits for its pod",
    job: jobOf(),
    pods: [own({ name: "p" })],
    want: [],
    status: { active: 1, ready: 1 },
  },
  {
    name: "as many at a time as it may",
    job: jobOf({ parallelism: 3, completions: 5 }),
    pods: [own({ name: "p" })],
    want: ["create", "create"],
  },
  {
    name: "no more than are needed",
    job: jobOf({ parallelism: 3, completions: 4 }, { succeeded: 3 }),
    want: ["create"],
  },
  {
    name: "too many for a smaller parallelism",
    job: jobOf({ parallelism: 1, completions: 5 }),
    pods: [own({ name: "p" }), own({ name: "q" })],
    want: ["release p", "delete p"],
  },
  {
    name: "another job's pods do not count",
    job: jobOf(),
    pods: [podOf({ name: "p", owner: { uid: "x", kind: "Job" } })],
    want: ["create"],
  },
  {
    name: "an end is put into the status first",
    job: jobOf(),
    pods: [done("p")],
    want: [],
    types: ["SuccessCriteriaMet CompletionsReached"],
    status: { succeeded: 0, uncountedTerminatedPods: { succeeded: ["p"], failed: [] } },
  },
  {
    name: "then the pod is let go",
    job: jobOf({}, { uncountedTerminatedPods: { succeeded: ["p"], failed: [] } }),
    pods: [done("p")],
    want: ["release p"],
    status: { succeeded: 0 },
  },
  {
    name: "then it is counted, and the job is complete",
    job: jobOf({}, { uncountedTerminatedPods: { succeeded: ["p"], failed: [] } }),
    pods: [done("p", true)],
    want: [],
    types: ["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"],
    status: { succeeded: 1, completionTime: NOW },
  },
  {
    name: "one that was deleted meanwhile counts all the same",
    job: jobOf({}, { uncountedTerminatedPods: { succeeded: ["p"], failed: [] } }),
    want: [],
    types: ["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"],
    status: { succeeded: 1 },
  },
  {
    name: "a failed one is replaced after its time",
    job: jobOf(),
    pods: [lost("p")],
    want: ["create"],
    status: { succeeded: 0 },
  },
  {
    name: "a pod that somebody deletes has failed",
    job: jobOf(),
    pods: [own({ name: "p", terminating: true })],
    want: ["create"],
    status: { terminating: 1, uncountedTerminatedPods: { succeeded: [], failed: ["p"] } },
  },
  {
    name: "too many failures: what runs goes",
    job: jobOf({ backoffLimit: 0, parallelism: 2, completions: 2 }),
    pods: [lost("p"), own({ name: "q" })],
    want: ["delete q"],
    types: ["FailureTarget BackoffLimitExceeded"],
  },
  {
    name: "failed, when all is counted",
    job: jobOf({ backoffLimit: 0 }, { failed: 1, conditions: [condition("FailureTarget")] }),
    pods: [lost("p", true)],
    want: [],
    types: ["FailureTarget r", "Failed r"],
  },
  {
    name: "not before its pods are gone",
    job: jobOf({}, { failed: 3, conditions: [condition("FailureTarget")] }),
    pods: [own({ name: "p", terminating: true, counted: true })],
    want: [],
    types: ["FailureTarget r"],
  },
  {
    name: "past its deadline",
    job: jobOf({ activeDeadlineSeconds: 60 }, { startTime: "2026-01-01T11:00:00Z" }),
    pods: [own({ name: "p" })],
    want: ["delete p"],
    types: ["FailureTarget DeadlineExceeded"],
  },
  {
    name: "suspended: its pods go, and do not count",
    job: jobOf({ suspend: true }),
    pods: [own({ name: "p" })],
    want: ["release p", "delete p"],
    types: ["Suspended JobSuspended"],
  },
  {
    name: "resumed",
    job: jobOf({}, { conditions: [condition("Suspended")] }),
    want: ["create"],
    types: [],
  },
  {
    name: "a queue: one success, and no more are made",
    job: {
      ...jobOf({ parallelism: 3 }),
      spec: { ...jobOf({ parallelism: 3 }).spec, completions: undefined } as never,
    },
    pods: [done("p"), own({ name: "q" })],
    want: [],
    types: [],
  },
  {
    name: "deleted: its pods are let go",
    job: jobOf({}, {}, true),
    pods: [own({ name: "p" }), done("q", true)],
    want: ["release p"],
  },
  {
    name: "complete: left alone",
    job: jobOf({}, { conditions: [condition("Complete")] }),
    pods: [done("p", true)],
    want: [],
  },
  {
    name: "complete, and its time to live is over",
    job: jobOf({ ttlSecondsAfterFinished: 0 }, { conditions: [condition("Complete")] }),
    want: ["delete job"],
  },
];
for (const row of rows)
  test(`job: ${row.name}`, () => {
    const got = decide(row.job, row.pods ?? []);
    assert.deepEqual(got.pods, row.want);
    if (row.types !== undefined) assert.deepEqual(got.types, row.types);
    for (const [key, value] of Object.entries(row.status ?? {}))
      assert.deepEqual(got.status[key as keyof Status], value, key);
  });

test("job: it comes back for its deadline, the next try and its time to live", () => {
  const deadline = decide(jobOf({ activeDeadlineSeconds: 60 }), [own({ name: "p" })]);
  assert.equal(deadline.recheckAfterMs, 60_000);
  const justNow = { endedAt: NOW, phase: "Failed" };
  const retry = decide(jobOf(), [own({ name: "p", ...justNow })]);
  assert.deepEqual([retry.pods, retry.recheckAfterMs], [[], 10_000]);
  const second = decide(
    jobOf({ backoffLimit: 6 }),
    ["p", "q"].map((name) => own({ name, ...justNow })),
  );
  assert.equal(second.recheckAfterMs, 20_000);
  const life = decide(jobOf({ ttlSecondsAfterFinished: 9 }, { conditions: [condition("Failed")] }), []);
  assert.equal(life.recheckAfterMs, 9000);
});

test("job: restarts in place count against the limit", () => {
  const template = { spec: { containers: [], restartPolicy: "OnFailure" } };
  const running = own({ name: "p" });
  const [status] = running.status?.containerStatuses ?? [];
  assert.ok(status);
  const restarted: Pod = {
    ...running,
    status: { ...running.status, containerStatuses: [{ ...status, restartCount: 2 }] },
  };
  assert.deepEqual(decide(jobOf({ template }), [restarted]).types, ["FailureTarget BackoffLimitExceeded"]);
  assert.deepEqual(decide(jobOf({ template, backoffLimit: 3 }), [restarted]).types, []);
});

test("job: every pod ends up counted once, whatever happens between the steps", () => {
  let job = jobOf({ parallelism: 2, completions: 2 });
  let all: Pod[] = [done("p"), done("q")];
  for (let step = 0; step < 10; step++) {
    const decision = decideJob({ job, pods: all, nowMs: NOW_MS, now: NOW });
    for (const action of decision.actions) {
      if (action.kind !== "patch") continue;
      if (action.subresource === "status") {
        const given = action.body["status"] as Status;
        const status = Object.fromEntries(
          Object.entries({ ...job.status, ...given }).filter(([, value]) => value !== null),
        );
        job = { ...job, status };
      } else if (step % 2 === 0) all = all.filter((pod) => pod !== action.object);
    }
  }
  assert.equal(job.status?.succeeded, 2);
  assert.ok(job.status?.conditions?.some(({ type }) => type === "Complete"));
  assert.equal(job.status?.uncountedTerminatedPods, undefined);
});

test("job: pods of a job that is gone are let go, with their other finalizers kept", () => {
  const [action] = releaseAll([own({ name: "p" }), own({ name: "q", counted: true })]);
  assert.ok(action?.kind === "patch");
  assert.deepEqual(action.body, { metadata: { finalizers: ["x"] } });
});
