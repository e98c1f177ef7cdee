/** The downward API: what a pod may know of itself. Pure. */

import type { Pod } from "@meltemi/kubernetes";
import { formatInUnits, parseQuantity } from "./quantity.ts";

export interface PodFacts {
  readonly pod: Pod;
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
}

/** What a container gets that has no limit: the whole node (reference: Kubernetes API, ResourceFieldSelector). */
export interface NodeCapacity {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Value of a `fieldPath`, or undefined when there is no such field. */
export function fieldValue(facts: PodFacts, path: string): string | undefined {
  const { pod, podIps, hostIps } = facts;
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata?.[keyed[1] as "labels" | "annotations"]?.[keyed[2] ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
      return pod.metadata?.name;
    case "metadata.namespace":
      return pod.metadata?.namespace;
    case "metadata.uid":
      return pod.metadata?.uid;
    case "metadata.labels":
      return formatMap(pod.metadata?.labels);
    case "metadata.annotations":
      return formatMap(pod.metadata?.annotations);
    case "spec.nodeName":
      return pod.spec?.nodeName;
    case "spec.serviceAccountName":
      return pod.spec?.serviceAccountName ?? "default";
    case "status.podIP":
      return podIps[0];
    case "status.podIPs":
      return podIps.join(",");
    case "status.hostIP":
      return hostIps[0];
    case "status.hostIPs":
      return hostIps.join(",");
    default:
      return undefined;
  }
}

/** One `key="value"` a line, values escaped, as the kubelet writes them. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}

/** Value of a resource such as `limits.memory`, rounded up to whole units of `divisor` ("0" means 1). */
export function resourceValue(
  pod: Pod,
  containerName: string,
  resource: string,
  divisor: string,
  capacity: NodeCapacity,
): string | undefined {
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const container = all.find((candidate) => candidate.name === containerName);
  const [kind, name] = resource.split(".");
  if (container === undefined || (kind !== "limits" && kind !== "requests") || name === undefined)
    return undefined;
  const given = container.resources?.[kind]?.[name] ?? container.resources?.limits?.[name];
  const whole = { cpu: capacity.cpus, memory: capacity.memoryBytes }[name];
  const value = given === undefined ? (kind === "limits" ? whole : 0) : parseQuantity(given);
  const unit = parseQuantity(divisor === "0" ? "1" : divisor);
  return value === undefined || unit === undefined ? undefined : formatInUnits(value, unit);
}
