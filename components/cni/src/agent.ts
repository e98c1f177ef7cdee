/** The node agent, put together: informers → decisions → capture, ztunnel, annotation; and the plugin's questions on the side. */

import { join } from "node:path";
import type { CaptureBackend } from "@meltemi/ebpf";
import {
  createInformer,
  createWorkQueue,
  type Informer,
  type KubernetesClient,
  keyOf,
  NAMESPACES,
  type Namespace,
  PODS,
  type Pod,
} from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import { type Clock, describeError, type Logger, MeshError } from "@meltemi/runtime";
import { createZdsServer } from "@meltemi/zds";
import type { AgentMetrics } from "./admin/agent-metrics.ts";
import type { CniConfig } from "./config.ts";
import { createEnroller, type Enroller } from "./enrol/enroller.ts";
import { createMeshPods, type MeshPods } from "./enrol/mesh-pods.ts";
import { redirectionOf } from "./enrol/pod-facts.ts";
import { findPodNamespaces, openPodNamespace } from "./enrol/pod-netns.ts";
import type { CniEvent } from "./plugin/cni-event.ts";
import { startEventServer } from "./plugin/event-server.ts";

export interface AgentDependencies {
  readonly client: KubernetesClient;
  readonly capture: CaptureBackend;
  readonly nodeNetns: NetworkNamespace;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
}

export interface Agent {
  /** Stops serving; pods stay captured and ztunnel keeps serving them. */
  close(): Promise<void>;
  /** After {@link close}: lets every pod out of the mesh, for an agent that does not come back. */
  releasePods(): Promise<void>;
}

/** Istio's own (reference: protocol §6.6). */
const RETRY = { baseMs: 5, maxMs: 5_000 } as const;
/** A sandbox whose pod the API never showed for this long has failed; its namespace is let go. */
const ORPHAN_AFTER_MS = 60_000;
const SWEEP_EVERY_MS = 30_000;
/** Work on this many pods at a time: each waits mostly for ztunnel, which answers one after the other. */
const CONCURRENCY = 4;

interface Views {
  readonly pods: Informer<Pod>;
  readonly namespaces: Informer<Namespace>;
}

/** Resolves when the agent serves: informers are complete, running pods captured again, both sockets open. */
export async function startAgent(config: CniConfig, deps: AgentDependencies): Promise<Agent> {
  const { client, capture, clock, log, metrics } = deps;
  const fieldSelector = `spec.nodeName=${config.nodeName}`;
  const views: Views = {
    pods: createInformer(client, PODS, { fieldSelector, indexes: { namespace: podNamespace } }, deps),
    namespaces: createInformer(client, NAMESPACES, {}, deps),
  };
  await Promise.all([views.pods.synced, views.namespaces.synced]);
  const meshPods = createMeshPods();
  const findNamespace = async (uid: string): Promise<NetworkNamespace | undefined> =>
    (await findPodNamespaces(config.hostProc, new Set([uid]), deps.nodeNetns)).get(uid);
  const late = Promise.withResolvers<ReturnType<typeof createZdsServer>>();
  const zds = {
    add: async (uid: string) => (await late.promise).add(uid),
    del: async (uid: string) => (await late.promise).del(uid),
  };
  const enroller = createEnroller(config.enrolment, {
    ...{ capture, zds, pods: meshPods, client, clock, log, findNamespace },
    onEvent: metrics.reconciled,
  });
  await restorePods(views, enroller, log);
  // Only now: a ztunnel drains every pod that the snapshot lacks.
  const server = createZdsServer(
    { path: config.ztunnelSocket },
    { clock, log: log.scope("zds"), pods: meshPods, onConnections: metrics.ztunnelsConnected },
  );
  late.resolve(server);
  await forgetStalePods(views, capture, enroller);
  const stopReconciling = reconcilePods(views, meshPods, enroller, deps);
  const events = await startEventServer(
    config.runFolder,
    (event) => addSandbox(event, config, deps, views, enroller),
    log.scope("plugin"),
  );
  return {
    async close() {
      await events.close();
      await stopReconciling();
      server.close();
      for (const informer of [views.pods, views.namespaces]) informer.stop();
    },
    async releasePods() {
      for (const pod of views.pods.list())
        if (meshPods.get(pod.metadata?.uid ?? "") !== undefined) await enroller.release(pod);
      for (const { uid } of await capture.list()) await enroller.forget(uid);
    },
  };
}

function podNamespace(pod: Pod): readonly string[] {
  return [pod.metadata?.namespace ?? ""];
}

const namespaceOfPod = (views: Views, pod: Pod): Namespace | undefined =>
  views.namespaces.get(pod.metadata?.namespace ?? "");

