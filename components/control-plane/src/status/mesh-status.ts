/** The status of everything that the mesh is configured by: whose objects, what they say. Only the leader runs it. */

import {
  AUTHORIZATION_POLICIES,
  type CustomObject,
  type Informer,
  type InformerHandlers,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  SERVICE_ENTRIES,
  SERVICES,
  WORKLOAD_ENTRIES,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import type { BoundKind } from "../compile/binding-report.ts";
import type { MeshOutputs } from "../compile/mesh-collections.ts";
import type { MeshChanges } from "../compile/mesh-compiler.ts";
import type { MeshWatch } from "../sources/watch-mesh.ts";
import { BINDING_CONDITIONS, decideBindingConditions } from "./decide-binding.ts";
import { decideCondition, POLICY_CONDITIONS } from "./decide-conditions.ts";
import { decideRequirementCondition, REQUIREMENT_CONDITION } from "./decide-requirement.ts";
import { type StatusSubject, startStatusWriter } from "./status-writer.ts";

export interface MeshStatusDependencies {
  readonly client: Pick<KubernetesClient, "apply">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly outputs: MeshOutputs;
  readonly watch: MeshWatch;
}

export interface MeshStatus {
  /** Compilation came to other results. */
  onCompiled(changes: MeshChanges): void;
  stop(): Promise<void>;
}

/** Looks at everything once, and then at what changes. */
export function startMeshStatus(deps: MeshStatusDependencies): MeshStatus {
  const { outputs, watch } = deps;
  const policies = startStatusWriter("policy-status", {
    ...deps,
    subject: (key) => policySubject(key, deps),
  });
  const bindings = startStatusWriter("waypoint-status", {
    ...deps,
    subject: (key) => bindingSubject(key, deps),
  });
  for (const [key] of outputs.policyReports.entries()) policies.touch(key);
  // Replays all there is: an object that asks for no waypoint any more may carry a condition from before.
  const unsubscribe = [
    follow(watch.services, "Service"),
    follow(watch.serviceEntries, "ServiceEntry"),
    follow(watch.workloadEntries, "WorkloadEntry"),
  ];

  function follow(informer: Pick<Informer<KubernetesObject>, "onChange">, kind: BoundKind): () => void {
    const touch = (object: KubernetesObject): void => bindings.touch(`${kind}/${keyOf(object)}`);
    const handlers: InformerHandlers<KubernetesObject> = {
      add: touch,
      update: (_previous, object) => touch(object),
    };
    return informer.onChange(handlers);
  }

  return {
    onCompiled({ reports, waypointBindings, requirementReports }) {
      for (const { name } of reports.upserts) policies.touch(name);
      for (const { name } of waypointBindings.upserts) bindings.touch(name);
      for (const name of waypointBindings.removedNames) bindings.touch(name);
      for (const { name } of requirementReports.upserts) bindings.touch(name);
      for (const name of requirementReports.removedNames) bindings.touch(name);
    },
    async stop() {
      for (const stop of unsubscribe) stop();
      await Promise.all([policies.stop(), bindings.stop()]);
    },
  };
}

function policySubject(key: string, { outputs, watch }: MeshStatusDependencies): StatusSubject | undefined {
  const report = outputs.policyReports.get(key);
  const object = watch.authorizationPolicies.get(key);
  if (report === undefined || object === undefined) return undefined;
  return {
    type: AUTHORIZATION_POLICIES,
    object,
    conditions: [decideCondition(report)],
    owned: POLICY_CONDITIONS,
    fields: { observedGeneration: String(report.generation) },
  };
}

/** Key: `<kind>/<namespace>/<name>`. */
function bindingSubject(key: string, { outputs, watch }: MeshStatusDependencies): StatusSubject | undefined {
  const slash = key.indexOf("/");
  const found = findBound(key.slice(0, slash), key.slice(slash + 1), watch);
  if (found === undefined) return undefined;
  const generation = found.object.metadata?.generation;
  const requirement = decideRequirementCondition(outputs.requirementReports.get(key));
  const contents = [
    ...decideBindingConditions(outputs.waypointBindings.get(key)),
    ...(requirement === undefined ? [] : [requirement]),
  ];
  const conditions = contents.map((condition) =>
    // The kinds of Istio say what they have seen; a Service has no generation.
    found.type === SERVICES ? condition : { ...condition, observedGeneration: String(generation ?? 0) },
  );
  return { ...found, conditions, owned: [...BINDING_CONDITIONS, REQUIREMENT_CONDITION], fields: {} };
}

function findBound(
  kind: string,
  key: string,
  watch: MeshWatch,
): Pick<StatusSubject, "type" | "object"> | undefined {
  const of = (
    type: StatusSubject["type"],
    object: CustomObject | undefined,
  ): Pick<StatusSubject, "type" | "object"> | undefined => object && { type, object };
  switch (kind) {
    case "Service":
      return of(SERVICES, watch.services.get(key));
    case "ServiceEntry":
      return of(SERVICE_ENTRIES, watch.serviceEntries.get(key));
    case "WorkloadEntry":
      return of(WORKLOAD_ENTRIES, watch.workloadEntries.get(key));
    default:
      return undefined;
  }
}
