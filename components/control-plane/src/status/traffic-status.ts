/** Status of routes, rate limits, and whatever else waypoints are configured by. Only the leader runs it. */

import {
  apiVersionOf,
  type CustomObject,
  createWorkQueue,
  DESTINATION_RULES,
  GRPC_ROUTES,
  HTTP_ROUTES,
  isNotFound,
  keyOf,
  nameOf,
  namespaceOf,
  RATE_LIMIT_POLICIES,
  REQUEST_AUTHENTICATIONS,
  type ResourceType,
  TCP_ROUTES,
  TELEMETRIES,
  TLS_ROUTES,
  VIRTUAL_SERVICES,
} from "@meltemi/kubernetes";
import type { RouteFacts } from "../compile/l7/facts.ts";
import { APPLIED_CONDITIONS, decideApplied } from "./applied-status.ts";
import { formatTime } from "./condition.ts";
import type { MeshStatus, MeshStatusDependencies } from "./mesh-status.ts";
import { decideRateLimit, RATE_LIMIT_CONDITIONS, targetStatuses } from "./rate-limit-status.ts";
import { decideParents, parentsOf } from "./route-status.ts";
import { type StatusSubject, startStatusWriter } from "./status-writer.ts";

const ROUTE_TYPES: Readonly<Record<RouteFacts["kind"], ResourceType<CustomObject>>> = {
  HTTPRoute: HTTP_ROUTES,
  GRPCRoute: GRPC_ROUTES,
  TCPRoute: TCP_ROUTES,
  TLSRoute: TLS_ROUTES,
};

/** Looks at everything once, and then at what changes. */
export function startTrafficStatus(deps: MeshStatusDependencies): MeshStatus {
  const { outputs } = deps;
  const limits = startStatusWriter("rate-limit-status", {
    ...deps,
    subject: (key) => rateLimitSubject(key, deps),
  });
  const applied = startStatusWriter("traffic-status", {
    ...deps,
    subject: (key) => appliedSubject(key, deps),
  });
  const routes = createWorkQueue(
    { name: "route-status", concurrency: 4 },
    { ...deps, reconcile: (key, signal) => writeRoute(key, signal, deps) },
  );
  /** `key`: `<kind>/<namespace>/<name>`. */
  const touch = (key: string): void => {
    const kind = key.slice(0, key.indexOf("/"));
    if (kind === RATE_LIMIT_POLICIES.kind) limits.touch(key.slice(kind.length + 1));
    else if (deps.watch.traffic.applied.has(kind)) applied.touch(key);
    else routes.add(key);
  };
  for (const [key] of outputs.rateLimitReports.entries()) limits.touch(key);
  for (const [key] of outputs.routeReports.entries()) routes.add(key);
  for (const [key] of outputs.faultReports.entries()) touch(key);
  // Replays all there is: an object that has nothing to be told any more may carry a condition from before.
  const unsubscribe = [...deps.watch.traffic.applied].map(([kind, informer]) => {
    const follow = (object: CustomObject): void => applied.touch(`${kind}/${keyOf(object)}`);
    return informer.onChange({ add: follow, update: (_previous, object) => follow(object) });
  });
  return {
    onCompiled({ routeReports, rateLimitReports, appliedReports, faultReports }) {
      for (const { name } of routeReports.upserts) routes.add(name);
      for (const { name } of rateLimitReports.upserts) limits.touch(name);
      for (const { upserts, removedNames } of [appliedReports, faultReports]) {
        for (const { name } of upserts) touch(name);
        for (const name of removedNames) touch(name);
      }
    },
    async stop() {
      for (const stop of unsubscribe) stop();
      await Promise.all([limits.stop(), routes.stop(), applied.stop()]);
    },
  };
}

const APPLIED_TYPES: Readonly<Record<string, ResourceType<CustomObject>>> = {
  VirtualService: VIRTUAL_SERVICES,
  DestinationRule: DESTINATION_RULES,
  RequestAuthentication: REQUEST_AUTHENTICATIONS,
  Telemetry: TELEMETRIES,
};

/** Key: `<kind>/<namespace>/<name>`. */
function appliedSubject(key: string, { outputs, watch }: MeshStatusDependencies): StatusSubject | undefined {
  const slash = key.indexOf("/");
  const kind = key.slice(0, slash);
  const type = APPLIED_TYPES[kind];
  const object = watch.traffic.applied.get(kind)?.get(key.slice(slash + 1));
  if (type === undefined || object === undefined) return undefined;
  const condition = decideApplied(outputs.appliedReports.get(key), outputs.faultReports.get(key));
  return {
    type,
    object,
    conditions: condition === undefined ? [] : [condition],
    owned: APPLIED_CONDITIONS,
    fields: condition === undefined ? {} : { observedGeneration: condition.observedGeneration },
  };
}

function rateLimitSubject(
  key: string,
  { outputs, watch }: MeshStatusDependencies,
): StatusSubject | undefined {
  const report = outputs.rateLimitReports.get(key);
  const fault = outputs.faultReports.get(`${RATE_LIMIT_POLICIES.kind}/${key}`);
  const object = watch.traffic.rateLimitPolicies.get(key);
  const about = fault ?? report;
  if (about === undefined || object === undefined) return undefined;
  return {
    type: RATE_LIMIT_POLICIES,
    object,
    conditions: decideRateLimit(report, fault),
    owned: RATE_LIMIT_CONDITIONS,
    fields: {
      observedGeneration: String(about.generation),
      targets: report === undefined ? [] : targetStatuses(report),
    },
  };
}

/** Server-side apply owns fields by this name; see status-writer.ts. */
const FIELD_MANAGER = "pilot-discovery";

/** `parents` is one value that several controllers write: it is written as it was read, or not at all (a conflict is tried again). */
async function writeRoute(key: string, signal: AbortSignal, deps: MeshStatusDependencies): Promise<void> {
  const { outputs, watch } = deps;
  const slash = key.indexOf("/");
  const kind = key.slice(0, slash) as RouteFacts["kind"];
  const state = { report: outputs.routeReports.get(key), fault: outputs.faultReports.get(key) };
  const object = watch.traffic.routes.get(kind)?.get(key.slice(slash + 1));
  if (object === undefined || (state.report ?? state.fault) === undefined) return;
  const parents = decideParents(parentsOf(object.status), state, formatTime(deps.clock.nowMs()));
  if (parents === undefined) return;
  const type = ROUTE_TYPES[kind];
  const resourceVersion = object.metadata?.resourceVersion;
  const applied: CustomObject = {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: {
      name: nameOf(object),
      namespace: namespaceOf(object),
      ...(resourceVersion && { resourceVersion }),
    },
    status: { parents },
  };
  try {
    await deps.client.apply(type, applied, {
      fieldManager: FIELD_MANAGER,
      force: true,
      subresource: "status",
      signal,
    });
  } catch (error) {
    // Deleted meanwhile.
    if (!isNotFound(error)) throw error;
  }
}
