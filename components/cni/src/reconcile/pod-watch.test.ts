import assert from "node:assert/strict";
import { test } from "node:test";
import type { Informer, InformerHandlers, KubernetesObject, Namespace, Pod } from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { createMeshPods } from "../enrol/mesh-pods.ts";
import { createPodWatch } from "./pod-watch.ts";

const podWith = (uid: string, namespace = "shop"): Pod => ({ metadata: { name: uid, namespace, uid } });
const labelled = (mode?: string): Namespace => ({
  metadata: { name: "shop", ...(mode !== undefined && { labels: { "istio.io/dataplane-mode": mode } }) },
});

/** Objects by name, changed by hand. */
function fakeInformer<T extends KubernetesObject>(objects: readonly T[]) {
  const all = new Map(objects.map((object) => [object.metadata?.name ?? "", object]));
  const handlers: InformerHandlers<T>[] = [];
  const informer: Informer<T> = {
    synced: Promise.resolve(),
    hasSynced: true,
    get: (key) => all.get(key),
    list: () => [...all.values()],
    byIndex: (index, value) =>
      [...all.values()].filter(
        ({ metadata }) => value === (index === "uid" ? metadata?.uid : metadata?.namespace),
      ),
    onChange(added, { replay = true } = {}) {
      handlers.push(added);
      if (replay) for (const object of all.values()) added.add?.(object);
      return () => undefined;
    },
    stop: () => undefined,
  };
  return {
    informer,
    put(object: T) {
      const name = object.metadata?.name ?? "";
      const previous = all.get(name);
      all.set(name, object);
      for (const each of handlers)
        previous === undefined ? each.add?.(object) : each.update?.(previous, object);
    },
    remove(object: T) {
      all.delete(object.metadata?.name ?? "");
      for (const each of handlers) each.delete?.(object);
    },
  };
}

function world(options: { pods?: readonly Pod[]; captured?: readonly string[]; failures?: number } = {}) {
  const clock = createFakeClock();
  const did: string[] = [];
  const pods = fakeInformer(options.pods ?? []);
  const namespaces = fakeInformer<Namespace>([labelled()]);
  const meshPods = createMeshPods();
  let failures = options.failures ?? 0;
  const watch = createPodWatch({
    podInformer: pods.informer,
    namespaces: namespaces.informer,
    pods: meshPods,
    capture: { list: async () => (options.captured ?? []).map((uid) => ({ uid })) },
    enroller: {
      restore: async (pod) => void did.push(`restore ${pod.metadata?.uid}`),
      async reconcile(pod, namespace) {
        did.push(`reconcile ${pod.metadata?.uid} ${Object.values(namespace?.metadata?.labels ?? {})}`.trim());
        if (failures-- > 0) throw new Error("ztunnel is away");
      },
      async forget(uid) {
        did.push(`forget ${uid}`);
        meshPods.remove(uid);
      },
      enrolSandbox: () => Promise.reject(new Error("not here")),
      release: async () => undefined,
    },
    clock,
    random: () => 0.5,
    log: createLogger(
      { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => undefined },
      "t",
    ),
  });
  return { clock, did, pods, namespaces, meshPods, watch };
}

test("after a restart pods are restored, those that went meanwhile are forgotten, the rest is looked at", async () => {
  const { did, watch, clock } = world({ pods: [podWith("a"), podWith("b")], captured: ["a", "gone"] });
  await watch.restore();
  await clock.settle();
  assert.deepEqual(did, ["restore a", "restore b", "forget gone", "reconcile a"]);
  watch.start();
  await clock.settle();
  assert.deepEqual(did.slice(4), ["reconcile a", "reconcile b"]);
  await watch.stop();
});

test("pods are followed from their coming to their going", async () => {
  const { did, watch, pods, clock } = world();
  watch.start();
  pods.put(podWith("a"));
  await clock.settle();
  pods.remove(podWith("a"));
  await clock.settle();
  assert.deepEqual(did, ["reconcile a", "forget a"]);
  await watch.stop();
});

test("a namespace's label concerns its pods, another label does not", async () => {
  const { did, watch, namespaces, clock } = world({ pods: [podWith("a"), podWith("x", "other")] });
  watch.start();
  await clock.settle();
  did.length = 0;
  namespaces.put({ metadata: { name: "shop", annotations: { team: "blue" } } });
  await clock.settle();
  assert.deepEqual(did, []);
  namespaces.put(labelled("ambient"));
  await clock.settle();
  assert.deepEqual(did, ["reconcile a ambient"]);
  await watch.stop();
});

test("what fails is tried again, later each time", async () => {
  const { did, watch, clock } = world({ pods: [podWith("a")], failures: 3 });
  watch.start();
  await clock.settle();
  for (const delayMs of [5, 10, 20]) await clock.settle(delayMs);
  assert.equal(did.length, 4);
  await watch.stop();
});

test("a sandbox whose pod the API never shows is let go, not at once", async () => {
  const { did, watch, meshPods, clock } = world();
  watch.start();
  const netns = { close: () => undefined } as NetworkNamespace;
  await clock.settle(50_000);
  meshPods.put({
    uid: "u",
    name: "u",
    namespace: "shop",
    serviceAccount: "",
    netns,
    capturedAs: "",
    sinceMs: 50_000,
  });
  await clock.settle(10_000);
  assert.deepEqual(did, []);
  await clock.settle(60_000);
  assert.deepEqual(did, ["forget u"]);
  await watch.stop();
});
