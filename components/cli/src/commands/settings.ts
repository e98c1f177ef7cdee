/** `istioctl options` and `istioctl experimental config list`: the global flags, and where their values come from. */

import { type Command, Option } from "commander";
import { renderStructured } from "../output/structured.ts";
import { renderTable } from "../output/table.ts";
import { allSettings, environmentName, GLOBAL_FLAGS } from "../settings/settings.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { configFile } from "./global-flags.ts";

export function addOptionsCommand(program: Command, context: CommandContext): void {
  const command = program
    .command("options")
    .description("the flags that every command has which asks a cluster, and their variables")
    .action(() => {
      const rows = GLOBAL_FLAGS.map((flag) => [
        `${flag.letter === undefined ? "    " : `-${flag.letter}, `}--${flag.name} <${flag.placeholder}>`,
        environmentName(flag),
        `${flag.about}${flag.preset === undefined ? "" : ` (default: ${flag.preset})`}`,
      ]);
      context.terminal.line("The following options can be passed to any command:");
      for (const line of renderTable(["FLAG", "VARIABLE", "MEANING"], rows)) context.terminal.line(line);
    });
  withExamples(command, program, ["$0 options", "ISTIOCTL_NAMESPACE=shop $0 analyze"]);
}

export function addConfigCommand(parent: Command, program: Command, context: CommandContext): void {
  const config = withExamples(
    parent.command("config").description("the configuration of this command line"),
    program,
    ["$0 x config list"],
  );
  const list = config
    .command("list")
    .description("global flags, their values, and where these come from")
    .addOption(
      new Option("-o, --output <format>", "table, json or yaml")
        .choices(["table", "json", "yaml"])
        .default("table"),
    )
    .addHelpText(
      "after",
      "\nA file ~/.istioctl/config.yaml (or that of ISTIOCONFIG) has a line for each flag: istioNamespace: mesh",
    )
    .action(({ output }: { readonly output: "table" | "json" | "yaml" }) => {
      const settings = allSettings(context.env, configFile(context));
      if (output !== "table") {
        context.terminal.line(renderStructured(settings, output));
        return;
      }
      const rows = settings.map(({ flag, value, from }) => [flag, value, from]);
      for (const line of renderTable(["FLAG", "VALUE", "FROM"], rows)) context.terminal.line(line);
    });
  withExamples(list, program, ["$0 x config list", "$0 x config list -o json"]);
}
