/** `meltemi demo` */

import { systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { runDemo } from "../demo/run-demo.ts";
import type { CommandContext } from "./context.ts";

export function addDemoCommand(program: Command, context: CommandContext): void {
  program
    .command("demo")
    .description(
      "make a cluster on this machine, install the mesh, drive real traffic and show what happened",
    )
    .option("--keep", "leave the cluster up at the end, and say how to explore it", false)
    .option("--once", "for scripts: no prompts, take everything down at the end", false)
    .option("--name <cluster>", "name of the cluster it makes", "demo")
    .addOption(new Option("-o, --output <format>", "text or json").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      "\nExamples:\n  npm run demo\n  npm run demo -- --keep\n  npm run --silent demo -- --once -o json",
    )
    .action(async (flags: { keep: boolean; name: string; output: "text" | "json" }) => {
      context.exit(
        await runDemo(
          {
            projectRoot: context.projectRoot,
            clusterName: flags.name,
            keep: flags.keep,
            format: flags.output,
            env: context.env,
          },
          { terminal: context.terminal, clock: systemClock },
        ),
      );
    });
}
