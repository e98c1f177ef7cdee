/** `istioctl admin log` (alias `istiod`; reference: l7-and-cli §3.6): log levels of the control plane. */

import { keyOf, type Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { type OutputFormat, outputOption, renderStructured } from "../output/structured.ts";
import { renderTable } from "../output/table.ts";
import { findPods } from "../reach/find-pods.ts";
import { findIstiods, ISTIOD_HTTP_PORT } from "../reach/istiod.ts";
import { loggingPath } from "../reach/log-levels.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

interface LogFlags extends MeshFlags {
  readonly level?: string;
  readonly reset: boolean;
  readonly revision?: string;
  readonly output: OutputFormat;
}

export function addAdminCommand(program: Command, context: CommandContext): void {
  const parent = withExamples(
    program.command("admin").alias("istiod").description("look after the control plane"),
    program,
    ["$0 admin log"],
  );
  const command = outputOption(meshOptions(parent.command("log").alias("l")))
    .description("log levels of the control plane: shown, changed, reset")
    .argument("[pod]", "one pod of it: [<type>/]<name>; otherwise all")
    .option("--level <levels>", "<level> and <scope>:<level>, with commas")
    .option("--reset", "back to what it started with", false)
    .option("-r, --revision <name>", "of one revision")
    .action((pod: string | undefined, flags: LogFlags) => log(pod, flags, context));
  withExamples(command, program, ["$0 admin log", "$0 admin log --level xds:debug", "$0 admin log --reset"]);
}

async function log(target: string | undefined, flags: LogFlags, context: CommandContext): Promise<void> {
  const path = loggingPath({ level: flags.level, reset: flags.reset });
  const levels = await withMeshCluster(flags, context, async (cluster) => {
    const pods =
      target === undefined
        ? await findIstiods(cluster, flags.istioNamespace, flags.revision)
        : await findPods(parseTarget(target, flags.istioNamespace), cluster);
    const answers = [];
    for (const pod of pods) answers.push(await ask(pod, path, cluster));
    return answers.flat();
  });
  const { terminal } = context;
  if (flags.output !== "short") terminal.line(renderStructured(levels, flags.output));
  else
    for (const line of renderTable(
      ["ISTIOD", "ACTIVE SCOPE", "LOG LEVEL"],
      levels.map(({ istiod, scope, level }) => [istiod, scope, level]),
    ))
      terminal.line(line);
}

interface ScopeLevel {
  readonly istiod: string;
  readonly scope: string;
  readonly level: string;
}

async function ask(pod: Pod, path: string, cluster: MeshCluster): Promise<readonly ScopeLevel[]> {
  const { status, body } = await cluster.request(pod, ISTIOD_HTTP_PORT, {
    method: "POST",
    path: `/debug${path}`,
  });
  if (status !== 200)
    throw new MeshError(
      "PEER_REFUSED",
      `POST ${path} of pod ${keyOf(pod)}: HTTP ${status} ${body.slice(0, 200).trim()}`,
    );
  // `current log level is <scope>=<level>,…,<level>`
  const clauses = body.trim().replace(/^.* /, "").split(",");
  return clauses
    .map((clause): ScopeLevel => {
      const [first = "", second] = clause.split("=");
      const istiod = pod.metadata?.name ?? "";
      return second === undefined
        ? { istiod, scope: "default", level: first }
        : { istiod, scope: first, level: second };
    })
    .toSorted((a, b) => (a.scope < b.scope ? -1 : 1));
}
