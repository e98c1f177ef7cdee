/** The node's L4 proxy, as chart ztunnel (reference: protocol §8.5, l7-and-cli §6.5). Pure. */

import { DAEMON_SET_SURGE_MINOR } from "./facts.ts";
import { CHARTS } from "./generated/charts.ts";
import {
  type ChartContext,
  clusterRole,
  criticalPodQuota,
  environment,
  filled,
  flag,
  imageOf,
  type Labels,
  list,
  type Manifest,
  networkPolicy,
  ownerLabels,
  resourcesOf,
  revisionSuffix,
  scopeOf,
  serviceAccount,
  tcp,
  text,
  textMap,
} from "./objects.ts";
import { type Tree, treeAt, valueAt } from "./tree.ts";

const PODS = { app: "ztunnel" };
const CRL_FOLDER = "/var/run/secrets/istio/crl";
const CRL_VOLUME = "crl-volume";
const ROOT_CERTIFICATE = "/var/run/secrets/istio/root-cert.pem";
const FIELDS = {
  INSTANCE_IP: "status.podIP",
  NODE_NAME: "spec.nodeName",
  POD_NAME: "metadata.name",
  POD_NAMESPACE: "metadata.namespace",
  SERVICE_ACCOUNT: "spec.serviceAccountName",
};

/**
 * Memory of the proxy's runtime, measured with 10 000 idle connections: 19 KB each without these, 8 KB with them, and 12 MB less
 * before the first one; CPU time per byte and per connection stays the same, since the data path makes hardly any garbage.
 */
const MEMORY_SETTINGS = { MALLOC_ARENA_MAX: "2", NODE_OPTIONS: "--max-semi-space-size=4 --v8-pool-size=1" };

export function renderZtunnel(context: ChartContext): readonly Manifest[] {
  const { values, namespace } = context;
  const name = text(values, "resourceName") || "ztunnel";
  const scope = scopeOf(values);
  const labels = {
    ...ownerLabels(values, "Ztunnel", "ztunnel"),
    ...PODS,
    ...textMap(treeAt(values, "labels")),
  };
  const objects: Manifest[] = [];
  // The proxy asks nothing of the API server; only OpenShift wants a right for such pods.
  if (scope.cluster && text(values, "platform") === "openshift")
    objects.push(
      ...clusterRole(CHARTS.ztunnel.rules["openshift"] ?? [], { name, labels, account: { name, namespace } }),
    );
  if (!scope.namespace) return objects;
  objects.push(
    serviceAccount(name, namespace, labels, values, "imagePullSecrets"),
    renderDaemonSet(context, name, labels),
  );
  if (flag(values, "resourceQuotas.enabled"))
    objects.push(criticalPodQuota(name, namespace, labels, text(values, "resourceQuotas.pods")));
  if (flag(values, "networkPolicy.enabled"))
    objects.push(
      networkPolicy({
        name: `${name}${revisionSuffix(values)}`,
        namespace,
        labels,
        pods: PODS,
        ports: [...tcp(15021, 15020, 15000, 15008, 15001, 15006, 15053), { protocol: "UDP", port: 15053 }],
      }),
    );
  return objects;
}

function renderDaemonSet(context: ChartContext, name: string, labels: Labels): Manifest {
  const { values, namespace } = context;
  const annotations = textMap(treeAt(values, "annotations"));
  const revision = text(values, "revision");
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name, namespace, labels, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: {
      selector: { matchLabels: PODS },
      updateStrategy: updateStrategy(context),
      template: {
        metadata: {
          labels: {
            ...PODS,
            "app.kubernetes.io/name": "ztunnel",
            "app.kubernetes.io/part-of": "istio",
            "istio.io/dataplane-mode": "none",
            "sidecar.istio.io/inject": "false",
            ...textMap(treeAt(values, "podLabels")),
          },
          annotations: {
            ...(revision !== "" && { "istio.io/rev": revision }),
            ...textMap(treeAt(values, "podAnnotations")),
          },
        },
        spec: podSpec(values, name),
      },
    },
  };
}

/** The new proxy opens its listeners beside the old one's before that one goes, where the cluster can: no moment without a proxy. */
function updateStrategy({ values, facts }: ChartContext): Tree {
  const hasSurge = valueAt(values, "updateStrategy.rollingUpdate.maxSurge") !== undefined;
  if (hasSurge && facts.minorVersion < DAEMON_SET_SURGE_MINOR)
    return { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } };
  return treeAt(values, "updateStrategy");
}

