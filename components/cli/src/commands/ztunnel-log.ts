/** `istioctl ztunnel-config log` (reference: l7-and-cli §3.3). */

import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { podText } from "../reach/find-pods.ts";
import { changeLevels, loggingPath } from "../reach/log-levels.ts";
import { allZtunnels, findZtunnel } from "../ztunnel-config/find-ztunnel.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { adminPortOption } from "./dump-flags.ts";
import { withExamples } from "./examples.ts";

interface LogFlags extends MeshFlags {
  readonly proxyAdminPort: number;
  readonly node?: string;
  readonly level?: string;
  readonly reset: boolean;
}

export function addLogCommand(parent: Command, program: Command, context: CommandContext): void {
  const command = adminPortOption(meshOptions(parent.command("log").alias("o")))
    .description("log levels of one ztunnel, or of all: shown, changed, reset")
    .argument("[target]", "ztunnel or workload: [<type>/]<name>[.<namespace>]; otherwise all")
    .option("--node <name>", "the ztunnel of this node")
    .option("--level <levels>", "<level> or <scope>:<level>, with commas")
    .option("-r, --reset", "back to what it started with", false)
    .action((target: string | undefined, flags: LogFlags) => log(target, flags, context));
  withExamples(command, program, [
    "$0 ztunnel-config log",
    "$0 ztunnel-config log --node node-1 --level info,access:debug",
    "$0 ztunnel-config log ztunnel-x7k2p --reset",
  ]);
}

async function log(target: string | undefined, flags: LogFlags, context: CommandContext): Promise<void> {
  if (target !== undefined && flags.node !== undefined)
    throw new MeshError("INPUT_INVALID", "expected at most one of --node and a pod's name");
  loggingPath({ level: flags.level, reset: flags.reset });
  await withMeshCluster(flags, context, async (cluster) => {
    const { node, istioNamespace, namespace = cluster.client.defaultNamespace } = flags;
    const pods =
      target === undefined && node === undefined
        ? await allZtunnels(istioNamespace, cluster)
        : [(await findZtunnel({ target, node, namespace, istioNamespace }, cluster)).pod];
    if (pods.length === 0)
      throw new MeshError("NOT_FOUND", `no running ztunnel in namespace ${istioNamespace}`);
    for (const pod of pods) {
      const { level, reset } = flags;
      const answer = await changeLevels(cluster, pod, flags.proxyAdminPort, { level, reset });
      context.terminal.line(`${podText(pod)}:\n${answer}\n`);
    }
  });
}
