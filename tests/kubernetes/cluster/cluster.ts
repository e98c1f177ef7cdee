/** The cluster as a whole: up, down, and its nodes one by one. One at a time on a machine. */

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "@meltemi/testkit";
import { ensureBuilt } from "./build.ts";
import type { Cache } from "./cache.ts";
import { machinesWithCgroups } from "./cgroups.ts";
import { type Account, ADMIN, FILES, makeCredentials, renderKubeconfig } from "./credentials.ts";
import { loadImage, makeTestImages } from "./images.ts";
import { kubeSystemObjects } from "./kube-system.ts";
import { bootMachine, cutPower, runOn } from "./machine.ts";
import {
  ADDRESSES,
  connectControlPlane,
  connectNode,
  type NodeNetwork,
  nodeNetwork,
  removeHostInterface,
} from "./network.ts";
import { API_URL, controlPlanePlan, nodePlan } from "./node-plan.ts";
import type { Progress } from "./progress.ts";
import { runProgram } from "./run-program.ts";
import { PROGRAMS } from "./versions.ts";

/** Survives reboots of nodes, and goes with the cluster. */
const STATE = "/var/lib/meltemi-kubernetes";
export const KUBECONFIG: string = join(STATE, "kubeconfig");
const CONTROL_PLANE = "control-plane";
export const NODES: readonly NodeNetwork[] = [nodeNetwork(1), nodeNetwork(2)];
const READY_DEADLINE_MS = 180_000;
/** Its container runtime is there seconds after a node's boot. */
const IMAGE_WAIT = { deadlineMs: 60_000, everyMs: 500 } as const;

const CONTROLLERS: Account = { user: "system:kube-controller-manager", groups: [] };
const SCHEDULER: Account = { user: "system:kube-scheduler", groups: [] };
const PROXY: Account = { user: "system:kube-proxy", groups: [] };
const kubelet = (node: string): Account => ({ user: `system:node:${node}`, groups: ["system:nodes"] });

/** Builds what is missing, removes what an earlier run left, and returns when both nodes are ready and names resolve. */
export async function clusterUp(cache: Cache, progress: Progress): Promise<void> {
  await ensureBuilt(cache, PROGRAMS, progress);
  await clusterDown();
  await mkdir(STATE, { recursive: true, mode: 0o700 });
  const credentials = join(STATE, "credentials");
  await makeCredentials(
    credentials,
    {
      dns: [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
      ],
      ips: [ADDRESSES.controlPlane, "10.96.0.1"],
    },
    [ADMIN, CONTROLLERS, SCHEDULER, PROXY, ...NODES.map(({ name }) => kubelet(name))],
  );
  await progress.step("control plane", () => startControlPlane(cache, credentials));
  const images = await progress.step("images", () => makeTestImages(cache, join(cache.folder, "images")));
  await progress.step("nodes", async () => {
    await Promise.all(NODES.map((node) => bootNode(cache, node)));
    for (const node of NODES) await eventually(() => loadAll(node.name, images), IMAGE_WAIT);
    await eventually(allNodesReady, { deadlineMs: READY_DEADLINE_MS, everyMs: 500 });
  });
  await progress.step("cluster DNS", async () => {
    await apply(kubeSystemObjects());
    await kubectl("rollout", "status", "deployment/kube-dns", "-n", "kube-system", "--timeout=120s");
  });
}

/** Ends and removes everything, also what a killed run left. Nothing to do is no error. */
export async function clusterDown(): Promise<void> {
  for (const machine of machinesWithCgroups()) await cutPower(machine);
  await removeHostInterface();
  await rm(STATE, { recursive: true, force: true });
}

export function isUp(): boolean {
  return machinesWithCgroups().includes(CONTROL_PLANE);
}

