/** The cluster's one process: API server, controllers, scheduler, DNS, service proxy, and a kubelet per node. */

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CONFIG_MAPS,
  createInformer,
  createKubernetesClient,
  ENDPOINT_SLICES,
  type EndpointSlice,
  type Informer,
  type KubernetesClient,
  type KubernetesObject,
  loadKubeconfig,
  NAMESPACES,
  PODS,
  type ResourceType,
  SECRETS,
  SERVICES,
} from "@meltemi/kubernetes";
import {
  connectTcp,
  createTcpListener,
  findCgroup2Mount,
  type NetworkNamespace,
  openNetworkNamespace,
} from "@meltemi/linux";
import { type Clock, type Logger, MeshError } from "@meltemi/runtime";
import type { StaticToken } from "../api-server/identity/authenticate.ts";
import type { PodLogs } from "../api-server/pod-logs.ts";
import type { PodAccess } from "../api-server/pod-sessions.ts";
import { type ApiServer, createApiServer } from "../api-server/server.ts";
import { startScheduler } from "../controllers/scheduler.ts";
import { startControllers } from "../controllers/start.ts";
import type { ClusterView } from "../dns/records.ts";
import { type DnsServer, startDnsServer } from "../dns/server.ts";
import { createUpstream, parseNameservers } from "../dns/upstream.ts";
import { clusterCgroup } from "../kubelet/container/cgroup.ts";
import {
  FABRIC,
  FABRIC_API_PORT,
  fabricNamespace,
  nodeNamespace,
  planNodes,
  SERVICE_RANGES,
} from "../network/addresses.ts";
import { ensureClusterNetwork, namespacePath } from "../network/build.ts";
import { startServiceProxy } from "../network/service-proxy.ts";
import {
  type ComponentClients,
  type Components,
  createComponentClients,
  createComponents,
  tokensOf,
} from "./components.ts";
import { type ClusterCredentials, ensureCredentials, writeKubeconfig } from "./credentials.ts";
import { type RunningNode, startNode } from "./nodes.ts";
import { podsOf } from "./pods-of.ts";
import { type ClusterDescription, type ClusterFolder, clusterFolder, readDescription } from "./state.ts";
import { applySystemObjects, DNS_PORT } from "./system-objects.ts";

export interface RunOptions {
  readonly state: string;
  readonly projectFolder: string;
  readonly version: string;
  readonly restartBaseMs: number;
}

