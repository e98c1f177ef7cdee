/** The pod of a waypoint (reference: l7-and-cli §1.7). Pure. */

import type { Gateway } from "@meltemi/kubernetes";
import { annotationOf, type WaypointMetadata } from "./metadata.ts";
import type { DeployerSettings } from "./settings.ts";
import type { Tree } from "./strategic-merge.ts";

export const PROXY_CONTAINER = "istio-proxy";
const CA_FOLDER = "/var/run/secrets/istio";
const CRL_FOLDER = `${CA_FOLDER}/crl`;
const TOKEN_FOLDER = "/var/run/secrets/tokens";

export function renderPod(gateway: Gateway, metadata: WaypointMetadata, settings: DeployerSettings): Tree {
  return {
    metadata: {
      labels: {
        "service.istio.io/canonical-name": metadata.name,
        "service.istio.io/canonical-revision": "latest",
        ...metadata.labels,
        // It speaks HBONE itself: capture would send its traffic through the node's proxy once more.
        "sidecar.istio.io/inject": "false",
        "istio.io/dataplane-mode": "none",
      },
      annotations: {
        ...metadata.annotations,
        "istio.io/rev": settings.revision,
        "prometheus.io/path": "/stats/prometheus",
        "prometheus.io/port": "15020",
        "prometheus.io/scrape": "true",
      },
    },
    spec: {
      serviceAccountName: metadata.serviceAccount,
      ...settings.pod.placement,
      containers: [renderContainer(gateway, metadata, settings)],
      volumes: renderVolumes(settings),
    },
  };
}

function renderContainer(gateway: Gateway, metadata: WaypointMetadata, settings: DeployerSettings): Tree {
  const ready = { path: "/healthz/ready", port: 15021, scheme: "HTTP" };
  const image = annotationOf(gateway, "sidecar.istio.io/proxyImage") ?? settings.image ?? "";
  return {
    name: PROXY_CONTAINER,
    image,
    args: renderArguments(metadata, settings),
    ports: [
      { containerPort: 15020, name: "metrics", protocol: "TCP" },
      { containerPort: 15021, name: "status-port", protocol: "TCP" },
      { containerPort: 15090, name: "http-envoy-prom", protocol: "TCP" },
    ],
    startupProbe: {
      httpGet: ready,
      initialDelaySeconds: 1,
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 30,
    },
    readinessProbe: { httpGet: ready, periodSeconds: 15, timeoutSeconds: 1, failureThreshold: 4 },
    resources: settings.pod.resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 1337,
      runAsNonRoot: true,
      runAsUser: 1337,
    },
    env: renderEnv(metadata, imageVersion(image), settings),
    volumeMounts: [
      { mountPath: CA_FOLDER, name: "istiod-ca-cert" },
      { mountPath: TOKEN_FOLDER, name: "istio-token" },
      { mountPath: "/tmp", name: "tmp" },
      ...(settings.revocationLists ? [{ mountPath: CRL_FOLDER, name: "crl-volume", readOnly: true }] : []),
    ],
  };
}

/** Those that Istio gives its own waypoints. */
function renderArguments(metadata: WaypointMetadata, settings: DeployerSettings): readonly string[] {
  return [
    "proxy",
    "waypoint",
    "--domain",
    `$(POD_NAMESPACE).svc.${settings.clusterDomain}`,
    "--serviceCluster",
    `${metadata.serviceAccount}.$(POD_NAMESPACE)`,
    "--proxyLogLevel",
    settings.logLevel,
    "--proxyComponentLogLevel",
    "misc:error",
    "--log_output_level",
    `default:${settings.logLevel}`,
  ];
}

function renderVolumes(settings: DeployerSettings): readonly Tree[] {
  const token = { path: "istio-token", expirationSeconds: 43_200, audience: "istio-ca" };
  return [
    { name: "istio-token", projected: { sources: [{ serviceAccountToken: token }] } },
    { name: "istiod-ca-cert", configMap: { name: "istio-ca-root-cert" } },
    { name: "tmp", emptyDir: {} },
    // Only a mesh whose CA has revocation lists has the ConfigMap; it may come later.
    ...(settings.revocationLists
      ? [{ name: "crl-volume", configMap: { name: "istio-ca-crl", optional: true } }]
      : []),
  ];
}

/** Young garbage is collected in 4 MB instead of 16: 20 to 45 MB less under load, at the same CPU time (`npm run bench -- waypoint`). */
const RUNTIME_MEMORY = { NODE_OPTIONS: "--max-semi-space-size=4", MALLOC_ARENA_MAX: "2" } as const;

/** Istio's names, and beside them those of ztunnel, whose settings a waypoint shares. */
function renderEnv(
  metadata: WaypointMetadata,
  version: string | undefined,
  settings: DeployerSettings,
): readonly Tree[] {
  const { controlPlaneAddress, clusterId, clusterDomain, trustDomain } = settings;
  const network = metadata.labels["topology.istio.io/network"] ?? "";
  const plain: Readonly<Record<string, string>> = {
    CA_ADDR: controlPlaneAddress,
    CA_ADDRESS: `https://${controlPlaneAddress}`,
    XDS_ADDRESS: `https://${controlPlaneAddress}`,
    XDS_ROOT_CA: `${CA_FOLDER}/root-cert.pem`,
    CA_ROOT_CA: `${CA_FOLDER}/root-cert.pem`,
    AUTH_TOKEN: `${TOKEN_FOLDER}/istio-token`,
    ...(settings.revocationLists && { CRL_PATH: `${CRL_FOLDER}/ca-crl.pem` }),
    RUST_LOG: settings.logLevel,
    LOG_FORMAT: settings.logAsJson ? "json" : "plain",
    NETWORK: network,
    ISTIO_META_NETWORK: network,
    CLUSTER_ID: clusterId,
    ISTIO_META_CLUSTER_ID: clusterId,
    CLUSTER_DOMAIN: clusterDomain,
    TRUST_DOMAIN: trustDomain,
    GATEWAY_NAME: metadata.gatewayName,
    ISTIO_META_WORKLOAD_NAME: metadata.name,
    // Node metadata ISTIO_VERSION, by which `proxy-status` tells versions.
    ...(version !== undefined && { ISTIO_META_ISTIO_VERSION: version }),
    ...RUNTIME_MEMORY,
  };
  const fields: Readonly<Record<string, string>> = {
    POD_NAME: "metadata.name",
    POD_NAMESPACE: "metadata.namespace",
    INSTANCE_IP: "status.podIP",
    SERVICE_ACCOUNT: "spec.serviceAccountName",
    HOST_IP: "status.hostIP",
    NODE_NAME: "spec.nodeName",
  };
  return [
    ...Object.entries(fields).map(([name, fieldPath]) => ({
      name,
      valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } },
    })),
    ...Object.entries(plain).map(([name, value]) => ({ name, value })),
  ];
}

/** Tag of an image reference, which is the version of who is installed; undefined for a reference by digest or without a tag. */
export function imageVersion(image: string): string | undefined {
  const [name = ""] = image.split("@", 1);
  const colon = name.lastIndexOf(":");
  // A colon before a slash is that of the registry's port.
  return colon > name.lastIndexOf("/") ? name.slice(colon + 1) || undefined : undefined;
}
