/** `istioctl uninstall` (reference: l7-and-cli §3.1). */

import { type KubernetesClient, SERVICES } from "@meltemi/kubernetes";
import { describeError, MeshError, systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { countLost } from "../install/count-lost.ts";
import { renderDetached, renderTags } from "../install/detached.ts";
import { removeInstallation } from "../install/remove.ts";
import { overlay, type Tree } from "../manifests/values.ts";
import { connectedNames } from "../proxy-status/connected.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { readTags, type Tag } from "../tag/tags.ts";
import { confirmed } from "./confirm.ts";
import { type ConnectFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { layersOfFlags, type ValuesFlags, valueOptions } from "./install-values.ts";

interface UninstallFlags extends ConnectFlags, ValuesFlags {
  readonly purge: boolean;
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly istioNamespace: string;
}

/** Covers a pod's grace period, in which a proxy lets its connections end, and the kubelet's own delays. */
const REMOVAL_TIMEOUT_MS = 120_000;

export function addUninstallCommand(program: Command, context: CommandContext): void {
  const name = program.name();
  valueOptions(meshOptions(program.command("uninstall")))
    .description("remove the mesh from a cluster; pods run on, outside the mesh")
    .option(
      "--purge",
      "remove everything, of every revision, with the definitions of the mesh's kinds",
      false,
    )
    .option("-y, --skip-confirmation", "do not ask", false)
    .option("--dry-run", "say what would be removed", false)
    .option("--force", "go on with the rest when one object cannot be removed", false)
    // Istio's: what is removed is always told.
    .addOption(new Option("-v, --verbose").hideHelp())
    .addHelpText(
      "after",
      `
Pods stay as they are, and new connections go in plaintext. A connection that a proxy holds open may end with that proxy,
which waits for it as long as its grace period allows. The namespace of the mesh's system and labels on your namespaces stay.

The revision may also be said with --set revision=<name> or -f operator.yaml.

Examples:
  ${name} uninstall --purge
  ${name} uninstall --purge -y
  ${name} uninstall --purge --dry-run
  ${name} uninstall --revision canary`,
    )
    .action((flags: UninstallFlags) => uninstall(flags, context));
}

async function uninstall(flags: UninstallFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const asked = layersOfFlags(flags).reduce<Tree>((merged, layer) => overlay(merged, layer), {});
  const isNamed = flags.filename.length > 0 || Object.hasOwn(asked, "revision");
  if (flags.purge === isNamed)
    throw new MeshError(
      "INPUT_INVALID",
      "uninstall: expected either --purge (everything) or --revision <name> (one control plane; also --set revision=<name> or -f <file>)",
    );
  // The one without a name carries the name that its labels have.
  const revision = flags.purge ? undefined : String(asked["revision"] ?? "") || "default";
  await withMeshCluster(flags, context, async (cluster) => {
    const { client } = cluster;
    if (revision === undefined) await tellOfPurge(client, context);
    else await tellOfDetached(cluster, revision, flags, context);
    if (!flags.skipConfirmation && !flags.dryRun && !(await confirmed("Proceed? (y/N) ", context))) {
      terminal.line("Cancelled.");
      context.exit(1);
      return;
    }
    const { istioNamespace, dryRun, force } = flags;
    const options = { revision, istioNamespace, dryRun, force, timeoutMs: REMOVAL_TIMEOUT_MS };
    const removed = await removeInstallation(options, { client, terminal, clock: systemClock, signal });
    if (removed === 0)
      terminal.line("No resources will be pruned from the cluster. Please double check the input configs");
    else terminal.line(dryRun ? "✔ Dry run: nothing was changed" : "✔ Uninstall complete");
  });
}

async function tellOfPurge(client: KubernetesClient, { terminal, signal }: CommandContext): Promise<void> {
  terminal.line("All Istio resources will be pruned from the cluster");
  const lost = await countLost(client, signal);
  if (lost.length > 0)
    terminal.line(`With their definitions, what you made of them goes too: ${lost.join(", ")}`);
}

/** Who would be left without a control plane. */
async function tellOfDetached(
  cluster: MeshCluster,
  revision: string,
  { istioNamespace }: UninstallFlags,
  { terminal }: CommandContext,
): Promise<void> {
  for (const line of renderTags(await findTags(cluster, istioNamespace), revision)) terminal.line(line);
  let names: readonly string[];
  try {
    names = await connectedNames(cluster, istioNamespace, revision);
  } catch (error) {
    cluster.signal.throwIfAborted();
    terminal.aside(`(which proxies it has is not known: ${describeError(error)})`);
    return;
  }
  for (const line of renderDetached(names, revision)) terminal.line(line);
}

async function findTags(cluster: MeshCluster, namespace: string): Promise<readonly Tag[]> {
  const { items } = await cluster.client.list(SERVICES, {
    namespace,
    labelSelector: "app=istiod",
    signal: cluster.signal,
  });
  return readTags(items, []);
}
