/** `istioctl experimental precheck` (reference: l7-and-cli §3.6). */

import { MeshError } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { isAtLeast, type Level } from "../analyze/message.ts";
import { renderStructured } from "../output/structured.ts";
import { askPrecheck } from "../precheck/ask-cluster.ts";
import { precheck } from "../precheck/checks.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

interface PrecheckFlags extends MeshFlags {
  readonly output: "log" | "json" | "yaml";
  readonly outputThreshold: Level;
}

export function addPrecheckCommand(parent: Command, program: Command, context: CommandContext): void {
  const command = meshOptions(parent.command("precheck"))
    .description("whether a cluster is ready for the mesh: permissions, versions, kernels, Gateway API")
    .addOption(
      new Option("-o, --output <format>", "log, json or yaml")
        .choices(["log", "json", "yaml"])
        .default("log"),
    )
    .addOption(
      new Option("--output-threshold <level>", "show problems of this level and above")
        .choices(["Info", "Warning", "Error"])
        .default("Warning"),
    )
    .action((flags: PrecheckFlags) => run(flags, context));
  withExamples(command, program, ["$0 x precheck", "$0 x precheck -o json"]);
}

async function run(flags: PrecheckFlags, context: CommandContext): Promise<void> {
  const facts = await withMeshCluster(flags, context, (cluster) =>
    askPrecheck(cluster, flags.istioNamespace),
  );
  const problems = precheck(facts).filter(({ level }) => isAtLeast(level, flags.outputThreshold));
  const { terminal } = context;
  if (flags.output !== "log") terminal.line(renderStructured(problems, flags.output));
  else
    for (const { code, level, subject, text } of problems)
      terminal.line(`${level} [${code}] (${subject}) ${text}`);
  if (problems.length === 0) {
    terminal.aside("✔ No issues found when checking the cluster. Istio is safe to install or upgrade!");
    terminal.aside("  To get started: istioctl install --set profile=ambient");
    return;
  }
  if (problems.some(({ level }) => level === "Error"))
    throw new MeshError(
      "UNAVAILABLE",
      "Issues found when checking the cluster. Istio may not be safe to install or upgrade.",
    );
}