function podSpec(values: Tree, name: string): Tree {
  const crl = flag(values, "peerCaCrl.enabled");
  const token = { path: "istio-token", expirationSeconds: 43_200, audience: "istio-ca" };
  return {
    serviceAccountName: name,
    automountServiceAccountToken: false,
    priorityClassName: "system-node-critical",
    terminationGracePeriodSeconds: values["terminationGracePeriodSeconds"],
    nodeSelector: { "kubernetes.io/os": "linux", ...treeAt(values, "nodeSelector") },
    ...filled("affinity", treeAt(values, "affinity")),
    ...filled("tolerations", list(values, "tolerations")),
    ...filled("dnsPolicy", text(values, "dnsPolicy")),
    ...filled("dnsConfig", treeAt(values, "dnsConfig")),
    containers: [container(values, crl)],
    volumes: [
      { name: "istio-token", projected: { sources: [{ serviceAccountToken: token }] } },
      { name: "istiod-ca-cert", configMap: { name: text(values, "trustBundleName") } },
      { name: "cni-ztunnel-sock-dir", hostPath: { path: "/var/run/ztunnel", type: "DirectoryOrCreate" } },
      { name: "tmp", emptyDir: {} },
      // Only a mesh whose CA has revocation lists has the ConfigMap; it may come later.
      ...(crl ? [{ name: CRL_VOLUME, configMap: { name: "istio-ca-crl", optional: true } }] : []),
      ...list(values, "volumes"),
    ],
  };
}

function container(values: Tree, crl: boolean): Tree {
  const image = [
    text(values, "image"),
    text(values, "hub"),
    text(values, "tag"),
    text(values, "variant"),
  ] as const;
  return {
    name: "istio-proxy",
    image: imageOf(...image),
    ...filled("imagePullPolicy", text(values, "imagePullPolicy")),
    args: ["proxy", "ztunnel"],
    ports: [{ name: "ztunnel-stats", containerPort: 15020, protocol: "TCP" }],
    readinessProbe: { httpGet: { path: "/healthz/ready", port: 15021 }, periodSeconds: 1 },
    // A process that no longer answers is started anew; one that is merely not ready keeps its connections.
    livenessProbe: {
      tcpSocket: { port: 15021 },
      initialDelaySeconds: 10,
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
    securityContext: {
      allowPrivilegeEscalation: true,
      privileged: false,
      // Its listeners are in the pods' namespaces (SYS_ADMIN), with marks and clients' addresses of their own (NET_ADMIN, NET_RAW).
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "SYS_ADMIN", "NET_RAW"] },
      readOnlyRootFilesystem: true,
      runAsGroup: 1337,
      runAsNonRoot: false,
      runAsUser: 0,
      ...filled("seLinuxOptions", treeAt(values, "seLinuxOptions")),
    },
    env: environment(settingsOf(values, crl), FIELDS, [
      treeAt(values, "meshConfig.defaultConfig.proxyMetadata"),
      treeAt(values, "env"),
    ]),
    resources: resourcesOf(treeAt(values, "resources")),
    volumeMounts: [
      { name: "istiod-ca-cert", mountPath: "/var/run/secrets/istio" },
      { name: "istio-token", mountPath: "/var/run/secrets/tokens" },
      { name: "cni-ztunnel-sock-dir", mountPath: "/var/run/ztunnel" },
      { name: "tmp", mountPath: "/tmp" },
      ...(crl ? [{ name: CRL_VOLUME, mountPath: CRL_FOLDER, readOnly: true }] : []),
      ...list(values, "volumeMounts"),
    ],
  };
}

function settingsOf(values: Tree, crl: boolean): Record<string, string> {
  const controlPlane = `istiod${revisionSuffix(values)}.${text(values, "istioNamespace")}.svc:15012`;
  return {
    AUTH_TOKEN: "/var/run/secrets/tokens/istio-token",
    CA_ADDRESS: text(values, "caAddress") || controlPlane,
    CA_ROOT_CA: ROOT_CERTIFICATE,
    CLUSTER_DOMAIN: text(values, "proxy.clusterDomain"),
    ...(crl && { CRL_PATH: `${CRL_FOLDER}/ca-crl.pem` }),
    ISTIO_META_CLUSTER_ID: text(values, "multiCluster.clusterName") || "Kubernetes",
    ISTIO_META_ISTIO_VERSION: text(values, "tag"),
    LOG_FORMAT: flag(values, "logAsJson") ? "json" : "plain",
    ...MEMORY_SETTINGS,
    NETWORK: text(values, "network"),
    RUST_LOG: text(values, "logLevel"),
    TERMINATION_GRACE_PERIOD_SECONDS: text(values, "terminationGracePeriodSeconds"),
    TRUST_DOMAIN: text(values, "meshConfig.trustDomain") || "cluster.local",
    XDS_ADDRESS: text(values, "xdsAddress") || controlPlane,
    XDS_ROOT_CA: ROOT_CERTIFICATE,
  };
}
