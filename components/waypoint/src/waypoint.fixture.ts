/** A world for tests: the waypoint itself, a service that is bound to it, one that is not, and pods of both kinds. */

import { ip, newService, newWorkload, type Port, type Service, type Workload } from "@meltemi/model";
import { type Cluster, newCluster, type ServedService, type WaypointSettings } from "@meltemi/model/l7";
import type { WaypointXdsUpdate } from "@meltemi/xds";
import type { Self } from "./world/self.ts";
import { applyUpdate, EMPTY_WORLD, type WaypointWorld } from "./world/world.ts";

const REFERENCE = {
  destination: { kind: "hostname", namespace: "default", hostname: "waypoint.default.svc.cluster.local" },
  hbonePort: 15008,
} as const;

export const SELF: Self = {
  pod: { name: "waypoint-1", namespace: "default", serviceAccount: "waypoint" },
  identity: { trustDomain: "cluster.local", namespace: "default", serviceAccount: "waypoint" },
  place: { node: "node-a", network: "", clusterId: "Kubernetes" },
};

export const REVIEWS = "default/reviews.default.svc.cluster.local";

export function clusterOf(changes: Partial<Cluster> = {}): Cluster {
  return newCluster({
    name: "inbound-vip|80|http|reviews.default.svc.cluster.local",
    service: { namespace: "default", hostname: "reviews.default.svc.cluster.local" },
    port: 80,
    loadBalancer: { kind: "roundRobin" },
    ...changes,
  });
}

export function servedOf(changes: Partial<ServedService> = {}): ServedService {
  const cluster = clusterOf();
  return {
    ...cluster.service,
    ports: [{ port: 80, protocol: "http", httpRoutes: [], tcpRoutes: [], cluster: cluster.name }],
    clusters: [cluster],
    jwtRules: [],
    policies: [],
    rateLimits: [],
    telemetry: TELEMETRY,
    ...changes,
  };
}

function port(servicePort: number, targetPort: number = servicePort): Port {
  return { servicePort, targetPort, appProtocol: "unknown" };
}

function service(name: string, vip: string, ...ports: readonly Port[]): Service {
  return newService({
    name,
    namespace: "default",
    hostname: `${name}.default.svc.cluster.local`,
    vips: [{ network: "", ip: ip(vip) }],
    ports,
    canonical: true,
  });
}

function pod(name: string, address: string, given: Partial<Workload> = {}): Workload {
  return newWorkload({
    uid: `Kubernetes//Pod/default/${name}`,
    name,
    namespace: "default",
    serviceAccount: name,
    addresses: [ip(address)],
    tunnelProtocol: "hbone",
    ...given,
  });
}

const TELEMETRY: ServedService["telemetry"] = {
  accessLog: { kind: "off" },
  metrics: [],
  tracing: { samplingPercent: 0, customTags: [] },
};

export function settingsOf(changes: Partial<WaypointSettings> = {}): WaypointSettings {
  return {
    trafficType: "service",
    trustDomain: "cluster.local",
    trustDomainAliases: [],
    pathNormalization: "base",
    defaultRetry: {
      retries: 2,
      on: ["connect-failure", "refused-stream", "unavailable", "cancelled", "reset-before-request"],
      statusCodes: [],
      backoffBaseMs: 25,
      backoffMaxMs: 250,
      avoidPreviousHosts: true,
      otherLocalities: false,
    },
    forwardClientIdentity: false,
    jwtRules: [],
    policies: [],
    rateLimits: [],
    telemetry: TELEMETRY,
    authorizers: [],
    clusters: [],
    ...changes,
  };
}

/** `reviews` at 10.96.0.1 is served, `ratings` at 10.96.0.2 is not; the pod `bound` at 10.0.0.4 is, `client` at 10.0.0.1 is not. */
export function testWorld(settings: Partial<WaypointSettings> = {}): WaypointWorld {
  const services = [
    service("reviews", "10.96.0.1", port(80, 9080)),
    service("ratings", "10.96.0.2", port(80)),
    service("waypoint", "10.96.0.15", port(15008)),
  ];
  const pods = [
    pod("waypoint-1", "10.0.0.15", {
      serviceAccount: "waypoint",
      services: new Map([["default/waypoint.default.svc.cluster.local", [port(15008)]]]),
    }),
    pod("client", "10.0.0.1"),
    pod("bound", "10.0.0.4", { waypoint: REFERENCE }),
    pod("reviews-1", "10.0.0.5", { services: new Map([[REVIEWS, [port(80, 9080)]]]) }),
  ];
  const updates: readonly WaypointXdsUpdate[] = [
    {
      kind: "address",
      upserts: [
        ...services.map((each) => ({ name: "", value: { kind: "service", service: each } as const })),
        ...pods.map((each) => ({ name: "", value: { kind: "workload", workload: each } as const })),
      ],
      removedNames: [],
    },
    { kind: "servedService", upserts: [{ name: REVIEWS, value: servedOf() }], removedNames: [] },
    {
      kind: "waypointSettings",
      upserts: [{ name: "default/waypoint", value: settingsOf(settings) }],
      removedNames: [],
    },
  ];
  return updates.reduce(applyUpdate, EMPTY_WORLD);
}
