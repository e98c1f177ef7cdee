/** Whether what the mesh stands on runs: a ztunnel on every node with captured pods, a control plane. Pure. */

import { jsonAt, objectsAt, textAt } from "../output/json.ts";
import { isCaptured } from "./ambient.ts";
import type { MeshObject, ObjectSet } from "./object-set.ts";

/** Without any pod of the mesh's namespace nothing is known: it may be that the user may not list them. */
function seesMesh(objects: ObjectSet, rootNamespace: string): boolean {
  return objects.in("Pod", rootNamespace).length > 0;
}

function isReady({ status }: MeshObject): boolean {
  return objectsAt(status, "conditions").some(
    (each) => textAt(each, "type") === "Ready" && textAt(each, "status") === "True",
  );
}

function hasReady(app: string, node: string | undefined, objects: ObjectSet): boolean {
  return objects
    .all("Pod")
    .some(
      (pod) =>
        pod.labels["app"] === app &&
        (node === undefined || textAt(pod.spec, "nodeName") === node) &&
        isReady(pod),
    );
}

/** The node of a captured pod that no ready ztunnel serves; undefined: one does, or nobody can say. */
export function nodeWithoutZtunnel(
  pod: MeshObject,
  objects: ObjectSet,
  rootNamespace: string,
): string | undefined {
  const node = textAt(pod.spec, "nodeName");
  const isEnded = ["Succeeded", "Failed"].includes(textAt(pod.status, "phase"));
  if (node === "" || isEnded || !isCaptured(pod) || !seesMesh(objects, rootNamespace)) return undefined;
  return hasReady("ztunnel", node, objects) ? undefined : node;
}

/** Why no control plane serves; undefined: one does, or it runs elsewhere, or nobody can say. */
export function controlPlaneProblem(objects: ObjectSet, rootNamespace: string): string | undefined {
  // One that runs outside the cluster is a Service whose endpoints somebody else writes.
  const isElsewhere = objects
    .in("Service", rootNamespace)
    .some(({ name, spec }) => name.startsWith("istiod") && jsonAt(spec, "selector") === undefined);
  if (!seesMesh(objects, rootNamespace) || isElsewhere || hasReady("istiod", undefined, objects))
    return undefined;
  const deployments = objects.all("Deployment").filter(({ labels }) => labels["app"] === "istiod");
  const [first] = deployments;
  if (first === undefined) return "there is no Deployment of istiod";
  const isStopped = textAt(first.spec, "replicas") === "0";
  return `Deployment ${first.namespace}/${first.name} ${isStopped ? "is scaled to 0" : "has no ready pod"}`;
}
