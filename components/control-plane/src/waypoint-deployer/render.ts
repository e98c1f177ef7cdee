/** The objects of a waypoint before anything is changed about them (reference: l7-and-cli §1.7). Pure. */

import type { Gateway } from "@meltemi/kubernetes";
import { annotationOf, GATEWAY_NAME_LABEL, type WaypointMetadata } from "./metadata.ts";
import { renderPod } from "./render-pod.ts";
import type { DeployerSettings } from "./settings.ts";
import type { Tree } from "./strategic-merge.ts";

/** In the order of their making. The names are the keys of overlays. */
export const PARTS = [
  "serviceAccount",
  "service",
  "deployment",
  "horizontalPodAutoscaler",
  "podDisruptionBudget",
] as const;
export type Part = (typeof PARTS)[number];

export function renderPart(
  part: Part,
  gateway: Gateway,
  metadata: WaypointMetadata,
  settings: DeployerSettings,
): Tree {
  switch (part) {
    case "serviceAccount":
      return object("v1", "ServiceAccount", metadata.serviceAccount, metadata);
    case "service":
      return { ...object("v1", "Service", metadata.name, metadata), ...renderService(gateway, metadata) };
    case "deployment":
      return {
        ...object("apps/v1", "Deployment", metadata.name, metadata),
        // No `replicas`: one to begin with, and an autoscaler's business from then on.
        spec: {
          selector: { matchLabels: selectorOf(metadata) },
          template: renderPod(gateway, metadata, settings),
        },
      };
    case "horizontalPodAutoscaler":
      return {
        ...object("autoscaling/v2", "HorizontalPodAutoscaler", metadata.name, metadata),
        spec: {
          scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: metadata.name },
          maxReplicas: 1,
        },
      };
    case "podDisruptionBudget":
      return {
        ...object("policy/v1", "PodDisruptionBudget", metadata.name, metadata),
        spec: { selector: { matchLabels: selectorOf(metadata) } },
      };
    default:
      return part satisfies never;
  }
}

function object(apiVersion: string, kind: string, name: string, metadata: WaypointMetadata): Tree {
  const { namespace, labels, annotations, ownerReference } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels, annotations, ownerReferences: [ownerReference] },
  };
}

export function selectorOf({ gatewayName }: WaypointMetadata): Readonly<Record<string, string>> {
  return { [GATEWAY_NAME_LABEL]: gatewayName };
}

const STATUS_PORT = { name: "status-port", port: 15021, protocol: "TCP", appProtocol: "tcp" } as const;
const SERVICE_TYPES: readonly string[] = ["ClusterIP", "LoadBalancer", "NodePort"];

function renderService(gateway: Gateway, metadata: WaypointMetadata): Tree {
  const { name, namespace, labels, annotations, ownerReference } = metadata;
  const asked = annotationOf(gateway, "networking.istio.io/service-type");
  const type = SERVICE_TYPES.find((known) => known === asked) ?? "ClusterIP";
  const address = gateway.spec?.addresses?.find(
    ({ type: kind = "IPAddress" }) => kind === "IPAddress",
  )?.value;
  return {
    metadata: {
      name,
      namespace,
      labels,
      annotations: { "networking.istio.io/traffic-distribution": "PreferClose", ...annotations },
      ownerReferences: [ownerReference],
    },
    spec: {
      type,
      ipFamilyPolicy: "PreferDualStack",
      ...(type === "LoadBalancer" && address !== undefined && { loadBalancerIP: address }),
      selector: selectorOf(metadata),
      ports: [STATUS_PORT, ...listenerPorts(gateway)],
    },
  };
}

const MAX_PORT_NAME_CHARACTERS = 63;

/** One for each port that a listener names. */
function listenerPorts(gateway: Gateway): readonly Tree[] {
  const names = new Set<string>([STATUS_PORT.name]);
  const numbers = new Set<number>([STATUS_PORT.port]);
  const ports: Tree[] = [];
  for (const { name, port, protocol } of gateway.spec?.listeners ?? []) {
    if (numbers.has(port)) continue;
    numbers.add(port);
    const plain = name.replaceAll(".", "-").slice(0, MAX_PORT_NAME_CHARACTERS);
    const suffix = `-${port}`;
    const unique = names.has(plain)
      ? `${plain.slice(0, MAX_PORT_NAME_CHARACTERS - suffix.length)}${suffix}`
      : plain;
    names.add(unique);
    ports.push({ name: unique, port, protocol: "TCP", appProtocol: protocol.toLowerCase() });
  }
  return ports;
}
