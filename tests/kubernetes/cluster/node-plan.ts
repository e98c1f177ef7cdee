/** What the machines of the cluster run, and with which files. Pure. */

import {
  type ApiServerPlace,
  apiServer,
  controllerManager,
  etcd,
  type ProgramPaths,
  scheduler,
} from "./control-plane.ts";
import type { MachinePlan } from "./machine.ts";
import { ADDRESSES, type NodeNetwork } from "./network.ts";

const ON_MACHINE: ProgramPaths = {
  program: (name) => `/usr/local/bin/${name}`,
  debian: (path) => `/${path}`,
};
const CREDENTIALS = "/etc/kubernetes";
const ETCD = { client: "http://127.0.0.1:2379", peer: "http://127.0.0.1:2380" } as const;
const API_PORT = 6443;
export const API_URL: string = `https://${ADDRESSES.controlPlane}:${API_PORT}`;
export const CLUSTER_DNS = "10.96.0.10";
export const PAUSE_IMAGE = "meltemi.test/pause:1";
const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";
/** Of the container network: what the mesh's plugin is chained to. */
export const CNI_FILE = "/etc/cni/net.d/10-pods.conflist";
const CNI_PLUGINS = ["ptp", "host-local", "loopback", "portmap"];

export interface ControlPlaneFiles {
  /** Text of each credential, by file name. */
  readonly credentials: ReadonlyMap<string, string>;
  readonly controllerKubeconfig: string;
  readonly schedulerKubeconfig: string;
}

export function controlPlanePlan(
  name: string,
  folder: string,
  { credentials, controllerKubeconfig, schedulerKubeconfig }: ControlPlaneFiles,
): MachinePlan {
  const place: ApiServerPlace = {
    folder: CREDENTIALS,
    address: ADDRESSES.controlPlane,
    port: API_PORT,
    etcdUrl: ETCD.client,
    alone: false,
  };
  const manager = { folder: CREDENTIALS, kubeconfig: `${CREDENTIALS}/controllers.json` };
  return {
    name,
    folder,
    address: ADDRESSES.controlPlane,
    files: new Map([
      ...[...credentials].map(([file, text]) => [`${CREDENTIALS}/${file}`, text] as const),
      [manager.kubeconfig, controllerKubeconfig],
      [`${CREDENTIALS}/scheduler.json`, schedulerKubeconfig],
    ]),
    firstFiles: new Map(),
    setup: [],
    services: new Map([
      ["etcd", etcd(ON_MACHINE, { dataFolder: "/var/lib/etcd", clientUrl: ETCD.client, peerUrl: ETCD.peer })],
      ["kube-apiserver", apiServer(ON_MACHINE, place)],
      ["kube-controller-manager", controllerManager(ON_MACHINE, manager)],
      ["kube-scheduler", scheduler(ON_MACHINE, `${CREDENTIALS}/scheduler.json`)],
    ]),
  };
}

export interface NodeFiles {
  readonly ca: string;
  readonly kubeletKubeconfig: string;
  readonly proxyKubeconfig: string;
  /** overlayfs where the folder's file system can have it. */
  readonly snapshotter: "overlayfs" | "native";
}

export function nodePlan(network: NodeNetwork, folder: string, files: NodeFiles): MachinePlan {
  const kubelet = [
    `--config=${CREDENTIALS}/kubelet.json`,
    `--kubeconfig=${CREDENTIALS}/kubelet-access.json`,
    "--container-runtime=remote",
    `--container-runtime-endpoint=unix://${CONTAINERD_SOCKET}`,
    `--hostname-override=${network.name}`,
    `--node-ip=${network.address}`,
  ];
  return {
    name: network.name,
    folder,
    address: network.address,
    files: new Map([
      [`${CREDENTIALS}/ca.crt`, files.ca],
      [`${CREDENTIALS}/kubelet-access.json`, files.kubeletKubeconfig],
      [`${CREDENTIALS}/proxy-access.json`, files.proxyKubeconfig],
      [`${CREDENTIALS}/kubelet.json`, json(kubeletConfiguration(network))],
      [`${CREDENTIALS}/proxy.json`, json(proxyConfiguration(network))],
      ["/etc/containerd/config.toml", containerdConfiguration(files.snapshotter)],
    ]),
    firstFiles: new Map([[CNI_FILE, json(podNetwork(network))]]),
    setup: [`cd /usr/lib/cni && cp -u ${CNI_PLUGINS.join(" ")} /opt/cni/bin/`],
    services: new Map([
      ["containerd", { program: "/usr/bin/containerd", args: [] }],
      ["kubelet", { program: ON_MACHINE.program("kubelet"), args: kubelet }],
      [
        "kube-proxy",
        { program: ON_MACHINE.program("kube-proxy"), args: [`--config=${CREDENTIALS}/proxy.json`] },
      ],
    ]),
  };
}

function kubeletConfiguration({ address }: NodeNetwork): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address,
    healthzBindAddress: "127.0.0.1",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${CREDENTIALS}/ca.crt` },
    },
    authorization: { mode: "Webhook" },
    cgroupDriver: "cgroupfs",
    clusterDNS: [CLUSTER_DNS],
    clusterDomain: "cluster.local",
    resolvConf: "/etc/resolv.conf",
    failSwapOn: false,
    // The machine's disk and memory are shared with everything else on it.
    enforceNodeAllocatable: [],
    evictionHard: { "memory.available": "10Mi" },
    imageGCHighThresholdPercent: 100,
    // A changed ConfigMap is in its volume within seconds.
    configMapAndSecretChangeDetectionStrategy: "Watch",
    nodeStatusUpdateFrequency: "4s",
  };
}

function proxyConfiguration({ name }: NodeNetwork): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: `${CREDENTIALS}/proxy-access.json` },
    hostnameOverride: name,
    mode: "iptables",
    clusterCIDR: "10.244.0.0/16",
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
    // These limits are the whole machine's.
    conntrack: { maxPerCore: 0, min: 0 },
  };
}

function containerdConfiguration(snapshotter: NodeFiles["snapshotter"]): string {
  return `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Where the machine is itself a container, it may not protect processes more than it is protected.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
`;
}

/** A cable from every pod to its node: connections between pods of one node pass the node's rules too, without a module of the kernel. */
function podNetwork({ podRange }: NodeNetwork): object {
  const ipam = { type: "host-local", ranges: [[{ subnet: podRange }]], routes: [{ dst: "0.0.0.0/0" }] };
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      { type: "ptp", ipMasq: false, mtu: 1500, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
