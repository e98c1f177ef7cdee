/** The node agent that enrols pods and captures their traffic, as chart cni (reference: l7-and-cli §6.4). Pure. */

import { CHARTS } from "./generated/charts.ts";
import {
  type ChartContext,
  clusterRole,
  criticalPodQuota,
  environment,
  filled,
  flag,
  type Labels,
  list,
  type Manifest,
  networkPolicy,
  ownerLabels,
  ownImage,
  resourcesOf,
  revisionSuffix,
  scopeOf,
  serviceAccount,
  tcp,
  text,
  textMap,
  texts,
} from "./objects.ts";
import { type Tree, treeAt } from "./tree.ts";

const NAME = "istio-cni";
const PODS = { "k8s-app": "istio-cni-node" };
const FIELDS = {
  HOST_IP: "status.hostIP",
  NODE_NAME: "spec.nodeName",
  POD_NAME: "metadata.name",
  POD_NAMESPACE: "metadata.namespace",
};

export function renderCni(context: ChartContext): readonly Manifest[] {
  const { values, namespace } = context;
  const scope = scopeOf(values);
  const labels = ownerLabels(values, "Cni", NAME);
  const objects: Manifest[] = [];
  if (scope.cluster) objects.push(...renderRights(context, labels));
  if (!scope.namespace) return objects;
  objects.push(
    serviceAccount(NAME, namespace, labels, values, "global.imagePullSecrets"),
    renderDaemonSet(context, { ...labels, ...PODS }),
  );
  if (flag(values, "resourceQuotas.enabled"))
    objects.push(
      criticalPodQuota(`${NAME}-resource-quota`, namespace, labels, text(values, "resourceQuotas.pods")),
    );
  if (text(values, "provider") === "multus")
    objects.push({
      apiVersion: "k8s.cni.cncf.io/v1",
      kind: "NetworkAttachmentDefinition",
      metadata: { name: NAME, namespace: "default", labels },
    });
  if (flag(values, "global.networkPolicy.enabled"))
    objects.push(
      networkPolicy({
        name: `${NAME}${revisionSuffix(values)}`,
        namespace,
        labels: { ...labels, ...PODS },
        pods: PODS,
        ports: tcp(15014, 8000),
      }),
    );
  return objects;
}

function renderRights({ values, namespace }: ChartContext, labels: Labels): readonly Manifest[] {
  const { agent = [], ambient = [], openshift = [] } = CHARTS.cni.rules;
  const account = { name: NAME, namespace };
  const rules = text(values, "platform") === "openshift" ? [...agent, ...openshift] : agent;
  return [
    ...clusterRole(rules, { name: NAME, labels, account }),
    ...clusterRole(ambient, { name: `${NAME}-ambient`, labels, account }),
  ];
}

function renderDaemonSet({ values, namespace }: ChartContext, labels: Labels): Manifest {
  const isAnnotated = flag(values, "useAppArmorAnnotation");
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: {
      name: "istio-cni-node",
      namespace,
      labels: { ...labels, ...textMap(treeAt(values, "daemonSetLabels")) },
    },
    spec: {
      selector: { matchLabels: PODS },
      updateStrategy: treeAt(values, "updateStrategy"),
      template: {
        metadata: {
          labels: {
            ...PODS,
            "app.kubernetes.io/name": NAME,
            "app.kubernetes.io/part-of": "istio",
            "istio.io/dataplane-mode": "none",
            "sidecar.istio.io/inject": "false",
            ...textMap(treeAt(values, "podLabels")),
          },
          annotations: {
            ...(isAnnotated && {
              "container.apparmor.security.beta.kubernetes.io/install-cni": "unconfined",
            }),
            "prometheus.io/path": "/metrics",
            "prometheus.io/port": "15014",
            "prometheus.io/scrape": "true",
            ...textMap(treeAt(values, "podAnnotations")),
          },
        },
        spec: podSpec(values),
      },
    },
  };
}

interface HostFolder {
  readonly name: string;
  readonly host: string;
  readonly container: string;
  readonly create?: boolean;
  readonly propagate?: boolean;
}

