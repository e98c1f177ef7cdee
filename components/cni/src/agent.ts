/** The node agent as a whole: what starts in which order, and what its end leaves behind. */

import { rm } from "node:fs/promises";
import type { CaptureBackend } from "@meltemi/ebpf";
import type { KubernetesClient } from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import type { Clock, Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import { createZdsServer } from "@meltemi/zds";
import { type HttpServer, startHttpServer } from "./admin/http.ts";
import { createReadiness, type Readiness } from "./admin/readiness.ts";
import type { OpenedCapture } from "./capture/open-capture.ts";
import { retirePrevious } from "./capture/retire-previous.ts";
import type { CniConfig } from "./config.ts";
import { createEnroller, type Enroller } from "./enrol/enroller.ts";
import { createMeshPods, type MeshPods } from "./enrol/mesh-pods.ts";
import { addressesIn } from "./enrol/pod-addresses.ts";
import { createNamespaceFinder, podNamespaceOpener } from "./enrol/pod-netns.ts";
import { createZtunnels, type Ztunnels } from "./handoff/ztunnels.ts";
import { PLUGIN_TYPE } from "./install/conf-file.ts";
import { decideShutdown } from "./install/decide-shutdown.ts";
import { createInstaller, type Installer } from "./install/installer.ts";
import type { PluginPayload } from "./install/plugin-program.ts";
import { readDaemonSet } from "./install/read-daemon-set.ts";
import { releaseAll } from "./install/release-all.ts";
import { type CniMetrics, createCniMetrics } from "./metrics.ts";
import { createNewPodEnrolment } from "./plugin-events/enrol-new-pod.ts";
import { type PluginEventServer, startPluginEventServer } from "./plugin-events/server.ts";
import { type Informers, startInformers } from "./reconcile/informers.ts";
import { createPodWatch, type PodWatch } from "./reconcile/pod-watch.ts";

export interface AgentDependencies {
  readonly client: KubernetesClient;
  readonly capture: OpenedCapture;
  readonly openCapture: (kind: CaptureBackend["kind"]) => OpenedCapture;
  /** The node's own, in which no pod lives. */
  readonly nodeNamespaces: readonly NetworkNamespace[];
  readonly payload: PluginPayload;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

interface Parts {
  readonly readiness: Readiness;
  readonly metrics: CniMetrics;
  readonly pods: MeshPods;
  readonly enroller: Enroller;
  readonly informers: Informers;
  readonly podWatch: PodWatch;
  readonly installer: Installer;
  readonly ztunnels: Ztunnels;
}

/**
 * Runs until `stopping` is aborted, then ends its part; uninstalls when the mesh is being removed from the cluster, and otherwise leaves
 * capture and plugin in place. Rejects when a socket cannot be had.
 */
export async function runAgent(
  config: CniConfig,
  deps: AgentDependencies,
  stopping: AbortSignal,
): Promise<void> {
  const parts = makeParts(config, deps);
  const stopped = whenAborted(stopping);
  await using open = new AsyncDisposableStack();
  for (const server of await startAdmin(config, deps, parts)) open.defer(() => server.close());
  const daemonSetAtStart = (await readDaemonSet(deps.client, config.daemonSet)).kind;
  open.defer(() => parts.informers.stop());
  await Promise.race([parts.informers.synced, stopped]);
  if (!stopping.aborted) {
    const pluginEvents = await serve(config, deps, parts);
    open.defer(() => parts.ztunnels.close());
    await stopped;
    await pluginEvents.close();
  }
  await parts.installer.stop();
  await parts.podWatch.stop();
  const decision = decideShutdown(daemonSetAtStart, await readDaemonSet(deps.client, config.daemonSet));
  deps.log.info("stopping", { decision: decision.kind, why: decision.why });
  if (decision.kind === "leave-in-place") return;
  await parts.installer.uninstall();
  await releaseAll(parts.pods.list(), { ...deps, enroller: parts.enroller });
  await deps.capture.remove();
  await rm(captureMemory(config), { force: true });
}

function makeParts(config: CniConfig, deps: AgentDependencies): Parts {
  const { client, clock, random, log } = deps;
  const capture = deps.capture.backend;
  const pods = createMeshPods();
  const readiness = createReadiness();
  const metrics = createCniMetrics(deps.registry, () => pods.uids().length);
  const ztunnels = createZtunnels({ clock, onConnections: metrics.ztunnels });
  const enroller = createEnroller(config.enrolment, {
    capture,
    client,
    pods,
    clock,
    log: log.scope("enrol"),
    zds: ztunnels,
    findNamespace: createNamespaceFinder(config.hostProc, {
      open: podNamespaceOpener(deps.nodeNamespaces),
      addressesIn,
    }).find,
    onEvent: metrics.reconciled,
  });
  const informers = startInformers(client, config.nodeName, { clock, random, log: log.scope("informer") });
  const podWatch = createPodWatch({
    ...informers,
    enroller,
    capture,
    pods,
    clock,
    random,
    log: log.scope("reconcile"),
  });
  const installer = createInstaller(config.install, {
    clock,
    log: log.scope("install"),
    payload: deps.payload,
    entry: {
      type: PLUGIN_TYPE,
      cni_agent_run_dir: config.runFolder,
      exclude_namespaces: [...config.enrolment.excludeNamespaces],
    },
    onState: (missing) => readiness.set("plugin", missing),
    onInstall: metrics.installed,
  });
  return { readiness, metrics, pods, enroller, informers, podWatch, installer, ztunnels };
}

/** From here on the kubelet and operators are answered, whatever the agent still waits for. */
async function startAdmin(
  { ports }: CniConfig,
  { log, registry }: AgentDependencies,
  { readiness, metrics }: Parts,
): Promise<readonly HttpServer[]> {
  const health = await startHttpServer(
    ports.health,
    ({ path }) => {
      if (path === "/healthz") return { status: 200, body: "ok\n" };
      return path === "/readyz"
        ? readiness.answer()
        : { status: 404, body: "expected /healthz or /readyz\n" };
    },
    log,
  );
  const monitoring = await startHttpServer(
    ports.metrics,
    ({ path, accept }) => {
      if (path !== "/metrics") return { status: 404, body: "expected /metrics\n" };
      metrics.ready(readiness.isReady);
      return { status: 200, ...registry.exposition(accept) };
    },
    log,
  );
  return [health, monitoring];
}

/** In this order: what a ztunnel is told must be complete before one can connect, and pods come last, when everything can serve them. */
async function serve(config: CniConfig, deps: AgentDependencies, parts: Parts): Promise<PluginEventServer> {
  const { clock, log } = deps;
  const { readiness, metrics, pods, enroller, informers, podWatch, installer, ztunnels } = parts;
  readiness.set("capture", undefined);
  readiness.set("informers", undefined);
  await podWatch.restore();
  const capture = deps.capture.backend.kind;
  await retirePrevious(captureMemory(config), capture, {
    open: deps.openCapture,
    netnsOf: (uid) => pods.get(uid)?.netns,
    log,
  });
  ztunnels.listen((onConnections) =>
    createZdsServer({ path: config.ztunnelSocket }, { clock, log: log.scope("zds"), pods, onConnections }),
  );
  readiness.set("ztunnel socket", undefined);
  const pluginEvents = await startPluginEventServer(`${config.runFolder}/pluginevent.sock`, {
    clock,
    log: log.scope("plugin"),
    onRequest: metrics.pluginRequest,
    enrol: createNewPodEnrolment(config, {
      ...informers,
      client: deps.client,
      enroller,
      open: podNamespaceOpener(deps.nodeNamespaces),
      addressesIn,
      pods,
      clock,
      log: log.scope("plugin"),
    }),
  });
  readiness.set("plugin socket", undefined);
  podWatch.start();
  await installer.check();
  log.info("serving", { node: config.nodeName, capture, pods: pods.uids().length });
  return pluginEvents;
}

/** Which kind of capture this node has. */
function captureMemory(config: CniConfig): string {
  return `${config.runFolder}/capture`;
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
