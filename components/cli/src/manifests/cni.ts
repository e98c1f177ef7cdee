/** The node agent that enrols pods and captures their traffic: DaemonSet `istio-cni-node` (reference: l7-and-cli §6.4). */

import { fieldEnv, imageOf, type Manifest, ownerLabels, plainEnv } from "./objects.ts";
import type { InstallValues } from "./values.ts";

const NAME = "istio-cni";

/** Sees all pods and its own DaemonSet, and writes only the status of pods: the enrolment annotation travels through pods/status. */
const RULES: readonly object[] = [
  { apiGroups: [""], resources: ["pods", "nodes", "namespaces"], verbs: ["get", "list", "watch"] },
  { apiGroups: [""], resources: ["pods/status"], verbs: ["patch", "update"] },
  // Told to stop, it asks whether the mesh is being removed or only the agent restarted.
  { apiGroups: ["apps"], resources: ["daemonsets"], resourceNames: ["istio-cni-node"], verbs: ["get"] },
];

export function renderCni(values: InstallValues): readonly Manifest[] {
  const namespace = values.istioNamespace;
  const labels = { ...ownerLabels(values, "Cni"), "k8s-app": "istio-cni-node" };
  const rbac = "rbac.authorization.k8s.io";
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: NAME, namespace, labels } },
    { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata: { name: NAME, labels }, rules: RULES },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: NAME, labels },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: NAME },
      subjects: [{ kind: "ServiceAccount", name: NAME, namespace }],
    },
    {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "istio-cni-node", namespace, labels },
      spec: {
        selector: { matchLabels: { "k8s-app": "istio-cni-node" } },
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
        template: {
          metadata: {
            labels: {
              "k8s-app": "istio-cni-node",
              "istio.io/dataplane-mode": "none",
              "sidecar.istio.io/inject": "false",
            },
            annotations: { "prometheus.io/port": "15014", "prometheus.io/scrape": "true" },
          },
          spec: renderPodSpec(values),
        },
      },
    },
  ];
}

/** Host folders the agent needs: name → path on the node and in the container. */
function hostFolders(values: InstallValues): readonly HostFolder[] {
  return [
    { name: "cni-bin-dir", host: values.cni.cniBinDir, container: "/host/opt/cni/bin" },
    // Also written to: a pod's network settings, where the container's own /proc/sys is read-only.
    { name: "cni-host-procfs", host: "/proc", container: "/host/proc" },
    { name: "cni-net-dir", host: values.cni.cniConfDir, container: "/host/etc/cni/net.d" },
    { name: "cni-socket-dir", host: "/var/run/istio-cni", container: "/var/run/istio-cni", create: true },
    { name: "cni-ztunnel-sock-dir", host: "/var/run/ztunnel", container: "/var/run/ztunnel", create: true },
    {
      name: "cni-netns-dir",
      host: values.cni.cniNetnsDir,
      container: "/host/var/run/netns",
      create: true,
      propagate: true,
    },
    { name: "cgroup", host: "/sys/fs/cgroup", container: "/sys/fs/cgroup" },
    { name: "bpffs", host: "/sys/fs/bpf", container: "/sys/fs/bpf" },
  ];
}

interface HostFolder {
  readonly name: string;
  readonly host: string;
  readonly container: string;
  readonly create?: boolean;
  readonly propagate?: boolean;
}

function renderPodSpec(values: InstallValues): object {
  const folders = hostFolders(values);
  return {
    serviceAccountName: NAME,
    hostNetwork: true,
    dnsPolicy: "ClusterFirstWithHostNet",
    priorityClassName: "system-node-critical",
    terminationGracePeriodSeconds: 30,
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [
      { effect: "NoSchedule", operator: "Exists" },
      { key: "CriticalAddonsOnly", operator: "Exists" },
      { effect: "NoExecute", operator: "Exists" },
    ],
    containers: [
      {
        name: "install-cni",
        image: imageOf(values, "install-cni"),
        args: ["install-cni"],
        readinessProbe: { httpGet: { path: "/readyz", port: 8000 }, periodSeconds: 1 },
        securityContext: {
          privileged: false,
          runAsUser: 0,
          runAsGroup: 0,
          runAsNonRoot: false,
          // Entering a pod's namespace (SYS_ADMIN), its rules (NET_ADMIN, NET_RAW), finding it in /proc (SYS_PTRACE, DAC_OVERRIDE), eBPF (BPF, PERFMON).
          capabilities: {
            drop: ["ALL"],
            add: ["NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_ADMIN", "DAC_OVERRIDE", "BPF", "PERFMON"],
          },
        },
        env: renderEnv(values),
        resources: { requests: values.cni.requests },
        volumeMounts: folders.map((folder) => ({
          name: folder.name,
          mountPath: folder.container,
          ...(folder.propagate ? { mountPropagation: "HostToContainer" } : {}),
        })),
      },
    ],
    volumes: folders.map((folder) => ({
      name: folder.name,
      hostPath: { path: folder.host, ...(folder.create ? { type: "DirectoryOrCreate" } : {}) },
    })),
  };
}

function renderEnv(values: InstallValues): object[] {
  return [
    fieldEnv("NODE_NAME", "spec.nodeName"),
    fieldEnv("HOST_IP", "status.hostIP"),
    fieldEnv("POD_NAME", "metadata.name"),
    fieldEnv("POD_NAMESPACE", "metadata.namespace"),
    { name: "AMBIENT_ENABLED", value: String(values.cni.ambient) },
    { name: "AMBIENT_DNS_CAPTURE", value: String(values.cni.dnsCapture) },
    { name: "AMBIENT_IPV6", value: String(values.cni.ipv6) },
    { name: "EXCLUDE_NAMESPACES", value: [values.istioNamespace, ...values.cni.excludeNamespaces].join(",") },
    { name: "NATIVE_NFTABLES", value: String(values.cni.nativeNftables) },
    { name: "CHAINED_CNI_PLUGIN", value: "true" },
    { name: "LOG_FORMAT", value: values.logAsJson ? "json" : "plain" },
    ...plainEnv(values.cni.env),
  ];
}