/** As a power cut and a cold start: no process of the node survives, its disk does. */
export async function restartNode(cache: Cache, name: string): Promise<void> {
  const node = NODES.find((each) => each.name === name);
  if (node === undefined)
    throw new Error(`restart ${name}: expected ${NODES.map((each) => each.name).join(" or ")}`);
  await cutPower(name);
  await bootNode(cache, node);
}

export async function loadIntoNodes(archive: string): Promise<void> {
  for (const { name } of NODES) await loadAll(name, [archive]);
}

async function loadAll(node: string, archives: readonly string[]): Promise<boolean> {
  const snapshotter = await chooseSnapshotter();
  for (const archive of archives) await loadImage(node, archive, snapshotter);
  return true;
}

/** kubectl of the administrator. */
export async function kubectl(...words: readonly string[]): Promise<string> {
  return await runProgram("kubectl", ["--kubeconfig", KUBECONFIG, ...words], { timeoutMs: 180_000 });
}

export async function apply(objects: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  await runProgram("kubectl", ["--kubeconfig", KUBECONFIG, "apply", "-f", "-"], { input: list });
}

async function startControlPlane(cache: Cache, folder: string): Promise<void> {
  const texts = await Promise.all(
    Object.values(FILES).map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const),
  );
  const plan = controlPlanePlan(CONTROL_PLANE, join(STATE, CONTROL_PLANE), {
    credentials: new Map(texts),
    controllerKubeconfig: await renderKubeconfig(folder, CONTROLLERS, API_URL),
    schedulerKubeconfig: await renderKubeconfig(folder, SCHEDULER, API_URL),
  });
  await writeFile(KUBECONFIG, await renderKubeconfig(folder, ADMIN, API_URL), { mode: 0o600 });
  await bootMachine(cache, plan);
  await connectControlPlane(CONTROL_PLANE, NODES);
  await eventually(async () => (await kubectl("get", "--raw", "/readyz")) === "ok", {
    deadlineMs: READY_DEADLINE_MS,
    everyMs: 250,
  });
}

async function bootNode(cache: Cache, node: NodeNetwork): Promise<void> {
  const folder = join(STATE, "credentials");
  const plan = nodePlan(node, join(STATE, node.name), {
    ca: await readFile(join(folder, FILES.caCert), "utf8"),
    kubeletKubeconfig: await renderKubeconfig(folder, kubelet(node.name), API_URL),
    proxyKubeconfig: await renderKubeconfig(folder, PROXY, API_URL),
    snapshotter: await chooseSnapshotter(),
  });
  await bootMachine(cache, plan);
  await connectNode(CONTROL_PLANE, node, NODES);
}

/** Throws, saying what is missing, until every node is ready. */
async function allNodesReady(): Promise<boolean> {
  const { items } = JSON.parse(await kubectl("get", "nodes", "-o", "json"));
  const ready = items.filter((node: { status: { conditions: { type: string; status: string }[] } }) =>
    node.status.conditions.some(({ type, status }) => type === "Ready" && status === "True"),
  );
  return ready.length === NODES.length;
}

/** Overlays need a file system that is none itself. */
async function chooseSnapshotter(): Promise<"overlayfs" | "native"> {
  const probe = join(STATE, "overlay-probe");
  for (const name of ["lower", "upper", "work", "merged"])
    await mkdir(join(probe, name), { recursive: true });
  const options = `lowerdir=${probe}/lower,upperdir=${probe}/upper,workdir=${probe}/work`;
  const mount = `mount -t overlay -o ${options} probe ${probe}/merged`;
  try {
    await runProgram("unshare", ["--mount", "/bin/sh", "-c", mount]);
    return "overlayfs";
  } catch {
    return "native";
  }
}

/** The end of every log of every machine that is on. */
export async function clusterLogs(): Promise<readonly string[]> {
  const tails = machinesWithCgroups().map(async (name) => {
    const read = ["/bin/sh", "-c", "tail -n 15 /var/log/*.log"];
    return `${name}:\n${await runOn(name, ...read).catch((error: Error) => error.message)}`;
  });
  return await Promise.all(tails);
}
