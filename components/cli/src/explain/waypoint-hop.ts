/** What a waypoint would do with a request or a connection (reference: l7-and-cli §1.10), by the engine's own decisions. */

import {
  compileRoutes,
  compileTcpRoutes,
  decideRoute,
  decideTcpRoute,
  type RequestContext,
  type RouteDecision,
} from "@meltemi/l7/decide";
import { findServiceByVip, findWorkloadByAddress, type SocketAddress, serviceKey } from "@meltemi/model";
import type { ServedPort, ServedService } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { Hop, Verdict } from "./explanation.ts";
import { type AskedCaller, type AskedRequest, requestContext } from "./request.ts";
import { type FilterJudgement, judgeRequest, judgeTcp } from "./waypoint-policies.ts";
import type { WaypointView } from "./waypoint-view.ts";

export interface WaypointQuestion {
  readonly caller: AskedCaller;
  readonly destination: SocketAddress;
  readonly request: AskedRequest;
}

export interface ChosenCluster {
  readonly cluster: string;
  /** Of all requests, 0 to 1. */
  readonly share: number;
}

export interface WaypointOutcome {
  readonly steps: readonly string[];
  readonly afterwards: readonly string[];
  readonly policies: Hop["policies"];
  readonly verdict: Verdict;
  /** Where it goes when it is allowed; empty for traffic to the workload itself. */
  readonly clusters: readonly ChosenCluster[];
  readonly service: ServedService | undefined;
}

export async function explainWaypoint(
  view: WaypointView,
  question: WaypointQuestion,
  clock: Clock,
): Promise<WaypointOutcome> {
  const { caller, destination } = question;
  const { network, namespace } = caller.workload;
  const workload = findWorkloadByAddress(view.snapshot, network, destination.ip);
  if (workload !== undefined) return explainWorkload(view, question, clock);
  const service = findServiceByVip(view.snapshot, network, destination.ip, namespace);
  const served = service && view.served.get(serviceKey(service));
  if (served === undefined)
    return refused(
      400,
      service === undefined
        ? `unknown destination: ${destination.ip}`
        : `service ${serviceKey(service)} is not bound to this waypoint`,
    );
  const port = served.ports.find((one) => one.port === destination.port);
  if (port === undefined)
    return refused(
      503,
      `requested service ${serviceKey(served)} found, but it has no port ${destination.port}: it has ${portsText(served)}`,
    );
  return port.protocol === "http" || port.protocol === "sniff"
    ? explainHttp(view, served, port, question, clock)
    : explainTcp(view, served, port, question);
}

function refused(status: number, reason: string): WaypointOutcome {
  return {
    steps: [],
    afterwards: [],
    policies: [],
    clusters: [],
    service: undefined,
    verdict: { kind: "denied", reason, status },
  };
}

/** Its own policies and tokens hold, and no route. */
async function explainWorkload(
  view: WaypointView,
  question: WaypointQuestion,
  clock: Clock,
): Promise<WaypointOutcome> {
  const type = view.settings.trafficType;
  if (type !== "workload" && type !== "all")
    return refused(400, `this waypoint serves ${type} traffic, none that is addressed to workloads`);
  const context = contextOf(view, question);
  if (context === undefined) return badPath(question);
  const judged = await judgeRequest(view.settings, view, context, clock);
  const steps = ["serves what is addressed to a workload, with its own policies", ...judged.notes];
  return { ...judged, steps, afterwards: [], clusters: [], service: undefined };
}

async function explainHttp(
  view: WaypointView,
  served: ServedService,
  port: ServedPort,
  question: WaypointQuestion,
  clock: Clock,
): Promise<WaypointOutcome> {
  const context = contextOf(view, question);
  if (context === undefined) return badPath(question);
  const how = port.protocol === "sniff" ? "looks at the first bytes, and reads them as HTTP" : "reads HTTP";
  const judged = await judgeRequest(served, view, context, clock);
  const steps = [`${how} on port ${port.port}`, ...judged.notes];
  if (judged.verdict.kind !== "allowed")
    return { ...judged, steps, afterwards: [], clusters: [], service: served };
  const routed = routeRequest(port, context);
  return {
    policies: judged.policies,
    steps,
    afterwards: routed.steps,
    clusters: routed.clusters,
    verdict: routed.verdict ?? judged.verdict,
    service: served,
  };
}

function contextOf(view: WaypointView, question: WaypointQuestion): RequestContext | undefined {
  return requestContext(
    question.request,
    question.caller,
    question.destination,
    view.settings.pathNormalization,
  );
}

function badPath({ request }: WaypointQuestion): WaypointOutcome {
  return refused(400, `the path ${JSON.stringify(request.path.slice(0, 100))} cannot be read`);
}

/** Draws of the weights; shares are told to a percent. */
const DRAWS = 100;

