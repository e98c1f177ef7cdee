/** `istioctl install`, `istioctl uninstall`, `istioctl manifest generate` (reference: l7-and-cli §3.1). */

import { createInterface } from "node:readline/promises";
import { parseDurationMs, systemClock } from "@meltemi/runtime";
import { type Command, InvalidArgumentError } from "commander";
import { stringify } from "yaml";
import { installComponents } from "../install/apply.ts";
import { removeInstallation } from "../install/remove.ts";
import { meshDefinitions } from "../manifests/definitions.ts";
import { renderComponents } from "../manifests/render.ts";
import { type ConnectFlags, connect } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { type ValuesFlags, valuesOfFlags } from "./install-values.ts";

interface InstallFlags extends ValuesFlags, ConnectFlags {
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly readinessTimeout: number;
}

interface UninstallFlags extends ConnectFlags {
  readonly purge: boolean;
  readonly revision?: string;
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly istioNamespace: string;
}

/** Covers a pod's grace period and its kubelet's own delays. */
const REMOVAL_TIMEOUT_MS = 120_000;

const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

export function addInstallCommands(program: Command, context: CommandContext): void {
  valueFlags(program.command("install").alias("apply"))
    .description("install or update the mesh in a cluster")
    .option("-y, --skip-confirmation", "do not ask", false)
    .option("--dry-run", "check against the API server, change nothing", false)
    .option("--readiness-timeout <duration>", "how long to wait for the pods", durationFlag, 300_000)
    .addHelpText(
      "after",
      "\nExamples:\n  istioctl install --set profile=ambient\n  istioctl install --set profile=default --set components.ztunnel.enabled=true",
    )
    .action((flags: InstallFlags) => install(flags, context));
  program
    .command("uninstall")
    .description("remove the mesh from a cluster")
    .option("--purge", "remove everything, of every revision", false)
    .option("--revision <name>", "remove one revision of the control plane")
    .option("-y, --skip-confirmation", "do not ask", false)
    .option("--dry-run", "say what would be removed", false)
    .option("-i, --istioNamespace <namespace>", "namespace of the mesh's system", "istio-system")
    .option("-c, --kubeconfig <file>", "kubeconfig file")
    .option("--context <name>", "context of the kubeconfig")
    .addHelpText("after", "\nExamples:\n  istioctl uninstall --purge -y")
    .action((flags: UninstallFlags) => uninstall(flags, context));
  const manifest = program.command("manifest").description("render what install would apply");
  valueFlags(manifest.command("generate"))
    .description("print the manifests as YAML")
    .addHelpText(
      "after",
      "\nExamples:\n  istioctl manifest generate --set profile=ambient | kubectl apply --server-side -f -",
    )
    .action((flags: ValuesFlags) => generate(flags, context));
}

function valueFlags(command: Command): Command {
  return command
    .option("-s, --set <path=value>", "set one value, for example profile=ambient (repeatable)", collect, [])
    .option("-f, --filename <file>", "an IstioOperator file (repeatable, later ones win)", collect, [])
    .option("-r, --revision <name>", "revision of the control plane")
    .option("-c, --kubeconfig <file>", "kubeconfig file")
    .option("--context <name>", "context of the kubeconfig");
}

function durationFlag(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new InvalidArgumentError("Expected a duration such as 90s or 5m.");
  return ms;
}

async function install(flags: InstallFlags, context: CommandContext): Promise<void> {
  const { terminal } = context;
  const values = valuesOfFlags(flags);
  const question = `This will install the Istio ${values.tag} profile "${values.profile}" into the cluster. Proceed? (y/N) `;
  if (!flags.skipConfirmation && !flags.dryRun && !(await confirmed(question, context))) {
    terminal.line("Cancelled.");
    context.exit(1);
    return;
  }
  const client = connect(flags, context);
  try {
    await installComponents(
      renderComponents(values, meshDefinitions()),
      { readinessTimeoutMs: flags.readinessTimeout, dryRun: flags.dryRun },
      { client, terminal, clock: systemClock },
    );
  } finally {
    client.close();
  }
  if (flags.dryRun) {
    terminal.line("✔ Dry run: the API server takes every object; nothing was changed");
    return;
  }
  terminal.line("✔ Installation complete");
  if (values.profile === "ambient") {
    terminal.line("The ambient profile has been installed successfully, enjoy Istio without sidecars!");
    terminal.aside(
      "Next, put a namespace into the mesh: kubectl label namespace default istio.io/dataplane-mode=ambient",
    );
  }
}

async function uninstall(flags: UninstallFlags, context: CommandContext): Promise<void> {
  const { terminal } = context;
  if (flags.purge === (flags.revision !== undefined)) {
    terminal.aside(
      "uninstall: expected either --purge (everything) or --revision <name> (one control plane)",
    );
    context.exit(1);
    return;
  }
  if (flags.purge) terminal.line("All Istio resources will be pruned from the cluster");
  if (!flags.skipConfirmation && !flags.dryRun && !(await confirmed("Proceed? (y/N) ", context))) {
    terminal.line("Cancelled.");
    context.exit(1);
    return;
  }
  const client = connect(flags, context);
  try {
    const removed = await removeInstallation(
      {
        revision: flags.revision,
        istioNamespace: flags.istioNamespace,
        timeoutMs: REMOVAL_TIMEOUT_MS,
        dryRun: flags.dryRun,
      },
      { client, terminal, clock: systemClock },
    );
    terminal.line(
      removed === 0
        ? "No resources will be pruned from the cluster. Please double check the input configs"
        : "✔ Uninstall complete",
    );
  } finally {
    client.close();
  }
}

function generate(flags: ValuesFlags, context: CommandContext): void {
  const objects = renderComponents(valuesOfFlags(flags), meshDefinitions()).flatMap((each) => each.objects);
  context.terminal.line(
    objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join("---\n"),
  );
}

async function confirmed(question: string, context: CommandContext): Promise<boolean> {
  const prompt = createInterface({ input: context.stdin, output: context.stdout });
  try {
    const answer = await prompt.question(question);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
