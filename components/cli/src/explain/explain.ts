/** From a client to a destination, hop by hop. Proxies are asked for what they know as the path leads to them. */

import {
  formatIdentity,
  formatSocketAddress,
  type MeshSnapshot,
  type OpenPath,
  type Path,
  reachEndpoint,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import type { Clock } from "@meltemi/runtime";
import { expectedText, type PossiblePath, pathText, pathVerdict, possiblePaths } from "./client-hop.ts";
import type { Destination } from "./destination.ts";
import type { EndpointOutcome, Explanation, Hop, Verdict } from "./explanation.ts";
import type { AskedRequest } from "./request.ts";
import {
  type AskedZtunnel,
  applicationAddress,
  type Connecting,
  explainServer,
  type ServerZtunnel,
} from "./server-hop.ts";
import { explainWaypoint, type WaypointOutcome } from "./waypoint-hop.ts";
import type { WaypointView } from "./waypoint-view.ts";

export interface Question {
  readonly source: Workload;
  readonly labels: Readonly<Record<string, string>>;
  readonly destination: Destination;
  readonly request: AskedRequest;
}

export interface ExplainDeps {
  readonly clock: Clock;
  /** The client's. */
  readonly ztunnel: ServerZtunnel;
  readonly serverZtunnel: (node: string) => Promise<AskedZtunnel>;
  /** A text says why it cannot be asked. */
  readonly waypoint: (workload: Workload) => Promise<WaypointView | string>;
}

/** Of services with more, the first ones stand for all. */
const MAX_ENDPOINTS = 32;

const NOT_IN_MESH = "the destination is not in the mesh: no policy of it applies";

type ReachingPath = Extract<OpenPath, { kind: "hbone" | "tcp" }>;

/** What follows a hop. */
interface Continuation {
  readonly hops: readonly Hop[];
  readonly endpoints: readonly EndpointOutcome[];
  readonly verdict: Verdict;
}

export async function explain(question: Question, deps: ExplainDeps): Promise<Explanation> {
  const { source, destination, request } = question;
  const paths = possiblePaths(deps.ztunnel.snapshot, source, destination.address);
  const [likeliest] = paths;
  const about = {
    client: {
      name: `${source.name}.${source.namespace}`,
      node: source.node,
      identity: formatIdentity(workloadIdentity(source)),
    },
    destination: { name: destination.name, address: formatSocketAddress(destination.address) },
    request: { method: request.method, authority: request.authority, path: request.path },
  };
  if (likeliest === undefined)
    return { ...about, hops: [], endpoints: [], verdict: { kind: "unknown", reason: "no path" } };
  const first = clientHop(question, likeliest, paths.length, deps);
  if (first.verdict.kind === "denied")
    return { ...about, hops: [first], endpoints: [], verdict: first.verdict };
  const rest = await follow(question, paths, deps);
  const hops = [first, ...rest.hops];
  return { ...about, hops, endpoints: rest.endpoints, verdict: overall(rest.verdict, hops) };
}

function clientHop(
  { source, destination }: Question,
  likeliest: PossiblePath,
  count: number,
  { ztunnel }: ExplainDeps,
): Hop {
  const expected = expectedText(likeliest.path);
  const through = waypointPath(likeliest.path)?.target.workload;
  return {
    role: "client ztunnel",
    proxy: ztunnel.name,
    node: source.node,
    steps: [
      pathText(likeliest.path),
      ...(through === undefined
        ? []
        : [
            `because ${destination.name} uses waypoint ${through.workloadName || through.name} of namespace ${through.namespace}`,
          ]),
      ...(expected === undefined ? [] : [`goes on only if the far end proves to be ${expected}`]),
      ...(count > 1
        ? [
            `one of ${count} ways that are possible; this one is taken by ${Math.round(likeliest.share * 100)}%`,
          ]
        : []),
    ],
    policies: [],
    verdict: pathVerdict(likeliest),
    afterwards: [],
  };
}

/** To somebody who does not have the address that was asked for: it is a waypoint's. */
function waypointPath(path: Path): Extract<Path, { kind: "hbone" }> | undefined {
  if (path.kind !== "hbone" || path.target.workload === undefined) return undefined;
  return path.target.workload.addresses.includes(applicationAddress(path).ip) ? undefined : path;
}

async function follow(
  question: Question,
  paths: readonly PossiblePath[],
  deps: ExplainDeps,
): Promise<Continuation> {
  const [likeliest] = paths;
  const path = likeliest?.path;
  if (path === undefined) return outside("no path");
  const toWaypoint = waypointPath(path);
  if (toWaypoint !== undefined) return throughWaypoint(question, toWaypoint, deps);
  if (path.kind === "doubleHbone")
    return outside("what the other network's proxies decide is known there only");
  if (path.kind !== "hbone" && path.kind !== "tcp")
    return { hops: [], endpoints: [], verdict: { kind: "allowed", reason: NOT_IN_MESH } };
  const from = connecting(question.source);
  const reaching = paths.flatMap((one) =>
    one.path.kind === "hbone" || one.path.kind === "tcp" ? [one.path] : [],
  );
  return from === undefined ? outside("the client has no address") : atEndpoints(reaching, from, deps);
}

function outside(reason: string): Continuation {
  return { hops: [], endpoints: [], verdict: { kind: "unknown", reason } };
}

function connecting(workload: Workload): Connecting | undefined {
  const ip = workload.addresses[0];
  return ip && { ip, identity: workloadIdentity(workload) };
}

async function throughWaypoint(
  question: Question,
  path: Extract<Path, { kind: "hbone" }>,
  deps: ExplainDeps,
): Promise<Continuation> {
  const { workload } = path.target;
  const from = connecting(question.source);
  if (workload === undefined || from === undefined) return outside("the waypoint is not known");
  const view = await deps.waypoint(workload);
  if (typeof view === "string") {
    const verdict: Verdict = { kind: "unknown", reason: `the waypoint could not be asked: ${view}` };
    return {
      hops: [waypointHop(workload, from, { steps: [], afterwards: [], policies: [], verdict })],
      endpoints: [],
      verdict,
    };
  }
  const { source, labels, destination, request } = question;
  const caller = { workload: source, ip: from.ip, identity: from.identity, labels };
  const outcome = await explainWaypoint(
    view,
    { caller, destination: destination.address, request },
    deps.clock,
  );
  if (outcome.verdict.kind !== "allowed")
    return { hops: [waypointHop(workload, from, outcome)], endpoints: [], verdict: outcome.verdict };
  const reaching = beyondWaypoint(view, outcome, workload, destination);
  const self = connecting(workload);
  if (reaching.length === 0 || self === undefined) {
    const verdict: Verdict = { kind: "answered", status: 503, reason: "no healthy upstream" };
    return { hops: [waypointHop(workload, from, { ...outcome, verdict })], endpoints: [], verdict };
  }
  const rest = await atEndpoints(reaching, self, deps);
  const afterwards = [...outcome.afterwards, ...reaching.slice(0, 1).map(pathText)];
  return { ...rest, hops: [waypointHop(workload, from, { ...outcome, afterwards }), ...rest.hops] };
}

function waypointHop(
  workload: Workload,
  from: Connecting,
  {
    steps,
    afterwards,
    policies,
    verdict,
  }: Pick<WaypointOutcome, "steps" | "afterwards" | "policies" | "verdict">,
): Hop {
  return {
    role: "waypoint",
    proxy: `${workload.name}.${workload.namespace}`,
    node: workload.node,
    peer: formatIdentity(from.identity),
    steps,
    policies,
    verdict,
    afterwards,
  };
}

/** How the waypoint reaches each endpoint that it may choose; of the likeliest cluster first. */
function beyondWaypoint(
  view: WaypointView,
  outcome: WaypointOutcome,
  source: Workload,
  { address }: Destination,
): readonly ReachingPath[] {
  const traveller = {
    source,
    hbonePort: view.endpointPort,
    draws: { waypoint: 0, endpoint: 0 },
    resolved: () => undefined,
  };
  const direct = view.snapshot.workloadsByAddress.get(`${source.network}/${address.ip}`)?.[0];
  const chosen =
    outcome.service === undefined
      ? direct === undefined
        ? []
        : [{ workload: direct, port: address.port, wanted: address.ip, service: undefined }]
      : outcome.clusters.flatMap(({ cluster }) => {
          const config = outcome.service?.clusters.find(({ name }) => name === cluster);
          const key = config && `${config.service.namespace}/${config.service.hostname}`;
          const service = key === undefined ? undefined : view.snapshot.services.get(key);
          return (view.endpoints.get(cluster) ?? []).flatMap(({ uid, ip, port, takes }) => {
            const workload = view.snapshot.workloads.get(uid);
            return takes && workload !== undefined ? [{ workload, port, wanted: ip, service }] : [];
          });
        });
  return chosen
    .map((endpoint) => reachEndpoint(view.snapshot, traveller, { ...endpoint, requestedPort: address.port }))
    .flatMap((path) => (path.kind === "hbone" || path.kind === "tcp" ? [path] : []));
}

/** The first endpoint in full, the verdict of each. */
async function atEndpoints(
  paths: readonly ReachingPath[],
  from: Connecting,
  deps: ExplainDeps,
): Promise<Continuation> {
  const seen = new Map<string, ReachingPath>();
  for (const path of paths)
    seen.set(`${path.target.workload?.uid} ${formatSocketAddress(applicationAddress(path))}`, path);
  const results: { readonly hops: readonly Hop[]; readonly outcome: EndpointOutcome }[] = [];
  for (const path of [...seen.values()].slice(0, MAX_ENDPOINTS)) {
    const { workload } = path.target;
    const ztunnel = workload && (await deps.serverZtunnel(workload.node));
    const hops = explainServer(path, from, ztunnel, fallbackOf(deps));
    const verdict = hops[0]?.verdict ?? { kind: "unknown", reason: "its workload is not known" };
    const endpoint = `${workload?.name}.${workload?.namespace} (${formatSocketAddress(applicationAddress(path))})`;
    const plain: Verdict = { kind: "allowed", reason: NOT_IN_MESH };
    results.push({ hops, outcome: { endpoint, verdict: path.kind === "tcp" ? plain : verdict } });
  }
  const endpoints = results.map(({ outcome }) => outcome);
  const hops = results[0]?.hops ?? [];
  return { hops, endpoints: endpoints.length > 1 ? endpoints : [], verdict: together(endpoints, seen.size) };
}

function fallbackOf({ ztunnel }: ExplainDeps): MeshSnapshot {
  return ztunnel.snapshot;
}

function together(endpoints: readonly EndpointOutcome[], count: number): Verdict {
  const [first] = endpoints;
  if (first === undefined) return { kind: "answered", status: 503, reason: "no healthy upstream" };
  const denied = endpoints.filter(({ verdict }) => verdict.kind === "denied");
  const unknown = endpoints.find(({ verdict }) => verdict.kind === "unknown");
  if (denied.length === 0) return (unknown ?? first).verdict;
  if (denied.length === endpoints.length) return first.verdict;
  return {
    kind: "unknown",
    reason: `it depends on the endpoint: ${denied.length} of ${count} deny it`,
  };
}

/** When everybody lets it pass, all who judged are named. */
function overall(verdict: Verdict, hops: readonly Hop[]): Verdict {
  if (verdict.kind !== "allowed") return verdict;
  const judges = hops.filter(({ role }) => role === "waypoint" || role === "server ztunnel");
  if (judges.length === 0) return verdict;
  return { kind: "allowed", reason: judges.map((hop) => `${hop.role}: ${hop.verdict.reason}`).join("; ") };
}
