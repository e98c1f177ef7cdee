/** What the control plane is told of the waypoints that it deploys (reference: l7-and-cli §1.7, §1.8). */

import { stringify } from "yaml";
import { imageOf, type Manifest } from "./objects.ts";
import type { InstallValues } from "./values.ts";

/** Variables of the control plane. */
export function waypointEnv(values: InstallValues): object[] {
  const { image, pod, highAvailability } = values.waypoint;
  return [
    { name: "WAYPOINT_IMAGE", value: imageOf(values, image) },
    { name: "WAYPOINT_POD", value: JSON.stringify(pod) },
    { name: "WAYPOINT_HIGH_AVAILABILITY", value: String(highAvailability) },
    { name: "NETWORK", value: values.network },
  ];
}

/** One ConfigMap for each class that has overlays. */
export function renderGatewayClasses(
  values: InstallValues,
  labels: Readonly<Record<string, string>>,
): readonly Manifest[] {
  const revision = values.revision === "" ? "default" : values.revision;
  return [...values.gatewayClasses].map(([className, overlays]) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: `istio-${revision}-gatewayclass-${className}`,
      namespace: values.istioNamespace,
      labels: { ...labels, "gateway.istio.io/defaults-for-class": className },
    },
    data: Object.fromEntries([...overlays].map(([key, tree]) => [key, stringify(tree)])),
  }));
}