/** Host folders the agent needs: name → path on the node and in the container. */
function hostFolders(values: Tree): readonly HostFolder[] {
  return [
    { name: "cni-bin-dir", host: text(values, "cniBinDir"), container: "/host/opt/cni/bin" },
    // Also written to: a pod's network settings, where the container's own /proc/sys is read-only.
    { name: "cni-host-procfs", host: "/proc", container: "/host/proc" },
    { name: "cni-net-dir", host: text(values, "cniConfDir"), container: "/host/etc/cni/net.d" },
    { name: "cni-socket-dir", host: "/var/run/istio-cni", container: "/var/run/istio-cni", create: true },
    { name: "cni-ztunnel-sock-dir", host: "/var/run/ztunnel", container: "/var/run/ztunnel", create: true },
    // A runtime may mount it only when the first pod comes.
    {
      name: "cni-netns-dir",
      host: text(values, "cniNetnsDir"),
      container: "/host/var/run/netns",
      create: true,
      propagate: true,
    },
    { name: "cgroup", host: "/sys/fs/cgroup", container: "/sys/fs/cgroup" },
    { name: "bpffs", host: "/sys/fs/bpf", container: "/sys/fs/bpf" },
  ];
}

function podSpec(values: Tree): Tree {
  const folders = hostFolders(values);
  return {
    serviceAccountName: NAME,
    hostNetwork: true,
    dnsPolicy: "ClusterFirstWithHostNet",
    priorityClassName: "system-node-critical",
    terminationGracePeriodSeconds: values["terminationGracePeriodSeconds"],
    nodeSelector: { "kubernetes.io/os": "linux" },
    ...filled("affinity", treeAt(values, "affinity")),
    ...filled("tolerations", list(values, "tolerations")),
    containers: [container(values, folders)],
    volumes: folders.map((folder) => ({
      name: folder.name,
      hostPath: { path: folder.host, ...(folder.create === true && { type: "DirectoryOrCreate" }) },
    })),
  };
}

function container(values: Tree, folders: readonly HostFolder[]): Tree {
  const health = (path: string): Tree => ({ httpGet: { path, port: 8000 } });
  return {
    name: "install-cni",
    image: ownImage(values),
    ...filled("imagePullPolicy", text(values, "pullPolicy") || text(values, "global.imagePullPolicy")),
    args: ["install-cni"],
    ports: [{ name: "metrics", containerPort: 15014, protocol: "TCP" }],
    readinessProbe: { ...health("/readyz"), periodSeconds: 1 },
    livenessProbe: {
      ...health("/healthz"),
      initialDelaySeconds: 10,
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
    securityContext: {
      ...(flag(values, "useAppArmorAnnotation") ? {} : { appArmorProfile: { type: "Unconfined" } }),
      privileged: false,
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      // Entering a pod's namespace (SYS_ADMIN), its rules (NET_ADMIN, NET_RAW), finding it in /proc (SYS_PTRACE, DAC_OVERRIDE), eBPF (BPF, PERFMON).
      capabilities: {
        drop: ["ALL"],
        add: ["NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_ADMIN", "DAC_OVERRIDE", "BPF", "PERFMON"],
      },
      ...filled("seLinuxOptions", treeAt(values, "seLinuxOptions")),
      ...filled("seccompProfile", treeAt(values, "seccompProfile")),
    },
    env: environment(settingsOf(values), FIELDS, [treeAt(values, "env")]),
    resources: resourcesOf(treeAt(values, "resources")),
    volumeMounts: folders.map((folder) => ({
      name: folder.name,
      mountPath: folder.container,
      ...(folder.propagate === true && { mountPropagation: "HostToContainer" }),
    })),
  };
}

function settingsOf(values: Tree): Record<string, string> {
  const excluded = new Set([text(values, "global.istioNamespace"), ...texts(values, "excludeNamespaces")]);
  const level = text(values, "logging.level") || text(values, "global.logging.level");
  const confName = text(values, "cniConfFileName");
  return {
    AMBIENT_DNS_CAPTURE: text(values, "ambient.dnsCapture"),
    AMBIENT_IPV6: text(values, "ambient.ipv6"),
    CHAINED_CNI_PLUGIN: text(values, "chained"),
    EXCLUDE_NAMESPACES: [...excluded].join(","),
    LOG_FORMAT: flag(values, "global.logAsJson") ? "json" : "plain",
    // `default:info` and `all:info` are Istio's ways to say `info`.
    LOG_LEVEL: level.replace(/^(?:default|all):/, ""),
    NATIVE_NFTABLES: text(values, "global.nativeNftables"),
    ...(confName !== "" && { CNI_CONF_NAME: confName }),
    ...(flag(values, "istioOwnedCNIConfig") && {
      ISTIO_OWNED_CNI_CONFIG: "true",
      ...filled("ISTIO_OWNED_CNI_CONFIG_FILENAME", text(values, "istioOwnedCNIConfigFileName")),
    }),
  };
}
