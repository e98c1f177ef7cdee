/** Pod → facts. */

import type { Pod } from "@meltemi/kubernetes";
import { type Ip, parseIp } from "@meltemi/model";
import type { PodFacts } from "../compile/facts.ts";
import { annotationOf, labelsOf, waypointRequestOf } from "./labels.ts";

export function podFacts(pod: Pod): PodFacts {
  const { metadata = {}, spec, status = {} } = pod;
  const isReady = status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True");
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    labels: labelsOf(pod),
    waypoint: waypointRequestOf(pod),
    ips: podIps(status),
    terminated: status.phase === "Succeeded" || status.phase === "Failed",
    healthy: isReady === true && metadata.deletionTimestamp === undefined,
    hostNetwork: spec?.hostNetwork === true,
    node: spec?.nodeName ?? "",
    serviceAccount: spec?.serviceAccountName || "default",
    captured: annotationOf(pod, "ambient.istio.io/redirection") === "enabled",
    workloadName: workloadNameOf(pod),
    namedPorts: namedPortsOf(pod),
  };
}

function podIps(status: NonNullable<Pod["status"]>): readonly Ip[] {
  const texts = status.podIPs?.map(({ ip }) => ip) ?? [status.podIP];
  return texts.flatMap((text) => parseIp(text ?? "") ?? []);
}

/** Containers, and init containers that go on running (sidecars of Kubernetes). */
function namedPortsOf(pod: Pod): Readonly<Record<string, number>> {
  const sidecars = pod.spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === "Always") ?? [];
  const found: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const { ports = [] } of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const { name, containerPort, protocol = "TCP" } of ports)
      if (name !== undefined && protocol === "TCP") found[name] ??= containerPort;
  }
  return found;
}

/** The Deployment rather than its ReplicaSet, the CronJob rather than its Job. */
function workloadNameOf(pod: Pod): string {
  const { name = "", ownerReferences = [], labels = {} } = pod.metadata ?? {};
  const owner = ownerReferences.find(({ controller }) => controller === true);
  if (owner === undefined) return name;
  const hash = labels["pod-template-hash"];
  if (owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return owner.name.slice(0, -hash.length - 1);
  // A CronJob's jobs end in their time of start in minutes.
  if (owner.kind === "Job") return owner.name.replace(/-\d{8,10}$/, "");
  return owner.name;
}
