/** `istioctl experimental internal-debug` (reference: l7-and-cli §3.6): debug pages of the control plane, as they are. */

import { nameOf } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { renderStructured } from "../output/structured.ts";
import { findIstiods, readDebugPage } from "../reach/istiod.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

interface DebugFlags extends MeshFlags {
  readonly all: boolean;
  readonly revision?: string;
}

export function addInternalDebugCommand(parent: Command, program: Command, context: CommandContext): void {
  const command = meshOptions(parent.command("internal-debug"))
    .description(
      "a debug page of the control plane: syncz, adsz, endpointz, servicesz, authorizationz, configz, clusterz",
    )
    .argument("<page>", "name of the page")
    .option("--all", "of every replica; otherwise of one", false)
    .option("-r, --revision <name>", "of one revision")
    .action((page: string, flags: DebugFlags) => show(page, flags, context));
  withExamples(command, program, ["$0 x internal-debug syncz", "$0 x internal-debug endpointz --all"]);
}

async function show(page: string, flags: DebugFlags, context: CommandContext): Promise<void> {
  if (!/^[a-z]{1,40}$/.test(page))
    throw new MeshError(
      "INPUT_INVALID",
      `page ${JSON.stringify(page.slice(0, 100))}: expected a name such as syncz`,
    );
  await withMeshCluster(flags, context, async (cluster) => {
    const istiods = await findIstiods(cluster, flags.istioNamespace, flags.revision);
    const answers: Record<string, unknown> = {};
    for (const pod of flags.all ? istiods : istiods.slice(0, 1))
      answers[nameOf(pod)] = await readDebugPage(cluster, pod, `/debug/${page}`);
    const [only] = Object.values(answers);
    context.terminal.line(renderStructured(flags.all ? answers : only, "json"));
  });
}
