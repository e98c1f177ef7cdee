/**
 * What a bug report holds: objects, logs, dumps, and what analyze says. Never a Secret, never a token: dumps are redacted by the
 * proxies themselves, and of ConfigMaps only those of the mesh's configuration are taken.
 */

import {
  CONFIG_MAPS,
  EVENTS,
  type KubernetesObject,
  NODES,
  nameOf,
  namespaceOf,
  type Pod,
  type ResourceType,
  refOf,
} from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import { stringify } from "yaml";
import { analyze } from "../analyze/analyze.ts";
import { formatMessage } from "../analyze/message.ts";
import { loadCluster } from "../mesh-objects/load-cluster.ts";
import type { ObjectSet } from "../mesh-objects/object-set.ts";
import { podsWith, podText } from "../reach/find-pods.ts";
import { readDebugPage } from "../reach/istiod.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";

export interface ReportFile {
  readonly path: string;
  readonly text: string;
}

export interface CollectOptions {
  readonly istioNamespace: string;
  readonly proxyAdminPort: number;
  /** Lines of each log. */
  readonly tail: number;
}

/** A log or dump that is longer loses its beginning or its end: a report is to be sent by mail. */
const FILE_LIMIT_CHARACTERS = 8 * 1024 * 1024;
/** Proxies whose dumps and logs are taken; of a mesh with more, the first ones. */
const MAX_PROXIES = 50;
const LOG_TIMEOUT_MS = 20_000;
const MESH_CONFIG_MAPS = /^(istio|mesh|values)/;
const DEBUG_PAGES = ["/debug/syncz", "/debug/adsz", "/debug/configz"];

/** One by one, as they come; what cannot be had is a file that says why. */
export async function* collectReport(
  cluster: MeshCluster,
  options: CollectOptions,
): AsyncGenerator<ReportFile> {
  const { objects, forbidden } = await loadCluster(cluster);
  if (forbidden.length > 0) yield file("cluster/forbidden.txt", forbidden.join("\n"));
  yield* objectFiles(objects);
  yield* listed(NODES, "cluster/nodes.yaml", undefined, cluster);
  yield* listed(EVENTS, "cluster/events.yaml", options.istioNamespace, cluster);
  yield* meshConfigs(options.istioNamespace, cluster);
  const context = { objects, rootNamespace: options.istioNamespace, hasCluster: true };
  const messages = analyze(context, {
    namespace: undefined,
    analyzers: [],
    outputThreshold: "Info",
    suppressions: [],
  });
  yield file("analyze.txt", messages.map(formatMessage).join("\n"));
  yield* proxyFiles(cluster, options);
}

function* objectFiles(objects: ObjectSet): Generator<ReportFile> {
  const byKind = new Map<string, unknown[]>();
  for (const { kind, raw } of objects.everything())
    byKind.set(kind, [...(byKind.get(kind) ?? []), withoutNoise(raw)]);
  // Lists come as the server answers; reports are compared with each other.
  for (const [kind, items] of [...byKind].sort(([a], [b]) => (a < b ? -1 : 1)))
    yield file(`objects/${kind}.yaml`, stringify(items, { aliasDuplicateObjects: false }));
}

/** Who wrote which field when is half of every object, and tells nothing here. Environment variables may hold what is secret. */
function withoutNoise(raw: unknown): unknown {
  return JSON.parse(
    JSON.stringify(raw, (key, value: unknown) => {
      if (key === "managedFields" || key === "kubectl.kubernetes.io/last-applied-configuration")
        return undefined;
      return key === "env" && Array.isArray(value) ? value.map(withoutValue) : value;
    }),
  );
}

function withoutValue(variable: unknown): unknown {
  return typeof variable === "object" && variable !== null && "value" in variable
    ? { ...variable, value: "redacted" }
    : variable;
}

async function* listed(
  type: ResourceType,
  path: string,
  namespace: string | undefined,
  { client, signal }: MeshCluster,
): AsyncGenerator<ReportFile> {
  yield await attempt(path, async () => {
    const { items } = await client.list<KubernetesObject>(type, { namespace, signal });
    return stringify(items.map(withoutNoise), { aliasDuplicateObjects: false });
  });
}

async function* meshConfigs(namespace: string, { client, signal }: MeshCluster): AsyncGenerator<ReportFile> {
  yield await attempt("cluster/mesh-config.yaml", async () => {
    const { items } = await client.list(CONFIG_MAPS, { namespace, signal });
    return stringify(items.filter((one) => MESH_CONFIG_MAPS.test(nameOf(one))).map(withoutNoise));
  });
}

async function* proxyFiles(cluster: MeshCluster, options: CollectOptions): AsyncGenerator<ReportFile> {
  const { istioNamespace: namespace } = options;
  const [istiods, nodeAgents, ztunnels, waypoints] = await Promise.all([
    podsWith({ namespace, labelSelector: "app=istiod" }, cluster),
    podsWith({ namespace, labelSelector: "k8s-app=istio-cni-node" }, cluster),
    podsWith({ namespace, labelSelector: "app=ztunnel" }, cluster),
    podsWith({ labelSelector: "gateway.networking.k8s.io/gateway-name" }, cluster),
  ]);
  for (const pod of istiods)
    for (const page of DEBUG_PAGES)
      yield await attempt(`istiod/${podText(pod)}${page.replace("/debug", "")}.json`, async () =>
        JSON.stringify(await readDebugPage(cluster, pod, page), undefined, 2),
      );
  for (const pod of [...ztunnels, ...waypoints].slice(0, MAX_PROXIES))
    yield await attempt(`proxies/${podText(pod)}/config_dump.json`, async () =>
      JSON.stringify(await cluster.dump(pod, options.proxyAdminPort), undefined, 2),
    );
  for (const pod of [...istiods, ...nodeAgents, ...ztunnels, ...waypoints].slice(0, MAX_PROXIES))
    yield await attempt(`logs/${namespaceOf(pod)}/${nameOf(pod)}.log`, () =>
      logOf(pod, cluster, options.tail),
    );
}

async function logOf(pod: Pod, { client, signal }: MeshCluster, tail: number): Promise<string> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(LOG_TIMEOUT_MS)]);
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.logs(refOf(pod), { tailLines: tail, timestamps: true, signal: bounded }))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8").slice(-FILE_LIMIT_CHARACTERS);
}

async function attempt(path: string, read: () => Promise<string>): Promise<ReportFile> {
  try {
    return file(path, await read());
  } catch (error) {
    return file(`${path}.error.txt`, describeError(error));
  }
}

function file(path: string, text: string): ReportFile {
  return { path, text: text.slice(0, FILE_LIMIT_CHARACTERS) };
}
