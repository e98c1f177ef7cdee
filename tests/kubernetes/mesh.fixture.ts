/** The mesh on the real cluster: its image in the nodes' stores, its installation, and what it leaves on a node. */

import { join } from "node:path";
import { kubernetesTools } from "../../tools/helm.ts";
import { openCache } from "./cluster/cache.ts";
import { isUp, KUBECONFIG, kubectl, loadIntoNodes, NODES } from "./cluster/cluster.ts";
import { runOn } from "./cluster/machine.ts";
import { runProgram } from "./cluster/run-program.ts";

const PROJECT = join(import.meta.dirname, "../..");
const CHARTS = join(PROJECT, "deploy/helm");
const INSTALL_TIMEOUT_MS = 300_000;
/** A proxy that ends waits this long for the connections that it holds: here, not long. */
const GRACE_SECONDS = 5;

/** A reason to skip; the runner of `npm run test:kubernetes` brings the cluster up. */
export const skip: string | false =
  process.getuid?.() !== 0 ? "needs root" : isUp() ? false : "needs the cluster: npm run test:kubernetes";

/** The version of the project; another one is the same programs under another name. */
export const VERSION = "0.1.0";
export const NEXT_VERSION = "0.1.1";

const loaded = new Set<string>();

/** Builds the image under this tag and puts it into both nodes' stores. */
export async function provideImage(tag: string): Promise<void> {
  if (loaded.has(tag)) return;
  const archive = join(openCache().folder, "images", `meltemi-${tag}.tar`);
  const words = [join(PROJECT, "tools/image/main.ts"), "--tag", tag, "--output", archive];
  await runProgram(process.execPath, words, { cwd: PROJECT });
  await loadIntoNodes(archive);
  loaded.add(tag);
}

/** Charts by their releases, in the order in which they are installed. */
const RELEASES = { "istio-base": "base", istiod: "istiod", "istio-cni": "cni", ztunnel: "ztunnel" } as const;
const NAMESPACE = "istio-system";

/** The real helm, of the newest version, with the administrator's access. */
async function helm(...words: readonly string[]): Promise<string> {
  return await runProgram(join(kubernetesTools(), "helm"), words, {
    env: { ...process.env, KUBECONFIG },
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

export async function mesh(...words: readonly string[]): Promise<string> {
  const program = join(PROJECT, "components/cli/src/main.ts");
  return await runProgram(process.execPath, [program, ...words], {
    env: { ...process.env, KUBECONFIG, NO_COLOR: "1" },
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

type Chart = (typeof RELEASES)[keyof typeof RELEASES];

/** Installs, or upgrades to this version and these values, by the four charts. */
export async function helmInstall(
  tag: string = VERSION,
  values: Readonly<Partial<Record<Chart, readonly string[]>>> = {},
): Promise<void> {
  await provideImage(tag);
  for (const [release, chart] of Object.entries(RELEASES)) {
    const sets = [`global.tag=${tag}`, "profile=ambient", ...(values[chart] ?? [])];
    if (chart === "ztunnel") sets.push(`terminationGracePeriodSeconds=${GRACE_SECONDS}`);
    const words = [
      "upgrade",
      "--install",
      release,
      join(CHARTS, chart),
      "-n",
      NAMESPACE,
      "--create-namespace",
    ];
    await helm(...words, "--wait", "--timeout", "5m", ...sets.flatMap((value) => ["--set", value]));
  }
}

/** The releases go in the other direction than they came; definitions stay, as helm keeps them. */
export async function helmUninstall(): Promise<void> {
  for (const release of Object.keys(RELEASES).reverse())
    await helm("uninstall", release, "-n", NAMESPACE, "--wait", "--timeout", "5m");
  // Helm waits for its objects; their pods may end later, and the agents' put the nodes in order as they do.
  await kubectl("wait", "--for=delete", "pod", "--all", "-n", NAMESPACE, "--timeout=120s");
}

/** By the mesh's own command. */
export async function installMesh(tag: string = VERSION): Promise<void> {
  await provideImage(tag);
  const values = [`global.tag=${tag}`, `ztunnel.terminationGracePeriodSeconds=${GRACE_SECONDS}`];
  const sets = ["profile=ambient", ...values.map((value) => `values.${value}`)];
  await mesh("install", "-y", ...sets.flatMap((value) => ["--set", value]));
}

/** Installs by helm unless there is a mesh, whoever installed it. */
export async function ensureMesh(): Promise<void> {
  const find = ["get", "deployment", "istiod", "-n", NAMESPACE, "--ignore-not-found", "-o", "name"];
  if ((await kubectl(...find)).trim() === "") await helmInstall();
}

/** Everything of the mesh that is on a node; nothing, once it was uninstalled. */
export async function nodeTraces(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name } of NODES) {
    const ask = async (what: string, keep: RegExp, ...words: readonly string[]): Promise<void> => {
      for (const line of (await runOn(name, ...words)).split("\n"))
        if (keep.test(line)) found.push(`${name}: ${what}: ${line.trim()}`);
    };
    const shell = (text: string): readonly string[] => ["/bin/sh", "-c", text];
    await ask("program", /^\d/, "bpftool", "cgroup", "tree");
    await ask("pinned", /\/sys\/fs\/bpf\/(?!progs\.debug|maps\.debug)./, "find", "/sys/fs/bpf");
    await ask("rule", /fwmark|lookup 1\d\d/, "ip", "rule");
    await ask("table", /istio|meltemi/, "nft", "list", "tables");
    await ask("plugin", /istio/, "ls", "-a", "/opt/cni/bin");
    await ask("configuration", /istio/, ...shell("cat /etc/cni/net.d/*"));
    await ask("file", /./, ...shell("find /run/istio-cni /run/ztunnel -mindepth 1 2>/dev/null || true"));
  }
  return found;
}