export interface RunDependencies {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface RunningCluster {
  /** Lets go of everything; pods run on until the cluster is taken down or comes back. */
  stop(): Promise<void>;
}

export async function runCluster(options: RunOptions, deps: RunDependencies): Promise<RunningCluster> {
  const folder = clusterFolder(options.state);
  const description = await readDescription(folder);
  if (description === undefined)
    throw new MeshError(
      "NOT_FOUND",
      `${folder.description}: expected a cluster; make one with \`meltemi cluster up\``,
    );
  const nodes = planNodes(description.nodes);
  await ensureClusterNetwork(description.name, nodes);
  const credentials = await ensureCredentials(folder, description, deps.clock.nowMs());
  await writeKubeconfig(folder, description, credentials);

  const running = new Map<string, RunningNode>();
  const fabric = openNetworkNamespace(namespacePath(fabricNamespace(description.name)));
  const components = createComponents(nodes);
  const api = await startApi(
    { description, folder, credentials, componentTokens: tokensOf(components) },
    { ...deps, fabric, podLogs: readLogsFrom(running), podAccess: podsOf(running) },
  );
  const access = loadKubeconfig(await readFile(folder.kubeconfig, "utf8"));
  // What the whole process looks at is looked at once, by the administrator; what a component writes, it writes as itself.
  const client = createKubernetesClient(access, { clock: deps.clock });
  const clients = createComponentClients(access, deps);
  await applySystemObjects(client);
  const stores = startInformers(client, deps);
  const workers = startControlLoops(components, clients, credentials, deps);
  const dns = await startDns(description.name, stores, deps.log.scope("dns"));
  const proxy = startServiceProxy(
    { nodes: nodes.map(({ name }) => ({ name, namespace: nodeNamespace(description.name, name) })) },
    { ...deps, log: deps.log.scope("proxy"), services: stores.services, slices: stores.slices },
  );
  const nodesOptions = {
    cluster: description.name,
    folder,
    cgroupFolder: await ensureCgroup(description.name),
    projectFolder: options.projectFolder,
    version: options.version,
    zones: description.zones,
    restartBaseMs: options.restartBaseMs,
  };
  for (const { plan, identity } of components.kubelets) {
    const nodeDeps = { ...deps, ...stores, client: clients.as(identity) };
    running.set(plan.name, await startNode(plan, nodesOptions, nodeDeps));
  }
  deps.log.info("cluster runs", { nodes: nodes.length, port: description.apiPort });
  const parts = { running, workers, proxy, stores, dns, clients: [clients, client], api, fabric };
  return { stop: () => stopParts(parts) };
}

interface RunningParts {
  readonly running: ReadonlyMap<string, RunningNode>;
  readonly workers: readonly { stop(): Promise<void> }[];
  readonly proxy: { stop(): void };
  readonly stores: Readonly<Record<string, { stop(): void }>>;
  readonly dns: DnsServer;
  readonly clients: readonly { close(): void }[];
  readonly api: ApiServer;
  readonly fabric: NetworkNamespace;
}

/** Who asks before who is asked. */
async function stopParts(parts: RunningParts): Promise<void> {
  for (const { kubelet, registration } of parts.running.values()) {
    registration.stop();
    await kubelet.stop();
  }
  await Promise.all(parts.workers.map((worker) => worker.stop()));
  parts.proxy.stop();
  for (const informer of Object.values(parts.stores)) informer.stop();
  parts.dns.close();
  for (const client of parts.clients) client.close();
  await parts.api.close();
  parts.fabric[Symbol.dispose]();
}

interface ApiOptions {
  readonly description: ClusterDescription;
  readonly folder: ClusterFolder;
  readonly credentials: ClusterCredentials;
  readonly componentTokens: readonly StaticToken[];
}

interface ApiDependencies extends RunDependencies {
  /** Where the nodes and their pods are. */
  readonly fabric: NetworkNamespace;
  readonly podLogs: PodLogs;
  readonly podAccess: PodAccess;
}

async function startApi(options: ApiOptions, deps: ApiDependencies): Promise<ApiServer> {
  const { description, folder, credentials, componentTokens } = options;
  const { fabric, podLogs, podAccess } = deps;
  const address = { ip: FABRIC.v4, port: FABRIC_API_PORT };
  const { fd } = createTcpListener({ netns: fabric, address, backlog: 1024 });
  return createApiServer(
    {
      statePath: folder.database,
      tls: { keyPem: credentials.serverKeyPem, certPem: credentials.serverCertPem, caPem: credentials.caPem },
      listeners: [
        { kind: "address", host: "127.0.0.1", port: description.apiPort },
        { kind: "descriptor", fd },
      ],
      serviceAccountIssuer: "https://kubernetes.default.svc.cluster.local",
      serviceAccountKeyPem: credentials.serviceAccountKeyPem,
      adminToken: credentials.adminToken,
      componentTokens,
      clusterName: description.name,
      serviceCidr: SERVICE_RANGES.v4,
      serviceCidrIpv6: SERVICE_RANGES.v6,
    },
    {
      clock: deps.clock,
      logger: deps.log.scope("api"),
      podLogs,
      podAccess,
      // This process is outside the cluster's network, where the pods of webhooks are.
      dialCluster: (ip, port, signal) => connectTcp({ netns: fabric, destination: { ip, port } }, signal),
    },
  );
}

function startControlLoops(
  { controllers, scheduler }: Components,
  clients: ComponentClients,
  credentials: ClusterCredentials,
  deps: RunDependencies,
): readonly { stop(): Promise<void> }[] {
  const options = { certificateAuthority: credentials.caPem };
  return [
    startControllers(clients.as(controllers), options, { ...deps, log: deps.log.scope("controllers") }),
    startScheduler(clients.as(scheduler), {}, { ...deps, log: deps.log.scope("scheduler") }),
  ];
}

function startInformers(client: KubernetesClient, deps: RunDependencies) {
  const log = deps.log.scope("watch");
  const watch = <T extends KubernetesObject>(type: ResourceType<T>): Informer<T> =>
    createInformer(client, type, {}, { ...deps, log });
  return {
    pods: watch(PODS),
    services: watch(SERVICES),
    slices: createInformer(client, ENDPOINT_SLICES, { indexes: { service: serviceOf } }, { ...deps, log }),
    namespaces: watch(NAMESPACES),
    configMaps: watch(CONFIG_MAPS),
    secrets: watch(SECRETS),
  };
}

function serviceOf(slice: EndpointSlice): readonly string[] {
  const service = slice.metadata?.labels?.["kubernetes.io/service-name"];
  return service === undefined ? [] : [`${slice.metadata?.namespace ?? ""}/${service}`];
}

async function startDns(
  cluster: string,
  stores: ReturnType<typeof startInformers>,
  log: Logger,
): Promise<DnsServer> {
  const view: ClusterView = {
    service: (namespace, name) => stores.services.get(`${namespace}/${name}`),
    slices: (namespace, service) => stores.slices.byIndex("service", `${namespace}/${service}`),
    hasNamespace: (namespace) => stores.namespaces.get(namespace) !== undefined,
  };
  const servers = parseNameservers(await readFile("/etc/resolv.conf", "utf8").catch(() => ""));
  await Promise.all([stores.services.synced, stores.slices.synced, stores.namespaces.synced]);
  return startDnsServer(
    {
      namespacePath: namespacePath(fabricNamespace(cluster)),
      addresses: [FABRIC.v4, FABRIC.v6],
      port: DNS_PORT,
    },
    { log, view, upstream: createUpstream({ servers }) },
  );
}

/** Whoever runs the pod has its log. */
function readLogsFrom(running: ReadonlyMap<string, RunningNode>): PodLogs {
  return (namespace, pod, container, options) => {
    for (const { kubelet } of running.values()) {
      const log = kubelet.logs(namespace, pod, container, options);
      if (log !== undefined) return log;
    }
    throw new MeshError("NOT_FOUND", `container ${container} of pod ${namespace}/${pod} runs on no node yet`);
  };
}

async function ensureCgroup(cluster: string): Promise<string> {
  const mount = findCgroup2Mount();
  if (mount === undefined) throw new MeshError("UNSUPPORTED", "cgroup version 2 is not mounted");
  const folder = clusterCgroup(mount, cluster);
  await mkdir(join(folder), { recursive: true });
  return folder;
}