interface Routed {
  readonly steps: readonly string[];
  readonly clusters: readonly ChosenCluster[];
  /** When it goes nowhere. */
  readonly verdict?: Verdict;
}

function routeRequest(port: ServedPort, context: RequestContext): Routed {
  if (port.httpRoutes.length === 0)
    return { steps: [`no route: goes to ${port.cluster}`], clusters: [{ cluster: port.cluster, share: 1 }] };
  const table = compileRoutes(port.httpRoutes);
  const decisions = Array.from({ length: DRAWS }, (_, draw) =>
    decideRoute(table, context, () => (draw + 0.5) / DRAWS),
  );
  const [first] = decisions;
  if (first === undefined || first.kind === "none")
    return {
      steps: ["no route takes it"],
      clusters: [],
      verdict: answered(404, "no route takes the request"),
    };
  const steps = [`route ${routeText(first)}`, ...faultText(first)];
  const forwarded = sharesOf(decisions.flatMap((one) => (one.kind === "forward" ? [one.cluster] : [])));
  const invalid = decisions.find((one) => one.kind === "invalid");
  if (invalid !== undefined) {
    const share = decisions.filter(({ kind }) => kind === "invalid").length / DRAWS;
    steps.push(`${percent(share)} of requests are answered with 500: ${invalid.detail}`);
  }
  if (first.kind === "redirect" || first.kind === "respond") {
    const what = first.kind === "redirect" ? "redirected" : "answered by the route";
    return {
      steps,
      clusters: [],
      verdict: answered(first.reply.status, `${what}, with ${first.reply.status}`),
    };
  }
  if (forwarded.length === 0)
    return { steps, clusters: [], verdict: answered(500, invalid?.detail ?? "the route has no destination") };
  for (const { cluster, share } of forwarded)
    steps.push(share === 1 ? `goes to ${cluster}` : `${percent(share)} goes to ${cluster}`);
  return { steps, clusters: forwarded };
}

function routeText(decision: Exclude<RouteDecision, { readonly kind: "none" }>): string {
  const { name, origin } = decision.route.route;
  return origin === undefined ? name : `${origin.kind} ${origin.namespace}/${origin.name} (${name})`;
}

function faultText(decision: Exclude<RouteDecision, { readonly kind: "none" }>): readonly string[] {
  const { fault } = decision.route.route;
  return [
    ...(fault?.delay
      ? [
          `holds ${fault.delay.percent}% of requests for ${fault.delay.durationMs} ms: a fault that the route injects`,
        ]
      : []),
    ...(fault?.abort
      ? [
          `aborts ${fault.abort.percent}% of requests with ${fault.abort.status.code}: a fault that the route injects`,
        ]
      : []),
  ];
}

function explainTcp(
  view: WaypointView,
  served: ServedService,
  port: ServedPort,
  { caller, destination }: WaypointQuestion,
): WaypointOutcome {
  const connection = { caller: { ...caller, port: 0 }, destination, serverName: undefined };
  const judged: FilterJudgement = judgeTcp(served, view.settings, connection);
  const steps = [`carries bytes on port ${port.port}, unread (${port.protocol})`, ...judged.notes];
  if (judged.verdict.kind !== "allowed")
    return { ...judged, steps, afterwards: [], clusters: [], service: served };
  const facts = { caller: connection.caller, destinationIp: destination.ip, serverName: undefined };
  const table = compileTcpRoutes(port.tcpRoutes);
  const decisions = Array.from({ length: DRAWS }, (_, draw) =>
    decideTcpRoute(table, facts, () => (draw + 0.5) / DRAWS),
  );
  const refusal = decisions.find((one) => one.kind === "refuse");
  const clusters = sharesOf(
    decisions.flatMap((one) =>
      one.kind === "refuse" ? [] : [one.kind === "default" ? port.cluster : one.cluster],
    ),
  );
  const goes = clusters.map(
    ({ cluster, share }) => `${share === 1 ? "" : `${percent(share)} `}goes to ${cluster}`,
  );
  const verdict: Verdict =
    clusters.length === 0 && refusal !== undefined
      ? { kind: "denied", reason: refusal.detail }
      : judged.verdict;
  return { policies: judged.policies, steps, afterwards: goes, clusters, verdict, service: served };
}

function answered(status: number, reason: string): Verdict {
  return { kind: "answered", status, reason };
}

function sharesOf(clusters: readonly string[]): readonly ChosenCluster[] {
  const counts = new Map<string, number>();
  for (const cluster of clusters) counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
  return [...counts]
    .map(([cluster, count]) => ({ cluster, share: count / DRAWS }))
    .sort((a, b) => b.share - a.share);
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function portsText({ ports }: ServedService): string {
  return ports.length === 0 ? "none" : ports.map(({ port }) => port).join(", ");
}
