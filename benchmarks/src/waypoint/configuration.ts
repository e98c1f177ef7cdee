/** What our side is configured with, as the control plane would send it: services, workloads, routes, a policy. Pure. */

import {
  type Ip,
  ip,
  type NamespacedHostname,
  newService,
  newWorkload,
  type Port,
  type Service,
  type Workload,
} from "@meltemi/model";
import {
  type Cluster,
  type HttpRoute,
  newCluster,
  type RequestPolicy,
  type RetryPolicy,
  type TelemetrySettings,
  type WaypointSettings,
} from "@meltemi/model/l7";
import {
  APPLICATION_PORTS,
  AUTHORITY,
  GROUP,
  GROUP_HEADER,
  servicePrefixes,
  VERSIONS,
  type Version,
} from "./traffic.ts";

export const NAMESPACE = "default";
export const REVIEWS: NamespacedHostname = { namespace: NAMESPACE, hostname: AUTHORITY };
export const VIP: Ip = ip("10.96.0.1");
/** Ports of every service: the application speaks HTTP/1.1 behind the first, HTTP/2 behind the second. */
export const SERVICE_PORTS = { http1: 80, http2: 81 } as const;
export type SpokenUpstream = keyof typeof SERVICE_PORTS;

const hostnameOf = (version: Version): string => `reviews-${version}.${NAMESPACE}.svc.cluster.local`;

function portsOf(version: Version): readonly Port[] {
  return [
    { servicePort: SERVICE_PORTS.http1, targetPort: APPLICATION_PORTS[version], appProtocol: "http11" },
    {
      servicePort: SERVICE_PORTS.http2,
      targetPort: APPLICATION_PORTS[`${version}Http2`],
      appProtocol: "http2",
    },
  ];
}

export function versionServices(): readonly Service[] {
  return VERSIONS.map((version) =>
    newService({
      name: `reviews-${version}`,
      namespace: NAMESPACE,
      hostname: hostnameOf(version),
      ports: portsOf(version),
    }),
  );
}

/** What the clients ask for; its routes lead to the versions. */
export function reviewsService(): Service {
  return newService({
    ...REVIEWS,
    name: "reviews",
    vips: [{ network: "", ip: VIP }],
    ports: portsOf("v1"),
  });
}

export function versionWorkload(version: Version, given: Partial<Workload>): Workload {
  return newWorkload({
    uid: `Kubernetes//Pod/${NAMESPACE}/reviews-${version}`,
    name: `reviews-${version}`,
    workloadName: `reviews-${version}`,
    namespace: NAMESPACE,
    serviceAccount: `reviews-${version}`,
    services: new Map([[`${NAMESPACE}/${hostnameOf(version)}`, portsOf(version)]]),
    ...given,
  });
}

export const clusterName = (version: Version, speaks: SpokenUpstream): string => `${version}-${speaks}`;

export function clusterOf(version: Version, speaks: SpokenUpstream): Cluster {
  return newCluster({
    name: clusterName(version, speaks),
    service: { namespace: NAMESPACE, hostname: hostnameOf(version) },
    port: SERVICE_PORTS[speaks],
    protocol: speaks,
  });
}

/** `count` routes: per prefix one that asks for a header too, and one for everything else. */
export function httpRoutes(count: number, speaks: SpokenUpstream): readonly HttpRoute[] {
  return servicePrefixes(count).flatMap((prefix) => [
    routeTo(`${prefix} ${GROUP}`, prefix, "v2", speaks),
    routeTo(prefix, prefix, "v1", speaks),
  ]);
}

function routeTo(name: string, prefix: string, version: Version, speaks: SpokenUpstream): HttpRoute {
  const inGroup = { name: GROUP_HEADER, match: { kind: "exact", value: GROUP }, invert: false } as const;
  return {
    name,
    matches: [
      {
        path: { kind: "prefix", value: prefix },
        headers: version === "v2" ? [inGroup] : [],
        queryParams: [],
      },
    ],
    action: {
      kind: "forward",
      targets: [{ target: { kind: "cluster", cluster: clusterName(version, speaks) }, weight: 1 }],
      mirrors: [],
    },
  };
}

/** Who may, by method and path, as the peers ask. */
export const POLICY: RequestPolicy = {
  namespace: NAMESPACE,
  name: "callers",
  action: "allow",
  dryRun: false,
  rules: [
    {
      from: [],
      to: [
        {
          hosts: [],
          notHosts: [],
          ports: [],
          notPorts: [],
          methods: ["GET", "POST"],
          notMethods: [],
          paths: ["/service-*"],
          notPaths: [],
        },
      ],
      when: [],
    },
  ],
};

/** The mesh's default (reference: l7-and-cli §2.4). */
const DEFAULT_RETRY: RetryPolicy = {
  retries: 2,
  on: ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"],
  statusCodes: [503],
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  avoidPreviousHosts: true,
  otherLocalities: false,
};

/** Metrics as waypoints have them; no access log and no spans, which the peers do not write either. */
export const TELEMETRY: TelemetrySettings = {
  accessLog: { kind: "off" },
  metrics: [],
  tracing: { samplingPercent: 0, customTags: [] },
};

export const SETTINGS: WaypointSettings = {
  trafficType: "service",
  trustDomain: "cluster.local",
  trustDomainAliases: [],
  pathNormalization: "base",
  defaultRetry: DEFAULT_RETRY,
  forwardClientIdentity: true,
  jwtRules: [],
  policies: [],
  rateLimits: [],
  telemetry: TELEMETRY,
  authorizers: [],
  clusters: [],
};
