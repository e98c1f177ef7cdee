/** What the admin ports show: readiness on 8080, metrics on 15014, debug pages on both (reference: protocol §2). */

import type { Registry } from "@meltemi/telemetry";
import type { TokenAuthenticator } from "../certificate-authority/token-authenticator.ts";
import type { MeshOutputs } from "../compile/mesh-collections.ts";
import type { ConnectionStatus } from "../distribute/connection.ts";
import { jsonPage, type Page, type PageRequest, type Pages, textPage } from "./http-server.ts";

export interface AdminDependencies {
  readonly registry: Registry;
  readonly outputs: MeshOutputs;
  readonly connections: () => readonly ConnectionStatus[];
  readonly isReady: () => boolean;
  /** Of this cluster, the only one that is watched. */
  readonly clusterId: string;
  /** The mesh's root namespace: its accounts may look at debug pages. */
  readonly namespace: string;
  readonly authenticator: TokenAuthenticator;
  /** `POST /debug/logging`, as proxies have it at `/logging`. */
  readonly changeLogLevels?:
    | ((method: string, query: URLSearchParams) => { readonly status: number; readonly body: string })
    | undefined;
}

/** Entries of one dump; `?limit=` asks for fewer. A dump of a whole large mesh would stop the pushes meanwhile. */
const MAX_ENTRIES = 10_000;

const ONLY_GET: Page = textPage(405, "only GET is served here\n");

/** Metrics for everybody; debug pages, as Istio serves them here, for whoever shows a token of the control plane's namespace. */
export function createMonitoringPages(deps: AdminDependencies): Pages {
  return (request) => {
    if (request.path.startsWith("/debug")) return guardedDebugPage(request, deps);
    if (request.path !== "/metrics") return undefined;
    if (request.method !== "GET") return ONLY_GET;
    const { contentType, body } = deps.registry.exposition(request.accept);
    return { status: 200, contentType, body };
  };
}

export function createHttpPages(deps: AdminDependencies): Pages {
  return (request) => {
    if (request.path.startsWith("/debug")) return guardedDebugPage(request, deps);
    if (request.path !== "/ready") return undefined;
    if (request.method !== "GET") return ONLY_GET;
    return deps.isReady() ? textPage(200, "ready\n") : textPage(503, "not ready: objects are being listed\n");
  };
}

/** The pages say who talks to whom and what forbids it: not for everybody who can reach the port. */
function guardedDebugPage(
  request: PageRequest,
  deps: AdminDependencies,
): Page | undefined | Promise<Page | undefined> {
  return request.isLocal ? debugPage(request, deps) : authenticatedDebugPage(request, deps);
}

async function authenticatedDebugPage(
  request: PageRequest,
  deps: AdminDependencies,
): Promise<Page | undefined> {
  if (request.authorization.length === 0)
    return textPage(
      401,
      "debug pages are served over loopback (kubectl port-forward), or to a bearer token\n",
    );
  const answer = await deps.authenticator.authenticate(request.authorization);
  if (answer.kind === "unavailable") return textPage(503, "the token cannot be reviewed now\n");
  if (answer.kind === "refused") return textPage(401, "the token is not accepted\n");
  if (answer.caller.namespace !== deps.namespace)
    return textPage(403, `debug pages are for accounts of namespace ${deps.namespace}\n`);
  return debugPage(request, deps);
}

function debugPage({ method, path, query }: PageRequest, deps: AdminDependencies): Page | undefined {
  if (path === "/debug/logging" && deps.changeLogLevels !== undefined) {
    const { status, body } = deps.changeLogLevels(method, query);
    return textPage(status, body);
  }
  if (method !== "GET") return ONLY_GET;
  const limit = limitOf(query);
  switch (path) {
    case "/debug/syncz":
      return jsonPage(deps.connections().slice(0, limit).map(syncz));
    case "/debug/adsz":
      return jsonPage(adsz(deps.connections(), limit));
    case "/debug/endpointz":
      return jsonPage(take(deps.outputs.workloads.values(), limit).map(mapsToRecords));
    case "/debug/servicesz":
      return jsonPage(take(deps.outputs.services.values(), limit).map(mapsToRecords));
    case "/debug/authorizationz":
      return jsonPage({
        policies: take(deps.outputs.policies.values(), limit).map(mapsToRecords),
        reports: take(deps.outputs.policyReports.values(), limit),
      });
    case "/debug/configz":
      return jsonPage(configz(deps.outputs));
    case "/debug/clusterz":
      return jsonPage([
        { id: deps.clusterId, secretName: "", syncStatus: deps.isReady() ? "synced" : "syncing" },
      ]);
    case "/debug":
    case "/debug/":
      return debugIndex();
    default:
      return undefined;
  }
}

function limitOf(query: URLSearchParams): number {
  const asked = Number(query.get("limit") ?? MAX_ENTRIES);
  return Number.isInteger(asked) && asked >= 0 ? Math.min(asked, MAX_ENTRIES) : MAX_ENTRIES;
}

function take<T>(values: Iterable<T>, limit: number): readonly T[] {
  const taken: T[] = [];
  for (const value of values) {
    if (taken.length >= limit) break;
    taken.push(value);
  }
  return taken;
}

/** As `istioctl proxy-status` reads it. */
function syncz(connection: ConnectionStatus): object {
  return {
    proxy: proxyName(connection.nodeId),
    proxy_type: connection.nodeId.split("~")[0] ?? "",
    cluster_id: connection.clusterId,
    istio_version: connection.version,
    watches: Object.fromEntries(
      [...connection.watches].map(([typeUrl, watch]) => [
        typeUrl,
        {
          status: syncStatus(watch),
          wildcard: watch.wildcard,
          names: watch.nameCount,
          nonceSent: watch.sentNonce,
          nonceAcked: watch.ackedNonce,
          ...(watch.nackMessage !== undefined && { error: watch.nackMessage }),
        },
      ]),
    ),
  };
}

function syncStatus(
  watch: ConnectionStatus["watches"] extends ReadonlyMap<string, infer W> ? W : never,
): string {
  if (watch.nackMessage !== undefined) return "ERROR";
  if (watch.sentNonce === "0") return "NOT SENT";
  return watch.sentNonce === watch.ackedNonce ? "SYNCED" : "STALE";
}

/** `<pod>.<namespace>` of a node id. */
function proxyName(nodeId: string): string {
  return nodeId.split("~")[2] ?? nodeId;
}

function adsz(connections: readonly ConnectionStatus[], limit: number): object {
  return {
    totalClients: connections.length,
    clients: connections.slice(0, limit).map((connection) => ({
      connectionId: connection.connectionId,
      connectedAt: new Date(connection.connectedAtMs).toISOString(),
      address: connection.peer,
      metadata: { node: connection.nodeId, version: connection.version, clusterId: connection.clusterId },
      watches: [...connection.watches.keys()],
    })),
  };
}

function configz(outputs: MeshOutputs): object {
  return {
    workloads: outputs.workloads.size,
    services: outputs.services.size,
    policies: outputs.policies.size,
    policyReports: outputs.policyReports.size,
  };
}

function debugIndex(): Page {
  const pages = [
    "syncz",
    "adsz",
    "endpointz",
    "servicesz",
    "authorizationz",
    "configz",
    "clusterz",
    "logging",
  ];
  return textPage(200, pages.map((page) => `/debug/${page}\n`).join(""));
}

/** Maps and bytes have no JSON of their own. */
function mapsToRecords(value: unknown): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [key, mapsToRecords(item)]));
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(mapsToRecords);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapsToRecords(item)]));
}
