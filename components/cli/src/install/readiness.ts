/** When an installed object counts as ready: pure, over the object as the API server shows it. */

export type Readiness =
  | { readonly kind: "ready" }
  | { readonly kind: "waiting"; readonly for: string }
  /** Waiting does not help: somebody has to act. */
  | { readonly kind: "stopped"; readonly why: string };

const READY: Readiness = { kind: "ready" };

/** Objects of other kinds are ready as soon as they exist. */
export function readinessOf(object: unknown): Readiness {
  const kind = at(object, "kind");
  if (kind === "Deployment") return deploymentReadiness(object);
  if (kind === "DaemonSet") return daemonSetReadiness(object);
  if (kind === "CustomResourceDefinition") return definitionReadiness(object);
  return READY;
}

function deploymentReadiness(object: unknown): Readiness {
  const wanted = count(object, "spec", "replicas", 1);
  if (wanted === 0) return { kind: "stopped", why: `scaled to 0: ${scaleCommand(object)}` };
  const ready = Math.min(
    count(object, "status", "readyReplicas", 0),
    count(object, "status", "updatedReplicas", 0),
  );
  return judge(object, ready, wanted);
}

/** An autoscaler leaves a Deployment alone that is scaled to 0, and so does an installation whose replicas are the autoscaler's. */
function scaleCommand(object: unknown): string {
  const metadata = at(object, "metadata");
  const [name, namespace] = [at(metadata, "name"), at(metadata, "namespace")];
  return `kubectl scale deployment/${String(name)}${namespace === undefined ? "" : ` -n ${String(namespace)}`} --replicas=1`;
}

function daemonSetReadiness(object: unknown): Readiness {
  const wanted = count(object, "status", "desiredNumberScheduled", 0);
  const ready = Math.min(
    count(object, "status", "numberReady", 0),
    count(object, "status", "updatedNumberScheduled", 0),
  );
  // A DaemonSet that no node wants yet has not been looked at by its controller, or the cluster has no nodes.
  return wanted === 0 ? { kind: "waiting", for: "a node to run on" } : judge(object, ready, wanted);
}

function judge(object: unknown, ready: number, wanted: number): Readiness {
  const observed = count(object, "status", "observedGeneration", 0);
  const generation = count(object, "metadata", "generation", 0);
  if (observed < generation) return { kind: "waiting", for: "its controller" };
  return ready >= wanted ? READY : { kind: "waiting", for: `${ready} of ${wanted} pods ready` };
}

function definitionReadiness(object: unknown): Readiness {
  const conditions = at(at(object, "status"), "conditions");
  const established =
    Array.isArray(conditions) &&
    conditions.some((each) => at(each, "type") === "Established" && at(each, "status") === "True");
  return established ? READY : { kind: "waiting", for: "the API server to serve it" };
}

function at(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function count(object: unknown, part: string, field: string, absent: number): number {
  const value = at(at(object, part), field);
  return typeof value === "number" ? value : absent;
}
