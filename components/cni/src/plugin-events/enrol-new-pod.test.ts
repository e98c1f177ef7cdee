import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type KubernetesObject,
  type Namespace,
  PODS,
  type Pod,
  type ResourceType,
} from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import type { EnrolmentDecision } from "../enrol/decide-enrolment.ts";
import { createNewPodEnrolment } from "./enrol-new-pod.ts";
import type { PodEvent } from "./pod-event.ts";

const EVENT: PodEvent = {
  podName: "web",
  podNamespace: "shop",
  podUid: "u2",
  netnsPath: "/var/run/netns/cni-1",
  addresses: ["10.0.0.2"],
};
const podWith = (uid: string): Pod => ({ metadata: { name: "web", namespace: "shop", uid } });

interface World {
  /** What the informer knows. */
  readonly known?: Pod;
  /** What each read of the API gives; the last one goes on. */
  readonly reads?: readonly (Pod | undefined)[];
  readonly namespace?: Namespace;
  readonly opens?: boolean;
}

function world({ known, reads = [], namespace = { metadata: { name: "shop" } }, opens = true }: World) {
  const clock = createFakeClock();
  let read = 0;
  const enrolled: (string | undefined)[] = [];
  const opened: string[] = [];
  const enrol = createNewPodEnrolment(
    { netnsFolder: "/host/netns", hostProc: "/host/proc" },
    {
      clock,
      log: createLogger(
        { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => undefined },
        "t",
      ),
      client: {
        get: async <T extends KubernetesObject>(type: ResourceType<T>): Promise<T | undefined> =>
          (type.kind === PODS.kind ? reads[Math.min(read++, reads.length - 1)] : undefined) as T | undefined,
      },
      podInformer: { get: () => known },
      namespaces: { get: (name) => (name === namespace.metadata?.name ? namespace : undefined) },
      open(path) {
        opened.push(path);
        return opens ? ({ fd: 7 } as NetworkNamespace) : undefined;
      },
      enroller: {
        async enrolSandbox(pod): Promise<EnrolmentDecision> {
          enrolled.push(pod.metadata?.uid);
          return { kind: "leave", why: "not-labelled" };
        },
      },
    },
  );
  return {
    clock,
    enrolled,
    opened,
    run: (event: PodEvent = EVENT) => enrol(event, new AbortController().signal),
  };
}

test("a pod that the informer knows needs no reading", async () => {
  const { run, enrolled, opened } = world({ known: podWith("u2") });
  await run();
  assert.deepEqual([enrolled, opened], [["u2"], ["/host/netns/cni-1"]]);
});

test("an older pod of that name is not the one", async () => {
  const { run, enrolled } = world({ known: podWith("u1"), reads: [podWith("u2")] });
  await run();
  assert.deepEqual(enrolled, ["u2"]);
});

test("without a uid the API decides", async () => {
  const { run, enrolled } = world({ known: podWith("u1"), reads: [podWith("u2")] });
  await run({ ...EVENT, podUid: undefined });
  assert.deepEqual(enrolled, ["u2"]);
});

test("a server that is late is asked again, a bounded number of times", async () => {
  const late = world({ reads: [undefined, podWith("u1"), podWith("u2")] });
  const done = late.run();
  await late.clock.settle(200);
  await done;
  assert.deepEqual(late.enrolled, ["u2"]);
  const never = world({ reads: [undefined] });
  const refused = assert.rejects(never.run(), { code: "NOT_FOUND" });
  await never.clock.settle(1_000);
  await refused;
  assert.deepEqual(never.enrolled, []);
});

test("a namespace that is not the pod's own, or of a form we do not know, is refused", async () => {
  await assert.rejects(world({ known: podWith("u2"), opens: false }).run(), { code: "INPUT_INVALID" });
  const other = world({ known: podWith("u2") });
  await assert.rejects(other.run({ ...EVENT, netnsPath: "/etc/passwd" }), { code: "INPUT_INVALID" });
  assert.deepEqual([other.opened, other.enrolled], [[], []]);
});

test("a Kubernetes namespace that nobody knows is refused: its labels cannot be judged", async () => {
  const { run } = world({ known: podWith("u2"), namespace: { metadata: { name: "other" } } });
  await assert.rejects(run(), { code: "NOT_FOUND" });
});
