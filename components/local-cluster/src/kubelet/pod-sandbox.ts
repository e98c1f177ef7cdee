/** A pod's place to live: folder, control group, network namespace with addresses, and what chained CNI plugins add. */

import { rm } from "node:fs/promises";
import type { Pod } from "@meltemi/kubernetes";
import { podAddresses, podNamespace, shortPodUid } from "../network/addresses.ts";
import { createPodNetwork, namespaceExists, namespacePath, removePodNetwork } from "../network/build.ts";
import { runProgram } from "../network/run-program.ts";
import type { Attachment } from "./cni/invoke.ts";
import { makeCgroup, podCgroup, removeCgroup } from "./container/cgroup.ts";
import { allContainers } from "./decide-pod.ts";
import type { NodeContext } from "./node-context.ts";
import type { PodFolder, SandboxRecord } from "./pod-folder.ts";

export interface LiveSandbox {
  readonly record: SandboxRecord;
  readonly podIps: readonly string[];
  /** Path of the network namespace. */
  readonly networkNamespace: string;
  readonly cgroup: string;
}

/** Throws what went wrong (KERNEL, UNAVAILABLE, LIMIT_EXCEEDED); nothing half-made stays behind. */
export async function makeSandbox(
  context: NodeContext,
  pod: Pod,
  folder: PodFolder,
  seenAtMs: number,
): Promise<LiveSandbox> {
  const { uid = "", name = "", namespace = "" } = pod.metadata ?? {};
  const cgroup = cgroupOf(context, uid);
  await makeCgroup(cgroup);
  await makeOutputs(pod, folder);
  const hostNetwork = pod.spec?.hostNetwork === true;
  const offset = hostNetwork ? undefined : context.addresses.take();
  const record: SandboxRecord = { uid, name, namespace, offset, seenAtMs };
  const sandbox = describeSandbox(context, record);
  if (offset !== undefined)
    try {
      await createPodNetwork(context.cluster, context.plan, uid, podAddresses(context.plan, offset));
      await context.plugins.add(attachmentOf(context, sandbox));
    } catch (error) {
      // The specification wants a DEL after a failed ADD.
      await removeNetwork(context, sandbox);
      throw error;
    }
  await folder.writeSandbox(record);
  return sandbox;
}

/** The sandbox that an earlier kubelet made, or undefined when it is gone (the machine was restarted). */
export async function findSandbox(context: NodeContext, folder: PodFolder): Promise<LiveSandbox | undefined> {
  const record = await folder.readSandbox();
  if (record === undefined) return undefined;
  const sandbox = describeSandbox(context, record);
  if (record.offset === undefined) return sandbox;
  const exists = await namespaceExists(
    podNamespace(context.cluster, context.plan.name, shortPodUid(record.uid)),
  );
  if (exists) context.addresses.claim(record.offset);
  return exists ? sandbox : undefined;
}

/** Ends every process of the pod and removes its network. The folder with the logs stays. */
export async function removeSandbox(
  context: NodeContext,
  sandbox: LiveSandbox,
  folder: PodFolder,
): Promise<void> {
  if (sandbox.record.offset !== undefined) await removeNetwork(context, sandbox);
  if (!(await removeCgroup(sandbox.cgroup, context.clock)))
    context.log.error("processes of a pod do not end", { cgroup: sandbox.cgroup });
  await folder.removeSandbox();
}

export function cgroupOf(context: NodeContext, uid: string): string {
  return podCgroup(context.cgroupFolder, context.plan.name, uid);
}

async function removeNetwork(context: NodeContext, sandbox: LiveSandbox): Promise<void> {
  const { record } = sandbox;
  await context.plugins.remove(attachmentOf(context, sandbox));
  await removePodNetwork(context.cluster, context.plan, record.uid);
  if (record.offset !== undefined) context.addresses.release(record.offset);
}

function describeSandbox(context: NodeContext, record: SandboxRecord): LiveSandbox {
  const { plan, cluster } = context;
  const address = record.offset === undefined ? plan.address : podAddresses(plan, record.offset);
  const networkNamespace =
    record.offset === undefined
      ? context.namespacePath
      : namespacePath(podNamespace(cluster, plan.name, shortPodUid(record.uid)));
  return {
    record,
    podIps: [address.v4, address.v6],
    networkNamespace,
    cgroup: cgroupOf(context, record.uid),
  };
}

function attachmentOf(context: NodeContext, sandbox: LiveSandbox): Attachment {
  const [v4 = "", v6 = ""] = sandbox.podIps;
  return {
    containerId: shortPodUid(sandbox.record.uid),
    namespacePath: sandbox.networkNamespace,
    interfaceName: "eth0",
    podName: sandbox.record.name,
    podNamespace: sandbox.record.namespace,
    podUid: sandbox.record.uid,
    addresses: [
      { address: `${v4}/32`, gateway: context.plan.gatewayV4 },
      { address: `${v6}/128`, gateway: "fe80::1" },
    ],
  };
}

/** A pipe per container that its output goes through. Others than root may write: a program may open /dev/stdout anew. */
async function makeOutputs(pod: Pod, folder: PodFolder): Promise<void> {
  const folders = allContainers(pod.spec ?? { containers: [] }).map(({ name }) => folder.container(name));
  for (const { fifo } of folders) await rm(fifo, { force: true });
  await runProgram("mkdir", ["-p", ...folders.map(({ path }) => path)]);
  await runProgram("mkfifo", ["-m", "0622", ...folders.map(({ fifo }) => fifo)]);
}
