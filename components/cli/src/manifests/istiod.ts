/** The control plane: Deployment, Services, RBAC, mesh configuration (object names and ports: reference l7-and-cli §6.3). */

import { fieldEnv, imageOf, istiodName, type Manifest, ownerLabels, plainEnv } from "./objects.ts";
import type { InstallValues } from "./values.ts";
import { renderGatewayClasses, waypointEnv } from "./waypoints.ts";

/** Cluster-wide rights, no wider than what the control plane reads and writes. */
const CLUSTER_RULES: readonly object[] = [
  {
    apiGroups: [
      "security.istio.io",
      "networking.istio.io",
      "telemetry.istio.io",
      "extensions.istio.io",
      "gateway.networking.k8s.io",
      "meltemi.io",
    ],
    resources: ["*"],
    verbs: ["get", "list", "watch"],
  },
  {
    apiGroups: [
      "security.istio.io",
      "networking.istio.io",
      "telemetry.istio.io",
      "gateway.networking.k8s.io",
      "meltemi.io",
    ],
    resources: [
      "authorizationpolicies/status",
      "peerauthentications/status",
      "requestauthentications/status",
      "virtualservices/status",
      "destinationrules/status",
      "telemetries/status",
      "serviceentries/status",
      "workloadentries/status",
      "gatewayclasses/status",
      "gateways/status",
      "httproutes/status",
      "grpcroutes/status",
      "tcproutes/status",
      "tlsroutes/status",
      "ratelimitpolicies/status",
    ],
    verbs: ["get", "update", "patch"],
  },
  // Marks a Gateway as taken, and makes the class that it serves.
  { apiGroups: ["gateway.networking.k8s.io"], resources: ["gateways"], verbs: ["update", "patch"] },
  {
    apiGroups: ["gateway.networking.k8s.io"],
    resources: ["gatewayclasses"],
    verbs: ["create", "update", "patch"],
  },
  { apiGroups: [""], resources: ["services/status"], verbs: ["get", "update", "patch"] },
  // What waypoints consist of.
  ...[
    { apiGroups: [""], resources: ["services", "serviceaccounts"] },
    { apiGroups: ["apps"], resources: ["deployments"] },
    { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"] },
    { apiGroups: ["policy"], resources: ["poddisruptionbudgets"] },
  ].map((rule) => ({ ...rule, verbs: ["get", "list", "watch", "create", "update", "patch", "delete"] })),
  {
    apiGroups: ["apiextensions.k8s.io"],
    resources: ["customresourcedefinitions"],
    verbs: ["get", "list", "watch"],
  },
  {
    apiGroups: [""],
    resources: ["pods", "nodes", "services", "namespaces", "endpoints"],
    verbs: ["get", "list", "watch"],
  },
  // Certificates that DestinationRules name, in the namespaces of waypoints: each is watched by its name, and no other is read.
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["get", "list", "watch"] },
  {
    apiGroups: [""],
    resources: ["configmaps"],
    verbs: ["create", "get", "list", "watch", "update", "patch"],
  },
  { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
];

const NAMESPACE_RULES: readonly object[] = [
  {
    apiGroups: [""],
    resources: ["secrets"],
    verbs: ["create", "get", "watch", "list", "update", "patch", "delete"],
  },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "update", "patch", "create"] },
];

export function renderIstiod(values: InstallValues): readonly Manifest[] {
  const name = istiodName(values);
  const namespace = values.istioNamespace;
  const labels = { ...ownerLabels(values, "Pilot"), app: "istiod" };
  const clusterName = `${name}-clusterrole-${namespace}`;
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const rbac = "rbac.authorization.k8s.io";
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace, labels } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: values.revision === "" ? "istio" : `istio-${values.revision}`, namespace, labels },
      data: { mesh: renderMeshConfig(values), meshNetworks: "networks: {}\n" },
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: clusterName, labels },
      rules: CLUSTER_RULES,
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: clusterName, labels },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: clusterName },
      subjects,
    },
    { apiVersion: `${rbac}/v1`, kind: "Role", metadata: { name, namespace, labels }, rules: NAMESPACE_RULES },
    {
      apiVersion: `${rbac}/v1`,
      kind: "RoleBinding",
      metadata: { name, namespace, labels },
      roleRef: { apiGroup: rbac, kind: "Role", name },
      subjects,
    },
    ...renderGatewayClasses(values, labels),
    renderService(values, labels),
    renderDeployment(values, labels),
  ];
}

