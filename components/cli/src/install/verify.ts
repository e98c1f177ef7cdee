/** What `verify-install` says of objects. Pure. */

import { type KubernetesObject, nameOf, type Pod } from "@meltemi/kubernetes";
import { objectText } from "./plan.ts";
import type { Readiness } from "./readiness.ts";

export interface Verified {
  /** `Deployment istio-system/istiod` */
  readonly object: string;
  /** Undefined: it is as it should be. */
  readonly problem?: string;
}

export function judgeObjects(
  objects: readonly KubernetesObject[],
  readinessOf: (object: KubernetesObject) => Readiness,
): readonly Verified[] {
  return objects.map((one) => {
    const namespace = one.metadata?.namespace;
    const object = objectText({
      kind: one.kind ?? "",
      name: nameOf(one),
      ...(namespace !== undefined && { namespace }),
    });
    const readiness = readinessOf(one);
    if (readiness.kind === "ready") return { object };
    return { object, problem: readiness.kind === "stopped" ? readiness.why : `waiting for ${readiness.for}` };
  });
}

/** Nodes with captured pods and no ready ztunnel: its DaemonSet looks healthy when it does not want them. */
export function judgeNodes(pods: readonly Pod[]): readonly Verified[] {
  const running = pods.filter(({ status }) => status?.phase === "Running");
  const served = new Set(
    running
      .filter(
        ({ metadata, status }) =>
          metadata?.labels?.["app"] === "ztunnel" &&
          (status?.conditions ?? []).some((each) => each.type === "Ready" && each.status === "True"),
      )
      .map(({ spec }) => spec?.nodeName),
  );
  const captured = running.filter(
    ({ metadata, spec }) =>
      metadata?.annotations?.["ambient.istio.io/redirection"] === "enabled" && !served.has(spec?.nodeName),
  );
  const nodes = new Set(captured.map(({ spec }) => spec?.nodeName ?? ""));
  return [...nodes].sort().map((node) => {
    const count = captured.filter(({ spec }) => spec?.nodeName === node).length;
    return {
      object: `Node ${node}`,
      problem: `no ready ztunnel on it, and ${count} captured ${count === 1 ? "pod" : "pods"} whose connections fail`,
    };
  });
}

export function renderVerification(verified: readonly Verified[]): readonly string[] {
  if (verified.length === 0)
    return ["✘ istioctl has installed nothing in this cluster (of charts, helm status knows)"];
  const lines = verified.map(({ object, problem }) =>
    problem === undefined ? `✔ ${object} checked successfully` : `✘ ${object}: ${problem}`,
  );
  const wrong = verified.filter(({ problem }) => problem !== undefined).length;
  return [
    ...lines,
    wrong === 0
      ? "✔ Istio is installed and verified successfully"
      : `✘ ${wrong} of ${verified.length} checks failed`,
  ];
}
