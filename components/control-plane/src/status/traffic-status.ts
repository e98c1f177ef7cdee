/** Status of routes and of rate limits. Only the leader runs it. */

import {
  apiVersionOf,
  type CustomObject,
  createWorkQueue,
  GRPC_ROUTES,
  HTTP_ROUTES,
  isNotFound,
  nameOf,
  namespaceOf,
  RATE_LIMIT_POLICIES,
  type ResourceType,
  TCP_ROUTES,
  TLS_ROUTES,
} from "@meltemi/kubernetes";
import type { RouteFacts } from "../compile/l7/facts.ts";
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
  const routes = createWorkQueue(
    { name: "route-status", concurrency: 4 },
    { ...deps, reconcile: (key, signal) => writeRoute(key, signal, deps) },
  );
  for (const [key] of outputs.rateLimitReports.entries()) limits.touch(key);
  for (const [key] of outputs.routeReports.entries()) routes.add(key);
  return {
    onCompiled({ routeReports, rateLimitReports }) {
      for (const { name } of routeReports.upserts) routes.add(name);
      for (const { name } of rateLimitReports.upserts) limits.touch(name);
    },
    async stop() {
      await Promise.all([limits.stop(), routes.stop()]);
    },
  };
}

function rateLimitSubject(
  key: string,
  { outputs, watch }: MeshStatusDependencies,
): StatusSubject | undefined {
  const report = outputs.rateLimitReports.get(key);
  const object = watch.traffic.rateLimitPolicies.get(key);
  if (report === undefined || object === undefined) return undefined;
  return {
    type: RATE_LIMIT_POLICIES,
    object,
    conditions: [decideRateLimit(report)],
    owned: RATE_LIMIT_CONDITIONS,
    fields: { observedGeneration: String(report.generation), targets: targetStatuses(report) },
  };
}

/** Server-side apply owns fields by this name; see status-writer.ts. */
const FIELD_MANAGER = "pilot-discovery";

/** `parents` is one value that several controllers write: it is written as it was read, or not at all (a conflict is tried again). */
async function writeRoute(key: string, signal: AbortSignal, deps: MeshStatusDependencies): Promise<void> {
  const report = deps.outputs.routeReports.get(key);
  const object =
    report && deps.watch.traffic.routes.get(report.kind)?.get(`${report.namespace}/${report.name}`);
  if (report === undefined || object === undefined) return;
  const parents = decideParents(parentsOf(object.status), report, formatTime(deps.clock.nowMs()));
  if (parents === undefined) return;
  const type = ROUTE_TYPES[report.kind];
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
