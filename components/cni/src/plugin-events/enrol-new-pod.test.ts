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
  /** Addresses of the namespace. */
  readonly inside?: readonly string[];
  /** Who is in the mesh, by inode of the namespace; the event's is 7. */
  readonly pods?: Readonly<Record<string, bigint>>;
}

function world({
  known,
  reads = [],
  namespace = { metadata: { name: "shop" } },
  opens = true,
  inside = EVENT.addresses,
  pods = {},
}: World) {
  const clock = createFakeClock();
  let read = 0;
  const enrolled: (string | undefined)[] = [];
  const opened: string[] = [];
  const captured: string[] = [];
  const closed: bigint[] = [];
  const fakeNamespace = (inode: bigint): NetworkNamespace => {
    const close = (): void => void closed.push(inode);
    return { fd: 7, inode, device: 1n, close, [Symbol.dispose]: close };
  };
  const enrol = createNewPodEnrolment(
    { netnsFolder: "/host/netns", hostProc: "/host/proc", nodeName: "node-1" },
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
        return opens ? fakeNamespace(7n) : undefined;
      },
      addressesIn: () => inside,
      pods: {
        list: () =>
          Object.entries(pods).map(([uid, inode]) => ({
            uid,
            name: uid,
            namespace: "shop",
            serviceAccount: "default",
            netns: fakeNamespace(inode),
            capturedAs: "",
            sinceMs: 0,
          })),
      },
      enroller: {
        async enrolSandbox(pod, _, { addresses }): Promise<EnrolmentDecision> {
          enrolled.push(pod.metadata?.uid);
          captured.push(...addresses);
          return { kind: "leave", why: "not-labelled" };
        },
      },
    },
  );
  return {
    clock,
    enrolled,
    opened,
    captured,
    closed,
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

const elsewhere: Pod = { ...podWith("u2"), spec: { nodeName: "node-2", containers: [] } };
const REFUSED: readonly (World & { readonly name: string })[] = [
  { name: "of another node", known: elsewhere },
  { name: "with a namespace that has none of its addresses", inside: ["10.0.0.9"] },
  { name: "with a namespace without addresses", inside: [] },
  { name: "with the namespace of another pod", pods: { u1: 7n } },
];
for (const { name, ...which } of REFUSED)
  test(`a pod ${name} is refused`, async () => {
    const other = world({ known: podWith("u2"), ...which });
    await assert.rejects(other.run(), { code: "INPUT_INVALID" });
    assert.deepEqual(other.enrolled, []);
    assert.equal(other.closed.length, other.opened.length);
  });

test("a pod that is in the mesh gets the same namespace again", async () => {
  const again = world({ known: podWith("u2"), pods: { u2: 7n, u1: 8n } });
  await again.run();
  assert.deepEqual([again.enrolled, again.closed], [["u2"], []]);
});

test("where the plugin is told no addresses, the namespace says them", async () => {
  const alone = world({ known: podWith("u2"), inside: ["10.0.0.7"] });
  await alone.run({ ...EVENT, addresses: [] });
  assert.deepEqual(alone.captured, ["10.0.0.7"]);
});

test("a Kubernetes namespace that nobody knows is refused: its labels cannot be judged", async () => {
  const { run } = world({ known: podWith("u2"), namespace: { metadata: { name: "other" } } });
  await assert.rejects(run(), { code: "NOT_FOUND" });
});
