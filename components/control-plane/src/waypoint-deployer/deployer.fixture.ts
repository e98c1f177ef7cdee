/** A Gateway and settings for tests: a test says only what it is about. */

import type { EndpointSlice, Gateway, Service } from "@meltemi/kubernetes";
import type { GatewayView } from "./plan.ts";
import type { DeployerSettings } from "./settings.ts";

export const SETTINGS: DeployerSettings = {
  image: "docker.io/meltemi/proxyv2:1",
  revision: "default",
  systemNamespace: "istio-system",
  clusterDomain: "cluster.local",
  clusterId: "Kubernetes",
  trustDomain: "cluster.local",
  network: "",
  controlPlaneAddress: "istiod.istio-system.svc:15012",
  logLevel: "info",
  logAsJson: false,
  pod: { resources: {}, placement: {} },
  highAvailability: false,
  revocationLists: true,
};

export function gatewayOf(spec: Partial<NonNullable<Gateway["spec"]>> = {}, metadata: object = {}): Gateway {
  return {
    metadata: { namespace: "ns", name: "wp", uid: "u", generation: 1, ...metadata },
    spec: {
      gatewayClassName: "istio-waypoint",
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
      ...spec,
    },
  };
}

export function viewOf(gateway: Gateway, fields: Partial<GatewayView> = {}): GatewayView {
  return {
    gateway,
    namespace: undefined,
    tag: undefined,
    gatewayClass: undefined,
    classDefaults: undefined,
    parameters: { kind: "none" },
    ...fields,
  };
}

export function serviceOf(spec: Partial<NonNullable<Service["spec"]>> = {}): Service {
  return { spec: { clusterIP: "10.96.0.9", ports: [{ port: 15021 }, { port: 15008 }], ...spec } };
}

export function sliceOf(ready: boolean): EndpointSlice {
  return { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready } }] };
}
