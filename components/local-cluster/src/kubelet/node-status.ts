/** The Node object and its Lease: what the scheduler and `kubectl get nodes` see. */

import { readFileSync } from "node:fs";
import { arch, cpus, release, totalmem } from "node:os";
import { type KubernetesClient, LEASES, type Lease, NODES, type Node } from "@meltemi/kubernetes";
import { type Clock, describeError, type Logger, type Timer } from "@meltemi/runtime";
import { MAX_PODS_PER_NODE, type NodePlan } from "../network/addresses.ts";
import { timestamp } from "../timestamp.ts";
import { ensureObject } from "./ensure-object.ts";

export interface NodeRegistration {
  stop(): void;
}

export interface NodeOptions {
  readonly plan: NodePlan;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: NonNullable<NonNullable<Node["spec"]>["taints"]>;
  readonly version: string;
}

const LEASE_NAMESPACE = "kube-node-lease";
/** As the kubelet's nodeLeaseDurationSeconds and its renewal at a quarter of that. */
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;

/** Creates or updates the Node, then renews its Lease until stopped. */
export async function registerNode(
  options: NodeOptions,
  deps: { readonly client: KubernetesClient; readonly clock: Clock; readonly log: Logger },
): Promise<NodeRegistration> {
  const { client, clock } = deps;
  const { name } = options.plan;
  const existing = await client.get(NODES, { name });
  if (existing === undefined) await client.create(NODES, nodeObject(options));
  else
    await client.patch(
      NODES,
      { name },
      { kind: "merge", body: { metadata: { labels: nodeObject(options).metadata?.labels } } },
    );
  const body = { status: nodeStatus(options, existing, clock.nowMs()) };
  await client.patch(NODES, { name }, { kind: "merge", body }, { subresource: "status" });

  let timer: Timer | undefined;
  let stopped = false;
  const renew = async (): Promise<void> => {
    try {
      await ensureObject(client, LEASES, leaseObject(name, clock.nowMs()));
    } catch (error) {
      deps.log.warn("lease not renewed", { node: name, error: describeError(error) });
    }
    if (!stopped) timer = clock.after(RENEW_MS, () => void renew());
  };
  await renew();
  return {
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}

function nodeObject({ plan, labels, taints }: NodeOptions): Node {
  return {
    metadata: {
      name: plan.name,
      labels: {
        "kubernetes.io/hostname": plan.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": kubernetesArch(),
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": kubernetesArch(),
        ...labels,
      },
    },
    spec: {
      podCIDR: plan.podSubnet.v4,
      podCIDRs: [plan.podSubnet.v4, plan.podSubnet.v6],
      providerID: `meltemi://${plan.name}`,
      ...(taints.length > 0 ? { taints } : {}),
    },
  };
}

function nodeStatus(
  { plan, version }: NodeOptions,
  existing: Node | undefined,
  nowMs: number,
): NonNullable<Node["status"]> {
  const resources = {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(MAX_PODS_PER_NODE),
  };
  const condition = (type: string, status: string, reason: string, message: string) => {
    const before = existing?.status?.conditions?.find((candidate) => candidate.type === type);
    const lastTransitionTime =
      before?.status === status && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : timestamp(nowMs);
    return { type, status, reason, message, lastHeartbeatTime: timestamp(nowMs), lastTransitionTime };
  };
  return {
    addresses: [
      { type: "InternalIP", address: plan.address.v4 },
      { type: "InternalIP", address: plan.address.v6 },
      { type: "Hostname", address: plan.name },
    ],
    capacity: resources,
    allocatable: resources,
    conditions: [
      condition(
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
      ),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
      condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
      condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    nodeInfo: {
      architecture: kubernetesArch(),
      bootID: readLine("/proc/sys/kernel/random/boot_id"),
      machineID: readLine("/etc/machine-id"),
      systemUUID: readLine("/etc/machine-id"),
      kernelVersion: release(),
      operatingSystem: "linux",
      osImage: osName(),
      containerRuntimeVersion: `meltemi://${version}`,
      kubeletVersion: "v1.32.0",
      kubeProxyVersion: "v1.32.0",
    },
  };
}

function leaseObject(name: string, nowMs: number): Lease {
  return {
    metadata: { name, namespace: LEASE_NAMESPACE },
    spec: {
      holderIdentity: name,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: new Date(nowMs).toISOString().replace("Z", "000Z"),
    },
  };
}

function kubernetesArch(): string {
  return arch() === "x64" ? "amd64" : arch();
}

function readLine(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function osName(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readLine("/etc/os-release"))?.[1] ?? "Linux";
}
