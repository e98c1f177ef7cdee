/** `istioctl install` and `istioctl manifest generate` (reference: l7-and-cli §3.1). */

import { systemClock } from "@meltemi/runtime";
import type { Command } from "commander";
import { stringify } from "yaml";
import { installComponents } from "../install/apply.ts";
import { meshDefinitions } from "../manifests/definitions.ts";
import { renderComponents } from "../manifests/render.ts";
import { confirmed } from "./confirm.ts";
import { type ConnectFlags, connectOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { readDuration } from "./flag-values.ts";
import { type ValuesFlags, valuesOfFlags } from "./install-values.ts";

interface InstallFlags extends ValuesFlags, ConnectFlags {
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly readinessTimeout: number;
}

const READINESS_TIMEOUT_MS = 300_000;

const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

export function addInstallCommand(program: Command, context: CommandContext): void {
  const name = program.name();
  valueOptions(connectOptions(program.command("install").alias("apply")))
    .description("install the mesh into a cluster, or change what is installed")
    .option("-y, --skip-confirmation", "do not ask", false)
    .option("--dry-run", "check against the API server, change nothing", false)
    .addOption(
      // Commander shows the default's number otherwise.
      program
        .createOption("--readiness-timeout <duration>", "how long to wait for the pods")
        .argParser(readDuration)
        .default(READINESS_TIMEOUT_MS, "5m"),
    )
    .addHelpText(
      "after",
      `
Examples:
  ${name} install --set profile=ambient
  ${name} install --set profile=default --set components.ztunnel.enabled=true --set values.ztunnel.variant=distroless
  ${name} install -f operator.yaml --dry-run`,
    )
    .action((flags: InstallFlags) => install(flags, context));
}

export function addManifestCommand(program: Command, context: CommandContext): void {
  const name = program.name();
  const examples = `
Examples:
  ${name} manifest generate --set profile=ambient > mesh.yaml
  ${name} manifest generate --set profile=ambient | kubectl apply --server-side -f -`;
  const manifest = program
    .command("manifest")
    .description("print what install would apply")
    .addHelpText("after", examples);
  valueOptions(manifest.command("generate"))
    .description("print the manifests as YAML")
    .addHelpText("after", examples)
    .action((flags: ValuesFlags) => generate(flags, context));
}

function valueOptions(command: Command): Command {
  return command
    .option("-s, --set <path=value>", "set one value, for example profile=ambient (repeatable)", collect, [])
    .option("-f, --filename <file>", "an IstioOperator file (repeatable, later ones win)", collect, [])
    .option("-r, --revision <name>", "revision of the control plane");
}

async function install(flags: InstallFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const values = valuesOfFlags(flags);
  const question = `This will install the Istio ${values.tag} profile "${values.profile}" into the cluster. Proceed? (y/N) `;
  if (!flags.skipConfirmation && !flags.dryRun && !(await confirmed(question, context))) {
    terminal.line("Cancelled.");
    context.exit(1);
    return;
  }
  const components = renderComponents(values, meshDefinitions());
  const options = { readinessTimeoutMs: flags.readinessTimeout, dryRun: flags.dryRun };
  await withCluster(flags, context, (client) =>
    installComponents(components, options, { client, terminal, clock: systemClock, signal }),
  );
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

function generate(flags: ValuesFlags, context: CommandContext): void {
  const objects = renderComponents(valuesOfFlags(flags), meshDefinitions()).flatMap((each) => each.objects);
  context.terminal.line(
    objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join("---\n"),
  );
}
