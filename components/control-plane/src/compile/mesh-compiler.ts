/** From Kubernetes to the mesh: the graph of all derivations, and what changed in its results. */

import { type Policy, policyKey, type Service, type Workload } from "@meltemi/model";
import type { WaypointSettings } from "@meltemi/model/l7";
import type { WorkloadLabels } from "@meltemi/xds";
import { compileAuthorizationPolicy } from "./authorization.ts";
import { type BindingReport, waypointKey } from "./binding-report.ts";
import type { Collection } from "./collection.ts";
import {
  compileEndpointSlice,
  compileServiceEntryEndpoints,
  compileWorkloadEntry,
} from "./endpoint-workload.ts";
import { Graph, type OnFault, type Reader } from "./graph.ts";
import type { AppliedReport } from "./l7/applied-report.ts";
import { deriveTraffic } from "./l7/derive-traffic.ts";
import type { FaultReport } from "./l7/object-fault.ts";
import type { RateLimitReport } from "./l7/rate-limit-report.ts";
import type { RouteReport } from "./l7/route-report.ts";
import type { ServedAt } from "./l7/served-service.ts";
import {
  createInputs,
  createOutputs,
  EVERY,
  type MeshInputs,
  type MeshOutputs,
  type PolicyReport,
} from "./mesh-collections.ts";
import { portLevelPolicy, staticStrictPolicy } from "./peer-authentication.ts";
import { compilePod } from "./pod-workload.ts";
import { reportTargets } from "./policy-targets.ts";
import { compileUnguarded, type RequirementReport, reportRequirement } from "./requirement-report.ts";
import { compileService, compileServiceEntry } from "./service.ts";
import type { CompileSettings } from "./settings.ts";
import { resolveWaypoint } from "./waypoint.ts";
import {
  asksForWaypoint,
  bindService,
  bindServiceEntry,
  bindWorkloadEntry,
  reportPod,
} from "./waypoint-binding.ts";
import { compileGuard, compileRequirement, demandsWaypoint, isGuarded } from "./waypoint-guard.ts";
import { type Compilation, strictByDefault } from "./workload-parts.ts";

interface Changed<T> {
  readonly upserts: readonly { readonly name: string; readonly value: T }[];
  readonly removedNames: readonly string[];
}

/** What is different since the last flush; each name once. */
export interface MeshChanges {
  readonly workloads: Changed<Workload>;
  readonly services: Changed<Service>;
  readonly policies: Changed<Policy>;
  /** For status: policies whose verdict is new or other. */
  readonly reports: Changed<PolicyReport>;
  /** For status: objects whose waypoint is new, other, or not asked for any more. */
  readonly waypointBindings: Changed<BindingReport>;
  /** For status: Services whose demand for a waypoint is new, met in another way, or gone. */
  readonly requirementReports: Changed<RequirementReport>;
  readonly workloadLabels: Changed<WorkloadLabels>;
  /** By waypoint and service. */
  readonly served: Changed<ServedAt>;
  readonly waypointSettings: Changed<WaypointSettings>;
  /** For status. */
  readonly routeReports: Changed<RouteReport>;
  readonly rateLimitReports: Changed<RateLimitReport>;
  readonly appliedReports: Changed<AppliedReport>;
  readonly faultReports: Changed<FaultReport>;
}

export interface MeshCompiler {
  /** Put facts here, then flush. */
  readonly inputs: MeshInputs;
  readonly outputs: MeshOutputs;
  flush(): MeshChanges;
  /** Computations since the start: what tests and metrics measure work in. */
  readonly computations: number;
}

export function createMeshCompiler(settings: CompileSettings, onFault: OnFault): MeshCompiler {
  const graph = new Graph(onFault);
  const inputs = createInputs(graph, settings);
  const outputs = createOutputs(graph);
  const mesh = graph.collection<string>("mesh", {});
  const compilation = (read: Reader): Compilation => ({ settings, inputs, outputs, read });

  deriveWaypoints(graph, inputs, outputs, compilation);
  graph.derive(
    outputs.waypointBindings,
    outputs.waypointRequirements,
    (report, read) => compileRequirement(report, compilation(read)),
    demandsWaypoint,
  );
  derivePolicies(graph, mesh, inputs, outputs, settings);
  graph.derive(inputs.services, outputs.services, (service, read) =>
    compileService(service, compilation(read)),
  );
  graph.derive(inputs.serviceEntries, outputs.services, (entry, read) =>
    compileServiceEntry(entry, compilation(read)),
  );
  graph.derive(inputs.pods, outputs.workloads, (pod, read) => compilePod(pod, compilation(read)));
  graph.derive(inputs.workloadEntries, outputs.workloads, (entry, read) =>
    compileWorkloadEntry(entry, compilation(read)),
  );
  graph.derive(inputs.serviceEntries, outputs.workloads, (entry, read) =>
    compileServiceEntryEndpoints(entry, compilation(read)),
  );
  graph.derive(inputs.endpointSlices, outputs.workloads, (slice, read) =>
    compileEndpointSlice(slice, compilation(read)),
  );
  deriveGuards(graph, outputs, compilation);
  deriveTraffic(graph, inputs, outputs, compilation);
  mesh.put("mesh", "mesh");

  return {
    inputs,
    outputs,
    flush() {
      graph.flush();
      return {
        workloads: takeChanges(graph, outputs.workloads),
        services: takeChanges(graph, outputs.services),
        policies: takeChanges(graph, outputs.policies),
        reports: takeChanges(graph, outputs.policyReports),
        waypointBindings: takeChanges(graph, outputs.waypointBindings),
        requirementReports: takeChanges(graph, outputs.requirementReports),
        workloadLabels: takeChanges(graph, outputs.workloadLabels),
        served: takeChanges(graph, outputs.served),
        waypointSettings: takeChanges(graph, outputs.waypointSettings),
        routeReports: takeChanges(graph, outputs.routeReports),
        rateLimitReports: takeChanges(graph, outputs.rateLimitReports),
        appliedReports: takeChanges(graph, outputs.appliedReports),
        faultReports: takeChanges(graph, outputs.faultReports),
      };
    },
    get computations() {
      return graph.computations;
    },
  };
}

