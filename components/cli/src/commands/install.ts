/** `istioctl install` and `istioctl upgrade` (reference: l7-and-cli §3.1). */

import type { KubernetesClient, KubernetesObject } from "@meltemi/kubernetes";
import { MeshError, systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { installComponents } from "../install/apply.ts";
import { decideUpgrade } from "../install/decide-upgrade.ts";
import { findControlPlanes, findProxyVersions, type InstalledControlPlane } from "../install/installed.ts";
import { findPruned, makePlan } from "../install/make-plan.ts";
import { countPlan, type Plan, pruneWarnings, releaseWarnings, renderPlan } from "../install/plan.ts";
import { removeObjects } from "../install/remove.ts";
import { lossesOn } from "../install/server-losses.ts";
import { readServerMinor } from "../install/server-version.ts";
import { meshDefinitions } from "../manifests/definitions.ts";
import { factsOfMinor } from "../manifests/facts.ts";
import { type RenderedComponent, renderComponents } from "../manifests/render.ts";
import type { InstallValues } from "../manifests/values.ts";
import { renderStructured } from "../output/structured.ts";
import { confirmed } from "./confirm.ts";
import { type ConnectFlags, connectOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { readDuration } from "./flag-values.ts";
import { type ValuesFlags, valueOptions, valuesOfFlags } from "./install-values.ts";

interface InstallFlags extends ValuesFlags, ConnectFlags {
  readonly skipConfirmation: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly readinessTimeout: number;
  readonly output: "text" | "json" | "yaml";
}

type Purpose = "install" | "upgrade";

const READINESS_TIMEOUT_MS = 300_000;
/** Of what is pruned: a pod's grace period and the kubelet's delays. */
const REMOVAL_TIMEOUT_MS = 120_000;

export function addInstallCommand(program: Command, context: CommandContext): void {
  withExamples(
    installOptions(program.command("install").alias("apply"), "install", context).description(
      "install the mesh into a cluster, or change what is installed",
    ),
    program,
    [
      "$0 install --set profile=ambient",
      "$0 install --set profile=default --set components.ztunnel.enabled=true --set values.ztunnel.variant=distroless",
      "$0 install -f operator.yaml --dry-run",
      "$0 install --revision canary --set profile=minimal",
    ],
  );
}

export function addUpgradeCommand(program: Command, context: CommandContext): void {
  const command = installOptions(program.command("upgrade"), "upgrade", context).description(
    "put this version in the place of the one that runs, with the values that are given",
  );
  command.addHelpText(
    "after",
    `
It is install, of a mesh that is there: versions are checked first (one minor release at a time, never back, no proxy left more than
one behind), and what will change is shown. Give the same values as when it was installed.`,
  );
  withExamples(command, program, [
    "$0 upgrade --set profile=ambient --dry-run",
    "$0 upgrade -f operator.yaml",
    "$0 x precheck",
  ]);
}

function installOptions(command: Command, purpose: Purpose, context: CommandContext): Command {
  return (
    valueOptions(connectOptions(command))
      .option("-y, --skip-confirmation", "do not ask", false)
      .option("--dry-run", "check against the API server and show what would change; change nothing", false)
      .option("--force", "go on although versions do not fit together", false)
      .addOption(
        // Commander shows the default's number otherwise.
        new Option("--readiness-timeout <duration>", "how long to wait for the pods")
          .argParser(readDuration)
          .default(READINESS_TIMEOUT_MS, "5m"),
      )
      .addOption(
        new Option("-o, --output <format>", "of the dry run: text, json or yaml")
          .choices(["text", "json", "yaml"])
          .default("text"),
      )
      // Istio's: what is installed is always waited for, and so verified.
      .addOption(new Option("--verify").hideHelp())
      .action((flags: InstallFlags) => run(purpose, flags, context))
  );
}

async function run(purpose: Purpose, flags: InstallFlags, context: CommandContext): Promise<void> {
  if (flags.output !== "text" && !flags.dryRun)
    throw new MeshError("INPUT_INVALID", `--output ${flags.output}: only a dry run has one; add --dry-run`);
  const values = valuesOfFlags(flags);
  await withCluster(flags, context, async (client) => {
    await checkVersions(purpose, values, flags, client, context);
    const { terminal, signal } = context;
    const minor = await readServerMinor(client, signal);
    const components = renderComponents(values, meshDefinitions(), factsOfMinor(minor));
    for (const loss of lossesOn(minor, components)) terminal.aside(`Kubernetes 1.${minor}: ${loss}.`);
    const installation = { revision: values.revision, istioNamespace: values.istioNamespace };
    const plan = await makePlan(components, installation, { client, terminal, signal });
    showPlan(plan, flags, context);
    if (flags.dryRun) return;
    const question =
      purpose === "install"
        ? `This will install the Istio ${values.tag} profile "${values.profile}" into the cluster. Proceed? (y/N) `
        : `This will upgrade to Istio ${values.tag} with profile "${values.profile}". Proceed? (y/N) `;
    if (!flags.skipConfirmation && !(await confirmed(question, context))) {
      terminal.line("Cancelled.");
      context.exit(1);
      return;
    }
    await carryOut(purpose, components, values, flags, client, context);
  });
}

async function carryOut(
  purpose: Purpose,
  components: readonly RenderedComponent[],
  values: InstallValues,
  flags: InstallFlags,
  client: KubernetesClient,
  { terminal, signal }: CommandContext,
): Promise<void> {
  const deps = { client, terminal, clock: systemClock, signal };
  const installation = { revision: values.revision, istioNamespace: values.istioNamespace };
  await installComponents(components, { readinessTimeoutMs: flags.readinessTimeout }, deps);
  // Last: what takes the place of it serves by now.
  const pruned: readonly KubernetesObject[] = await findPruned(components, installation, deps);
  await removeObjects(pruned, { timeoutMs: REMOVAL_TIMEOUT_MS }, deps);
  if (purpose === "upgrade") {
    terminal.line(`✔ Upgrade to ${values.tag} complete`);
    terminal.aside("See that every proxy is connected and has the new version: istioctl proxy-status");
    return;
  }
  terminal.line("✔ Installation complete");
  if (values.profile !== "ambient") return;
  terminal.line("The ambient profile has been installed successfully, enjoy Istio without sidecars!");
  terminal.aside(
    "Next, put a namespace into the mesh: kubectl label namespace default istio.io/dataplane-mode=ambient",
  );
}

function showPlan(plan: Plan, flags: InstallFlags, { terminal }: CommandContext): void {
  const { create, keep, leave } = countPlan(plan);
  const isFirst = create === plan.length - leave;
  if (flags.dryRun && flags.output !== "text") {
    terminal.line(
      renderStructured(
        { changes: plan.filter(({ kind }) => kind !== "keep"), unchanged: keep },
        flags.output,
      ),
    );
    return;
  }
  // A first installation is what its profile says; nobody wants to read the list before each.
  if (flags.dryRun || !isFirst) for (const line of renderPlan(plan)) terminal.line(line);
  else
    for (const { object, ...change } of plan)
      if (change.kind === "leave") terminal.aside(`  left as it is: ${object.name}, ${change.why}`);
  for (const line of [...pruneWarnings(plan), ...releaseWarnings(plan)]) terminal.aside(line);
  if (flags.dryRun) terminal.line("✔ Dry run: the API server takes every object; nothing was changed");
}

/** Throws when an upgrade finds nothing, or versions that do not fit together. An installation over another version only warns. */
async function checkVersions(
  purpose: Purpose,
  values: InstallValues,
  flags: InstallFlags,
  client: KubernetesClient,
  { terminal, signal }: CommandContext,
): Promise<void> {
  const revision = values.revision === "" ? "default" : values.revision;
  const all = await findControlPlanes({ client, signal });
  const own = all.filter((one) => one.revision === revision && one.namespace === values.istioNamespace);
  if (purpose === "upgrade" && own.length === 0) throw nothingToUpgrade(revision, values, all);
  const current = own.map(({ version }) => version);
  if (current.every((version) => version === values.tag)) {
    if (purpose === "upgrade")
      terminal.aside(`The control plane of revision ${revision} is at ${values.tag} already.`);
    return;
  }
  const proxies = await findProxyVersions({ client, signal });
  const { problems, warnings } = decideUpgrade({ current, target: values.tag, proxies });
  terminal.aside(`Revision ${revision}: from ${[...new Set(current)].join(", ")} to ${values.tag}`);
  if (purpose === "install")
    terminal.aside(
      "WARNING: another version runs, and it will be overwritten. `istioctl x precheck` looks for what could break; --revision installs beside it.",
    );
  for (const warning of warnings) terminal.aside(`WARNING: ${warning}`);
  if (problems.length === 0) return;
  if (purpose === "install" || flags.force) {
    for (const problem of problems) terminal.aside(`WARNING: ${problem}`);
    return;
  }
  throw new MeshError(
    "CONFLICT",
    `upgrade to ${values.tag}: ${problems.join("; ")}. With --force it is done all the same`,
  );
}

function nothingToUpgrade(
  revision: string,
  { istioNamespace }: InstallValues,
  all: readonly InstalledControlPlane[],
): MeshError {
  const known = all.map((one) => `${one.revision} (${one.version}) in ${one.namespace}`);
  const hint = known.length === 0 ? "; use install" : `; there is: ${known.join(", ")}`;
  return new MeshError(
    "NOT_FOUND",
    `upgrade: no control plane of revision ${revision} in namespace ${istioNamespace}${hint}`,
  );
}
