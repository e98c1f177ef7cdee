/** `istioctl uninstall` (reference: l7-and-cli §3.1). */

import { systemClock } from "@meltemi/runtime";
import type { Command } from "commander";
import { countLost } from "../install/count-lost.ts";
import { removeInstallation } from "../install/remove.ts";
import { confirmed } from "./confirm.ts";
import { type ConnectFlags, connectOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";

interface UninstallFlags extends ConnectFlags {
  readonly purge: boolean;
  readonly revision?: string;
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly istioNamespace: string;
}

/** Covers a pod's grace period, in which a proxy lets its connections end, and the kubelet's own delays. */
const REMOVAL_TIMEOUT_MS = 120_000;

export function addUninstallCommand(program: Command, context: CommandContext): void {
  const name = program.name();
  connectOptions(program.command("uninstall"))
    .description("remove the mesh from a cluster; pods run on, outside the mesh")
    .option(
      "--purge",
      "remove everything, of every revision, with the definitions of the mesh's kinds",
      false,
    )
    .option("--revision <name>", "remove the control plane of one revision")
    .option("-y, --skip-confirmation", "do not ask", false)
    .option("--dry-run", "say what would be removed", false)
    .option("-i, --istioNamespace <namespace>", "namespace of the mesh's system", "istio-system")
    .addHelpText(
      "after",
      `
Pods stay as they are, and new connections go in plaintext. A connection that a proxy holds open may end with that proxy,
which waits for it as long as its grace period allows. The namespace of the mesh's system and labels on your namespaces stay.

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
  if (flags.purge === (flags.revision !== undefined)) {
    terminal.aside(
      "uninstall: expected either --purge (everything) or --revision <name> (one control plane)",
    );
    context.exit(1);
    return;
  }
  await withCluster(flags, context, async (client) => {
    if (flags.purge) {
      terminal.line("All Istio resources will be pruned from the cluster");
      const lost = await countLost(client, signal);
      if (lost.length > 0)
        terminal.line(`With their definitions, what you made of them goes too: ${lost.join(", ")}`);
    }
    if (!flags.skipConfirmation && !flags.dryRun && !(await confirmed("Proceed? (y/N) ", context))) {
      terminal.line("Cancelled.");
      context.exit(1);
      return;
    }
    const { revision, istioNamespace, dryRun } = flags;
    const options = { revision, istioNamespace, dryRun, timeoutMs: REMOVAL_TIMEOUT_MS };
    const removed = await removeInstallation(options, { client, terminal, clock: systemClock, signal });
    if (removed === 0)
      terminal.line("No resources will be pruned from the cluster. Please double check the input configs");
    else terminal.line(dryRun ? "✔ Dry run: nothing was changed" : "✔ Uninstall complete");
  });
}