async function restorePods(views: Views, enroller: Enroller, log: Logger): Promise<void> {
  for (const pod of views.pods.list()) {
    try {
      await enroller.restore(pod, namespaceOfPod(views, pod));
    } catch (error) {
      // It stays as it was captured before; the queue tries again.
      log.warn("could not capture a running pod again", { pod: keyOf(pod), why: describeError(error) });
    }
  }
}

/** Pods captured by an earlier run that went, or left the mesh, while the agent was away. */
async function forgetStalePods(views: Views, capture: CaptureBackend, enroller: Enroller): Promise<void> {
  const alive = new Map(views.pods.list().map((pod) => [pod.metadata?.uid, pod]));
  for (const { uid } of await capture.list()) {
    const pod = alive.get(uid);
    if (pod === undefined || !enroller.wants(pod, namespaceOfPod(views, pod))) await enroller.forget(uid);
  }
}

/** Keys of the queue: a pod to look at, or the uid of one that is gone. */
const GONE = "gone:";

function reconcilePods(
  views: Views,
  meshPods: MeshPods,
  enroller: Enroller,
  deps: AgentDependencies,
): () => Promise<void> {
  const reconcile = async (key: string): Promise<void> => {
    if (key.startsWith(GONE)) return enroller.forget(key.slice(GONE.length));
    const pod = views.pods.get(key);
    if (pod !== undefined) await enroller.reconcile(pod, namespaceOfPod(views, pod));
  };
  const queue = createWorkQueue(
    { name: "pods", concurrency: CONCURRENCY, backoff: RETRY },
    { ...deps, reconcile },
  );
  const gone = (pod: Pod): void => {
    const uid = pod.metadata?.uid ?? "";
    if (meshPods.get(uid) !== undefined || redirectionOf(pod) !== undefined) queue.add(GONE + uid);
  };
  const unsubscribe = [
    views.pods.onChange({
      add: (pod) => queue.add(keyOf(pod)),
      update: (previous, pod) => {
        if (previous.metadata?.uid !== pod.metadata?.uid) gone(previous);
        queue.add(keyOf(pod));
      },
      delete: gone,
    }),
    views.namespaces.onChange({
      update: (_, namespace) => {
        for (const pod of views.pods.byIndex("namespace", namespace.metadata?.name ?? ""))
          queue.add(keyOf(pod));
      },
    }),
  ];
  /** Sandboxes enrolled for the plugin whose pod never came, or went before the informer saw it. */
  const sweep = (): void => {
    const nowMs = deps.clock.monotonicMs();
    const known = new Set(views.pods.list().map((pod) => pod.metadata?.uid));
    for (const { uid, sinceMs } of meshPods.list())
      if (!known.has(uid) && nowMs - sinceMs >= ORPHAN_AFTER_MS) queue.add(GONE + uid);
    timer = deps.clock.after(SWEEP_EVERY_MS, sweep);
  };
  let timer = deps.clock.after(SWEEP_EVERY_MS, sweep);
  return async () => {
    timer.cancel();
    for (const stop of unsubscribe) stop();
    await queue.stop();
  };
}

/** What the plugin asks: the pod is read afresh, since its sandbox is made before any informer need know of it. */
async function addSandbox(
  event: CniEvent,
  config: CniConfig,
  deps: AgentDependencies,
  views: Views,
  enroller: Enroller,
): Promise<void> {
  const { podName: name, podNamespace: namespace } = event;
  const pod = await deps.client.get(PODS, { name, namespace });
  if (pod === undefined) throw new MeshError("NOT_FOUND", `add pod ${namespace}/${name}: no such pod`);
  const netns = openSandbox(event.netns, config, deps.nodeNetns);
  const addresses = event.addresses.filter((ip) => config.enrolment.ipv6 || !ip.includes(":"));
  await enroller.enrolSandbox(pod, await namespaceNow(views, deps.client, namespace), { netns, addresses });
  deps.metrics.pluginRequested();
}

async function namespaceNow(
  views: Views,
  client: KubernetesClient,
  name: string,
): Promise<Namespace | undefined> {
  return views.namespaces.get(name) ?? (await client.get(NAMESPACES, { name }));
}

/** The runtime's path is the host's: the same file is mounted here under another folder. */
function openSandbox(path: string, config: CniConfig, nodeNetns: NetworkNamespace): NetworkNamespace {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const process = /^\/proc\/(\d+)\/ns\/net$/.exec(path)?.[1];
  const mounted =
    process === undefined ? join(config.netnsFolder, name) : join(config.hostProc, process, "ns/net");
  const netns = openPodNamespace(mounted, nodeNetns) ?? openPodNamespace(path, nodeNetns);
  if (netns === undefined)
    throw new MeshError(
      "NOT_FOUND",
      `open sandbox ${path}: expected a pod's network namespace at ${mounted}`,
    );
  return netns;
}
