/** Puts a node together: its folders, its place in the API, and its kubelet. */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { ConfigMap, Informer, KubernetesClient, Pod, Secret } from "@meltemi/kubernetes";
import { openNetworkNamespace } from "@meltemi/linux";
import type { Clock, Logger } from "@meltemi/runtime";
import { createPluginChain } from "../kubelet/cni/chain.ts";
import { renderFirstList } from "../kubelet/cni/conflist.ts";
import { parseCatalogue } from "../kubelet/container/image.ts";
import { createEventRecorder } from "../kubelet/events.ts";
import { type Kubelet, startKubelet } from "../kubelet/kubelet.ts";
import type { NodeContext } from "../kubelet/node-context.ts";
import { type NodeRegistration, registerNode } from "../kubelet/node-status.ts";
import { NODE_FOLDERS } from "../kubelet/volumes/host-path.ts";
import { createAddressPool, type NodePlan, nodeNamespace } from "../network/addresses.ts";
import { namespacePath } from "../network/build.ts";
import { makeNodeBpfFolder } from "./bpf.ts";
import { otherDisks } from "./disks.ts";
import { type ClusterFolder, STATE_ROOT } from "./state.ts";

export interface NodesOptions {
  readonly cluster: string;
  readonly folder: ClusterFolder;
  readonly cgroupFolder: string;
  readonly projectFolder: string;
  readonly version: string;
  readonly zones: readonly string[];
  readonly restartBaseMs: number;
}

export interface NodesDependencies {
  readonly client: KubernetesClient;
  readonly pods: Informer<Pod>;
  readonly configMaps: Informer<ConfigMap>;
  readonly secrets: Informer<Secret>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface RunningNode {
  readonly kubelet: Kubelet;
  readonly registration: NodeRegistration;
}

/** The kubelet's own upper limit. */
const RESTART_MAX_MS = 300_000;
const FIRST_CONFLIST = "10-meltemi.conflist";

export async function startNode(
  plan: NodePlan,
  options: NodesOptions,
  deps: NodesDependencies,
): Promise<RunningNode> {
  const context = await nodeContext(plan, options, deps);
  const registration = await registerNode(
    { plan, labels: zoneLabel(plan, options.zones), taints: [], version: options.version },
    { client: deps.client, clock: deps.clock, log: deps.log },
  );
  return { kubelet: await startKubelet(context), registration };
}

function zoneLabel(plan: NodePlan, zones: readonly string[]): Readonly<Record<string, string>> {
  const zone = zones[(plan.index - 1) % Math.max(1, zones.length)];
  return zone === undefined ? {} : { "topology.kubernetes.io/zone": zone };
}

async function nodeContext(
  plan: NodePlan,
  options: NodesOptions,
  deps: NodesDependencies,
): Promise<NodeContext> {
  const { cluster, folder, projectFolder } = options;
  const state = folder.node(plan.name);
  await makeNodeFileSystem(state.fileSystem);
  const path = namespacePath(nodeNamespace(cluster, plan.name));
  const log = deps.log.scope(`kubelet::${plan.name}`);
  return {
    cluster,
    plan,
    namespacePath: path,
    netns: openNetworkNamespace(path),
    folders: { fileSystem: state.fileSystem, bpf: await makeNodeBpfFolder(cluster, plan.name) },
    podsFolder: state.pods,
    cgroupFolder: options.cgroupFolder,
    hiddenFolders: hiddenFolders(folder.path),
    projectFolder,
    nodeProgram: process.execPath,
    images: parseCatalogue(await readFile(join(projectFolder, "deploy/images/catalogue.json"), "utf8")),
    disks: otherDisks(await readFile("/proc/self/mountinfo", "utf8"), folder.path),
    capacity: { cpus: cpus().length, memoryBytes: totalmem() },
    restartBackoff: { baseMs: options.restartBaseMs, maxMs: RESTART_MAX_MS },
    client: deps.client,
    pods: deps.pods,
    configMaps: deps.configMaps,
    secrets: deps.secrets,
    addresses: createAddressPool(),
    plugins: createPluginChain(
      { fileSystem: state.fileSystem, scratch: state.scratch, nodeNamespacePath: path },
      { log },
    ),
    events: createEventRecorder(
      { component: "kubelet", host: plan.name },
      { client: deps.client, clock: deps.clock, log },
    ),
    clock: deps.clock,
    random: deps.random,
    log,
  };
}

function hiddenFolders(stateFolder: string): readonly string[] {
  if (isWithin(stateFolder, STATE_ROOT)) return [STATE_ROOT];
  return existsSync(STATE_ROOT) ? [STATE_ROOT, stateFolder] : [stateFolder];
}

function isWithin(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

/** The node's own folders, and a first network list for others to chain themselves in. */
async function makeNodeFileSystem(fileSystem: string): Promise<void> {
  for (const path of NODE_FOLDERS) await mkdir(join(fileSystem, path), { recursive: true, mode: 0o755 });
  for (const path of ["/etc/cni/net.d", "/opt/cni/bin", "/run/netns", "/var/lib", "/var/log"])
    await mkdir(join(fileSystem, path), { recursive: true, mode: 0o755 });
  const lists = join(fileSystem, "etc/cni/net.d");
  if ((await readdir(lists)).length === 0) await writeFile(join(lists, FIRST_CONFLIST), renderFirstList());
}
