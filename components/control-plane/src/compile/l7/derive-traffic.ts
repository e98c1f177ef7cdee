/** The derivations of L7: what waypoints are told, and what becomes of routes and limits. */

import type { Graph, Reader } from "../graph.ts";
import type { MeshInputs, MeshOutputs } from "../mesh-collections.ts";
import type { Compilation } from "../workload-parts.ts";
import { reportAuthentication, reportDestinationRule, reportTelemetry } from "./applied-report.ts";
import { reportFault } from "./object-fault.ts";
import { reportRateLimit } from "./rate-limit-report.ts";
import { reportRoute } from "./route-report.ts";
import { compileServed } from "./served-service.ts";
import { compileSettings } from "./waypoint-settings.ts";
import { entryLabels, podLabels, serviceEntryLabels } from "./workload-labels.ts";

/** After services, waypoints and their bindings are defined: these read them. */
export function deriveTraffic(
  graph: Graph,
  inputs: MeshInputs,
  outputs: MeshOutputs,
  compilation: (read: Reader) => Compilation,
): void {
  graph.derive(inputs.pods, outputs.workloadLabels, (pod, read) => podLabels(pod, compilation(read)));
  graph.derive(inputs.workloadEntries, outputs.workloadLabels, (entry, read) =>
    entryLabels(entry, compilation(read)),
  );
  graph.derive(inputs.serviceEntries, outputs.workloadLabels, (entry, read) =>
    serviceEntryLabels(entry, compilation(read)),
  );
  graph.derive(outputs.waypoints, outputs.waypointSettings, (waypoint, read) =>
    compileSettings(waypoint, compilation(read)),
  );
  graph.derive(outputs.waypointBindings, outputs.served, (report, read) =>
    compileServed(report, compilation(read)),
  );
  graph.derive(inputs.routes, outputs.routeReports, (route, read) => reportRoute(route, compilation(read)));
  graph.derive(inputs.rateLimitPolicies, outputs.rateLimitReports, (policy, read) =>
    reportRateLimit(policy, compilation(read)),
  );
  graph.derive(inputs.requestAuthentications, outputs.appliedReports, (policy, read) =>
    reportAuthentication(policy, compilation(read)),
  );
  graph.derive(inputs.telemetries, outputs.appliedReports, (telemetry, read) =>
    reportTelemetry(telemetry, compilation(read)),
  );
  graph.derive(inputs.destinationRules, outputs.appliedReports, (rule, read) =>
    reportDestinationRule(rule, compilation(read)),
  );
  graph.derive(inputs.faults, outputs.faultReports, (fault, read) => reportFault(fault, compilation(read)));
}