function deriveWaypoints(
  graph: Graph,
  inputs: MeshInputs,
  outputs: MeshOutputs,
  compilation: (read: Reader) => Compilation,
): void {
  graph.derive(inputs.waypoints, outputs.waypoints, (gateway, read) => [
    {
      key: waypointKey(gateway),
      value: resolveWaypoint(gateway, read.get(inputs.gatewayClasses, gateway.className)),
    },
  ]);
  graph.derive(inputs.services, outputs.waypointBindings, (service, read) =>
    bindService(service, compilation(read)),
  );
  graph.derive(inputs.serviceEntries, outputs.waypointBindings, (entry, read) =>
    bindServiceEntry(entry, compilation(read)),
  );
  graph.derive(inputs.workloadEntries, outputs.waypointBindings, (entry, read) =>
    bindWorkloadEntry(entry, compilation(read)),
  );
  graph.derive(
    inputs.pods,
    outputs.waypointBindings,
    (pod, read) => reportPod(pod, compilation(read)),
    asksForWaypoint,
  );
}

/** After the workloads, of which some refer to a guard. */
function deriveGuards(graph: Graph, outputs: MeshOutputs, compilation: (read: Reader) => Compilation): void {
  graph.derive(
    outputs.workloads,
    outputs.policies,
    (workload, read) => compileGuard(workload, compilation(read)),
    isGuarded,
  );
  graph.derive(
    outputs.workloads,
    outputs.unguardedWorkloads,
    (workload) => (isGuarded(workload) ? compileUnguarded(workload) : []),
    isGuarded,
  );
  graph.derive(
    outputs.waypointBindings,
    outputs.requirementReports,
    (report, read) => reportRequirement(report, compilation(read)),
    demandsWaypoint,
  );
}

function derivePolicies(
  graph: Graph,
  mesh: Collection<string>,
  inputs: MeshInputs,
  outputs: MeshOutputs,
  settings: CompileSettings,
): void {
  graph.derive(inputs.authorizationPolicies, outputs.policies, (source) => {
    const { policy } = compileAuthorizationPolicy(source, settings);
    return policy === undefined ? [] : [{ key: policyKey(policy), value: policy }];
  });
  graph.derive(inputs.authorizationPolicies, outputs.selectorPolicies, (source) => {
    const { policy } = compileAuthorizationPolicy(source, settings);
    if (policy?.scope !== "workloadSelector") return [];
    const key = policyKey(policy);
    return [{ key, value: { key, namespace: source.namespace, selector: source.selector } }];
  });
  graph.derive(inputs.authorizationPolicies, outputs.policyReports, (source, read) => {
    const { namespace, name, generation } = source;
    const compiled = compileAuthorizationPolicy(source, settings).verdict;
    const isForWaypoints = source.targetRefs.length > 0;
    const verdict =
      compiled.kind === "notForZtunnel"
        ? reportTargets(source, { settings, inputs, outputs, read })
        : compiled;
    return [{ key: policyKey(source), value: { namespace, name, generation, verdict, isForWaypoints } }];
  });
  graph.derive(inputs.peerAuthentications, outputs.policies, (source, read) => {
    const isWorkloadLevel =
      Object.keys(source.selector).length > 0 && source.namespace !== settings.rootNamespace;
    if (!isWorkloadLevel) return [];
    const strict = strictByDefault(inputs, read, source.namespace, settings.rootNamespace);
    const policy = portLevelPolicy(source, strict);
    return policy === undefined ? [] : [{ key: policyKey(policy), value: policy }];
  });
  graph.derive(mesh, outputs.policies, (_mesh, read) => {
    if (read.by(inputs.peerAuthentications, "all", EVERY).length === 0) return [];
    const policy = staticStrictPolicy(settings.rootNamespace);
    return [{ key: policyKey(policy), value: policy }];
  });
}

function takeChanges<T, I extends string>(graph: Graph, collection: Collection<T, I>): Changed<T> {
  const upserts: { readonly name: string; readonly value: T }[] = [];
  const removedNames: string[] = [];
  for (const name of graph.takeChangedKeys(collection)) {
    const value = collection.get(name);
    if (value === undefined) removedNames.push(name);
    else upserts.push({ name, value });
  }
  return { upserts, removedNames };
}
