/** The node's L4 proxy: DaemonSet `ztunnel` (reference: protocol §8.5, l7-and-cli §6.5). */

import {
  fieldEnv,
  ISTIO_TOKEN_VOLUME,
  imageOf,
  istiodName,
  type Manifest,
  ownerLabels,
  plainEnv,
} from "./objects.ts";
import type { InstallValues } from "./values.ts";

const NAME = "ztunnel";
const CRL_FOLDER = "/var/run/secrets/istio/crl";
const CRL_VOLUME = "crl-volume";

export function renderZtunnel(values: InstallValues): readonly Manifest[] {
  const namespace = values.istioNamespace;
  const labels = { ...ownerLabels(values, "Ztunnel"), app: NAME };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: NAME, namespace, labels } },
    {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: NAME, namespace, labels },
      spec: {
        selector: { matchLabels: { app: NAME } },
        // The new proxy opens its listeners beside the old one's before that one goes: no moment without a proxy.
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template: {
          metadata: {
            labels: { app: NAME, "istio.io/dataplane-mode": "none", "sidecar.istio.io/inject": "false" },
            annotations: { "prometheus.io/port": "15020", "prometheus.io/scrape": "true" },
          },
          spec: renderPodSpec(values),
        },
      },
    },
  ];
}

function renderPodSpec(values: InstallValues): object {
  const crl = values.ztunnel.peerCaCrl;
  return {
    serviceAccountName: NAME,
    priorityClassName: "system-node-critical",
    terminationGracePeriodSeconds: values.ztunnel.terminationGracePeriodSeconds,
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [
      { effect: "NoSchedule", operator: "Exists" },
      { key: "CriticalAddonsOnly", operator: "Exists" },
      { effect: "NoExecute", operator: "Exists" },
    ],
    containers: [
      {
        name: "istio-proxy",
        image: imageOf(
          values,
          "ztunnel",
          values.ztunnel.variant === "" ? values.variant : values.ztunnel.variant,
        ),
        args: ["proxy", "ztunnel"],
        ports: [{ containerPort: 15020, name: "ztunnel-stats", protocol: "TCP" }],
        readinessProbe: { httpGet: { path: "/healthz/ready", port: 15021 }, periodSeconds: 1 },
        securityContext: {
          allowPrivilegeEscalation: true,
          privileged: false,
          capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "SYS_ADMIN", "NET_RAW"] },
          readOnlyRootFilesystem: true,
          runAsGroup: 1337,
          runAsNonRoot: false,
          runAsUser: 0,
        },
        env: renderEnv(values),
        resources: { requests: values.ztunnel.requests },
        volumeMounts: [
          { mountPath: "/var/run/secrets/istio", name: "istiod-ca-cert" },
          { mountPath: "/var/run/secrets/tokens", name: "istio-token" },
          { mountPath: "/var/run/ztunnel", name: "cni-ztunnel-sock-dir" },
          { mountPath: "/tmp", name: "tmp" },
          ...(crl ? [{ mountPath: CRL_FOLDER, name: CRL_VOLUME, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      ISTIO_TOKEN_VOLUME,
      { name: "istiod-ca-cert", configMap: { name: "istio-ca-root-cert" } },
      {
        name: "cni-ztunnel-sock-dir",
        hostPath: { path: "/var/run/ztunnel", type: "DirectoryOrCreate" },
      },
      { name: "tmp", emptyDir: {} },
      // Only a mesh whose CA has revocation lists has the ConfigMap; it may come later.
      ...(crl ? [{ name: CRL_VOLUME, configMap: { name: "istio-ca-crl", optional: true } }] : []),
    ],
  };
}

/**
 * Memory of the proxy's runtime, measured with 10 000 idle connections: 19 KB each without these, 8 KB with them, and 12 MB less
 * before the first one; CPU time per byte and per connection stays the same, since the data path makes hardly any garbage.
 */
const MEMORY_ENV = [
  { name: "NODE_OPTIONS", value: "--max-semi-space-size=4 --v8-pool-size=1" },
  { name: "MALLOC_ARENA_MAX", value: "2" },
] as const;

function renderEnv(values: InstallValues): object[] {
  const controlPlane = `https://${istiodName(values)}.${values.istioNamespace}.svc:15012`;
  return [
    { name: "CA_ADDRESS", value: controlPlane },
    { name: "XDS_ADDRESS", value: controlPlane },
    { name: "XDS_ROOT_CA", value: "/var/run/secrets/istio/root-cert.pem" },
    { name: "CA_ROOT_CA", value: "/var/run/secrets/istio/root-cert.pem" },
    { name: "AUTH_TOKEN", value: "/var/run/secrets/tokens/istio-token" },
    { name: "LOG_FORMAT", value: values.logAsJson ? "json" : "plain" },
    { name: "RUST_LOG", value: values.ztunnel.logLevel },
    { name: "NETWORK", value: values.network },
    { name: "CLUSTER_ID", value: values.clusterId },
    { name: "ISTIO_META_CLUSTER_ID", value: values.clusterId },
    { name: "CLUSTER_DOMAIN", value: values.clusterDomain },
    { name: "TRUST_DOMAIN", value: values.trustDomain },
    { name: "ISTIO_META_ISTIO_VERSION", value: values.tag },
    { name: "ISTIO_META_DNS_CAPTURE", value: String(values.cni.dnsCapture) },
    {
      name: "TERMINATION_GRACE_PERIOD_SECONDS",
      value: String(values.ztunnel.terminationGracePeriodSeconds),
    },
    ...MEMORY_ENV,
    fieldEnv("POD_NAME", "metadata.name"),
    fieldEnv("POD_NAMESPACE", "metadata.namespace"),
    fieldEnv("NODE_NAME", "spec.nodeName"),
    fieldEnv("INSTANCE_IP", "status.podIP"),
    fieldEnv("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    ...plainEnv(values.ztunnel.env),
    ...(values.ztunnel.peerCaCrl ? [{ name: "CRL_PATH", value: `${CRL_FOLDER}/ca-crl.pem` }] : []),
  ];
}
