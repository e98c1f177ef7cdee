/** Analyzers of namespaces and pods: who is in the mesh, and in which mode (reference: l7-and-cli §4.1, §4.4). */

import { DATAPLANE_MODE, isAmbientNamespace, isCaptured, modeOf } from "../mesh-objects/ambient.ts";
import type { MeshObject } from "../mesh-objects/object-set.ts";
import { textAt } from "../output/json.ts";
import { type AnalysisContext, type Analyzer, isSystemNamespace } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

const INJECTION = "istio-injection";
const REVISION = "istio.io/rev";

function* analyzeNamespaces(context: AnalysisContext): Generator<Message> {
  for (const namespace of context.objects.all("Namespace")) {
    if (isSystemNamespace(namespace.name, context)) continue;
    const injection = namespace.labels[INJECTION];
    const revision = namespace.labels[REVISION];
    const mode = namespace.labels[DATAPLANE_MODE];
    if (injection !== undefined && revision !== undefined)
      yield message(
        "multipleInjectionLabels",
        namespace,
        `The namespace has more than one injection label [${INJECTION} ${REVISION}], which may lead to undefined behavior. Make sure only one injection label exists.`,
      );
    // By itself the revision chooses a control plane for waypoints: only sidecars that are there show that an injector reads it.
    const isRevisionInjected =
      revision !== undefined && context.objects.in("Pod", namespace.name).some(hasSidecar);
    if (mode === "ambient" && (injection === "enabled" || isRevisionInjected))
      yield message(
        "injectionAndAmbient",
        namespace,
        `The namespace is labelled for ambient mode and, by ${injection === "enabled" ? INJECTION : REVISION}, for sidecars: new pods get a sidecar and are not in ambient mode.`,
      );
    if (
      mode === undefined &&
      injection === undefined &&
      revision === undefined &&
      hasOwnPods(namespace.name, context)
    )
      yield message(
        "namespaceNotInjected",
        namespace,
        `The namespace is not in the mesh. Run 'kubectl label namespace ${namespace.name} istio.io/dataplane-mode=ambient' to enrol it, or label it 'istio.io/dataplane-mode=none' to mark it as not needing the mesh.`,
      );
  }
}

function hasSidecar({ annotations }: MeshObject): boolean {
  return annotations["sidecar.istio.io/status"] !== undefined;
}

/** Pods that chose a mode themselves say that somebody thought of it. */
function hasOwnPods(namespace: string, { objects }: AnalysisContext): boolean {
  return objects.in("Pod", namespace).some(({ labels }) => labels[DATAPLANE_MODE] === undefined);
}

function* analyzePods(context: AnalysisContext): Generator<Message> {
  const { objects } = context;
  for (const pod of objects.all("Pod")) {
    if (isSystemNamespace(pod.namespace, context) || textAt(pod.status, "phase") !== "Running") continue;
    const namespace = objects.get("Namespace", "", pod.namespace);
    const mode = modeOf(pod, objects);
    const isInjected =
      namespace?.labels[INJECTION] === "enabled" && pod.labels["sidecar.istio.io/inject"] !== "false";
    if (isInjected && mode === "none" && textAt(pod.spec, "hostNetwork") !== "true")
      yield message(
        "podMissingProxy",
        pod,
        `The pod ${pod.name} is missing the Istio proxy. This can often be resolved by restarting or redeploying the workload.`,
      );
    if (mode === "ambient" && !isCaptured(pod))
      yield message(
        "podMissingProxy",
        pod,
        `The pod ${pod.name} is in ambient mode by its labels, but its traffic is not redirected to ztunnel: see the log of istio-cni-node on node ${textAt(pod.spec, "nodeName")}.`,
      );
  }
}

/** Of sidecars alone (reference: l7-and-cli §4.4). */
const SIDECAR_ANNOTATIONS = [
  /^traffic\.sidecar\.istio\.io\/(?:in|ex)clude/,
  /^sidecar\.istio\.io\/(?!status$|inject$)/,
  /^proxy\.istio\.io\/config$/,
  /^status\.sidecar\.istio\.io\//,
];

function* analyzeAnnotations({ objects }: AnalysisContext): Generator<Message> {
  for (const deployment of objects.all("Deployment")) {
    if (!isAmbientNamespace(deployment.namespace, objects)) continue;
    // A waypoint's Deployment has its Gateway's annotations, which mean something there.
    if (deployment.labels["gateway.istio.io/managed"] !== undefined) continue;
    const template = deployment.spec["template"] as { metadata?: { annotations?: object } } | undefined;
    const names = Object.keys(template?.metadata?.annotations ?? {}).filter((name) =>
      SIDECAR_ANNOTATIONS.some((pattern) => pattern.test(name)),
    );
    if (names.length > 0)
      yield message(
        "annotationIgnored",
        deployment,
        `Pods in ambient mode ignore ${names.join(", ")}: it is for sidecars.`,
      );
  }
}

export const ENROLMENT_ANALYZERS: readonly Analyzer[] = [
  {
    name: "injection.Analyzer",
    about: "namespaces that are not in the mesh, or in two modes",
    analyze: analyzeNamespaces,
  },
  {
    name: "ambient.CaptureAnalyzer",
    about: "pods that should be in the mesh and are not",
    analyze: analyzePods,
  },
  {
    name: "annotations.AmbientAnalyzer",
    about: "annotations that only sidecars obey",
    analyze: analyzeAnnotations,
  },
];
