/** Labels and annotations that all kinds share. */

import type { KubernetesObject } from "@meltemi/kubernetes";
import type { AppProtocol } from "@meltemi/model";
import type { Labels, TrafficDistribution, WaypointRequest } from "../compile/facts.ts";

export function labelsOf(object: KubernetesObject): Labels {
  return object.metadata?.labels ?? {};
}

export function annotationOf(object: KubernetesObject, name: string): string | undefined {
  return object.metadata?.annotations?.[name];
}

export function waypointRequestOf(object: KubernetesObject): WaypointRequest {
  const labels = labelsOf(object);
  const useWaypoint = labels["istio.io/use-waypoint"];
  const useWaypointNamespace = labels["istio.io/use-waypoint-namespace"];
  const ingress = labels["istio.io/ingress-use-waypoint"];
  const required = annotationOf(object, "meltemi.io/waypoint-required");
  return {
    ...(useWaypoint !== undefined && { useWaypoint }),
    ...(useWaypointNamespace !== undefined && { useWaypointNamespace }),
    ...(ingress !== undefined && { ingressUseWaypoint: ingress === "true" }),
    ...(required !== undefined && { required }),
    ...canaryRequestOf(object),
  };
}

function canaryRequestOf(object: KubernetesObject): WaypointRequest {
  const { "istio.io/use-waypoint-canary": canary, "istio.io/use-waypoint-canary-namespace": namespace } =
    labelsOf(object);
  if (canary === undefined) return {};
  const weight = annotationOf(object, "istio.io/use-waypoint-canary-weight");
  return {
    canary,
    ...(namespace !== undefined && { canaryNamespace: namespace }),
    ...(weight !== undefined && { canaryWeight: weight }),
  };
}

/** Milliseconds since the epoch; zero for an object that was never stored. */
export function createdMs(object: KubernetesObject): number {
  const ms = Date.parse(String(object.metadata?.creationTimestamp ?? ""));
  return Number.isNaN(ms) ? 0 : ms;
}

/** `spec.trafficDistribution`, over which Istio's annotation wins. */
export function trafficDistributionOf(
  object: KubernetesObject,
  spec: string | undefined,
): TrafficDistribution {
  switch ((annotationOf(object, "networking.istio.io/traffic-distribution") ?? spec ?? "").toLowerCase()) {
    case "preferclose":
    case "prefersamezone":
      return "preferSameZone";
    case "prefersamenode":
      return "preferSameNode";
    default:
      return "any";
  }
}

/** From `appProtocol`, else from the port's name up to the first hyphen, as Istio reads it. */
export function appProtocolOf(appProtocol: string | undefined, portName: string | undefined): AppProtocol {
  const text = (appProtocol ?? portName?.split("-")[0] ?? "").toLowerCase();
  switch (text) {
    case "http":
      return "http11";
    case "http2":
    case "h2c":
    case "kubernetes.io/h2c":
      return "http2";
    case "grpc":
      return "grpc";
    case "tcp":
    // Their servers speak first: who waits for the client's first bytes to know what they are waits for ever.
    case "mongo":
    case "mysql":
    case "redis":
      return "tcp";
    case "tls":
    case "https":
      return "tls";
    default:
      return "unknown";
  }
}