/** MeshConfig as the control plane reads it from ConfigMap `istio`. */
function renderMeshConfig(values: InstallValues): string {
  return [
    "defaultConfig:",
    `  discoveryAddress: ${istiodName(values)}.${values.istioNamespace}.svc:15012`,
    "  proxyMetadata:",
    '    ISTIO_META_ENABLE_HBONE: "true"',
    `rootNamespace: ${values.istioNamespace}`,
    `trustDomain: ${values.trustDomain}`,
    "",
  ].join("\n");
}

function renderService(values: InstallValues, labels: Record<string, string>): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: istiodName(values), namespace: values.istioNamespace, labels },
    spec: {
      ports: [
        { port: 15012, name: "https-dns", protocol: "TCP", targetPort: 15012 },
        { port: 15014, name: "http-monitoring", protocol: "TCP", targetPort: 15014 },
      ],
      selector: selectorOf(values),
    },
  };
}

function selectorOf(values: InstallValues): Record<string, string> {
  return { app: "istiod", "istio.io/rev": values.revision === "" ? "default" : values.revision };
}

function renderDeployment(values: InstallValues, labels: Record<string, string>): Manifest {
  const name = istiodName(values);
  const selector = selectorOf(values);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: values.istioNamespace, labels },
    spec: {
      replicas: values.pilot.replicaCount,
      selector: { matchLabels: selector },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "100%", maxUnavailable: "25%" } },
      template: {
        metadata: {
          labels: { ...selector, "istio.io/dataplane-mode": "none", "sidecar.istio.io/inject": "false" },
          annotations: { "prometheus.io/port": "15014", "prometheus.io/scrape": "true" },
        },
        spec: {
          serviceAccountName: name,
          tolerations: [{ key: "cni.istio.io/not-ready", operator: "Exists" }],
          containers: [renderContainer(values)],
          volumes: [{ name: "local-certs", emptyDir: { medium: "Memory" } }],
        },
      },
    },
  };
}

function renderContainer(values: InstallValues): object {
  return {
    name: "discovery",
    image: imageOf(values, "pilot"),
    args: ["discovery", "--monitoringAddr=:15014", `--domain=${values.clusterDomain}`],
    ports: [
      { containerPort: 8080, protocol: "TCP", name: "http-debug" },
      { containerPort: 15012, protocol: "TCP", name: "tls-xds" },
      { containerPort: 15014, protocol: "TCP", name: "http-monitoring" },
    ],
    readinessProbe: {
      httpGet: { path: "/ready", port: 8080 },
      initialDelaySeconds: 0,
      periodSeconds: 1,
      timeoutSeconds: 5,
    },
    env: [
      { name: "REVISION", value: values.revision === "" ? "default" : values.revision },
      fieldEnv("POD_NAME", "metadata.name"),
      fieldEnv("POD_NAMESPACE", "metadata.namespace"),
      fieldEnv("SERVICE_ACCOUNT", "spec.serviceAccountName"),
      { name: "CA_TRUSTED_NODE_ACCOUNTS", value: `${values.istioNamespace}/ztunnel` },
      { name: "CLUSTER_ID", value: values.clusterId },
      { name: "TRUST_DOMAIN", value: values.trustDomain },
      { name: "LOG_FORMAT", value: values.logAsJson ? "json" : "plain" },
      ...waypointEnv(values),
      ...plainEnv(values.pilot.env),
    ],
    resources: { requests: values.pilot.requests },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 1337,
      runAsGroup: 1337,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [{ name: "local-certs", mountPath: "/var/run/secrets/istio-dns" }],
  };
}
