/** `meltemi demo` */

import { systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { runDemo } from "../demo/run-demo.ts";
import type { CommandContext } from "./context.ts";

interface DemoFlags {
  readonly keep: boolean;
  readonly name: string;
  readonly output: "text" | "json";
}

export function addDemoCommand(program: Command, context: CommandContext): void {
  program
    .command("demo")
    .description(
      "make a cluster on this machine, install the mesh, drive real traffic and show what happened",
    )
    .option("--keep", "leave the cluster up at the end, and say how to explore it", false)
    .addOption(
      new Option("--once", "for scripts: the same, and the cluster is taken down whatever happens").conflicts(
        "keep",
      ),
    )
    .option("--name <cluster>", "name of the cluster it makes", "demo")
    .addOption(new Option("-o, --output <format>", "text or json").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      `
Needs root. With -o json, standard output has one JSON object a line, {claim, ok, seen, figures,
commands}, and nothing else: commands are the lines that were typed for it.
Exit code 0 when every claim held. Ctrl-C takes the cluster down.

Examples:
  npm run demo
  npm run demo -- --keep
  npm run --silent demo -- --once -o json`,
    )
    .action(async (flags: DemoFlags) => {
      const { projectRoot, env, terminal, signal, isRoot } = context;
      const { name: clusterName, keep, output: format } = flags;
      const options = { projectRoot, clusterName, keep, format, env, isRoot };
      context.exit(await runDemo(options, { terminal, clock: systemClock, signal }));
    });
}
