/** What the mesh stands on and is not there, said of those who suffer from it. */

import { DATAPLANE_MODE } from "../mesh-objects/ambient.ts";
import { controlPlaneProblem, nodeWithoutZtunnel } from "../mesh-objects/mesh-health.ts";
import type { AnalysisContext, Analyzer } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

function* analyzeHealth({ objects, rootNamespace, hasCluster }: AnalysisContext): Generator<Message> {
  if (!hasCluster) return;
  // One of them stands for the namespace's pods on that node.
  const told = new Set<string>();
  for (const pod of objects.all("Pod")) {
    const node = nodeWithoutZtunnel(pod, objects, rootNamespace);
    if (node === undefined || told.has(`${pod.namespace}/${node}`)) continue;
    told.add(`${pod.namespace}/${node}`);
    const text = `No ready ztunnel on its node ${node}, which captured its traffic: connections to and from it fail, as of every captured pod there.`;
    yield message("nodeWithoutZtunnel", pod, text);
  }
  const problem = controlPlaneProblem(objects, rootNamespace);
  if (problem === undefined) return;
  for (const namespace of objects.all("Namespace"))
    if (namespace.labels[DATAPLANE_MODE] === "ambient")
      yield message(
        "controlPlaneDown",
        namespace,
        `It is in the mesh, and no control plane runs (${problem}): proxies get no changes, and no certificates when theirs end.`,
      );
}

export const HEALTH_ANALYZER: Analyzer = {
  name: "ambient.HealthAnalyzer",
  about: "captured pods on nodes without a ztunnel, a mesh without a control plane",
  analyze: analyzeHealth,
};
