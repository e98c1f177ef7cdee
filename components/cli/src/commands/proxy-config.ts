/** `istioctl proxy-config` (alias `pc`) for waypoints (reference: l7-and-cli §3.4). */

import { MeshError, systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import type { Json } from "../output/json.ts";
import { printable } from "../output/printable.ts";
import { renderStructured } from "../output/structured.ts";
import { findWaypoint } from "../proxy-config/find-waypoint.ts";
import { emptyHint, VIEWS, type ViewFilter, type ViewName } from "../proxy-config/views.ts";
import { readDumpFile } from "../reach/dump-file.ts";
import { findPods, podText } from "../reach/find-pods.ts";
import { changeLevels, loggingPath } from "../reach/log-levels.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { adminPortOption, type DumpFlags, dumpOptions } from "./dump-flags.ts";
import { withExamples } from "./examples.ts";
import { addRootCompareCommand } from "./root-compare.ts";

interface ConfigFlags extends DumpFlags, ViewFilter {
  readonly withHeaders?: boolean;
}

interface LogFlags extends MeshFlags {
  readonly proxyAdminPort: number;
  readonly level?: string;
  readonly reset: boolean;
}

const TARGET = "waypoint: [<type>/]<name>[.<namespace>]";
/** In the order in which `all` shows them. */
const ALL_VIEWS: readonly ViewName[] = ["cluster", "listener", "route", "endpoint", "secret"];

export function addProxyConfigCommand(program: Command, context: CommandContext): void {
  const parent = withExamples(
    program
      .command("proxy-config")
      .alias("pc")
      .description("what a waypoint serves: clusters, listeners, routes, endpoints, certificates"),
    program,
    ["$0 proxy-config route deploy/waypoint.shop", "$0 proxy-config endpoint deploy/waypoint -n shop"],
  );
  const add = (name: ViewName, aliases: readonly string[], about: string): Command =>
    withExamples(
      dumpOptions(parent.command(name).aliases([...aliases]))
        .description(about)
        .argument("[target]", TARGET)
        .action((target: string | undefined, flags: ConfigFlags) => show([name], target, flags, context)),
      program,
      [
        `$0 proxy-config ${name} deploy/waypoint.shop`,
        `$0 proxy-config ${name} deploy/waypoint.shop -o yaml`,
      ],
    );
  addViews(add);
  withExamples(
    dumpOptions(parent.command("all").alias("a"))
      .description("all of it")
      .argument("[target]", TARGET)
      .option("--with-headers", "a heading above each table", false)
      .action((target: string | undefined, flags: ConfigFlags) => show(ALL_VIEWS, target, flags, context)),
    program,
    ["$0 proxy-config all deploy/waypoint.shop -o json > dump.json", "$0 proxy-config all -f dump.json"],
  );
  addLog(parent, program, context);
  addRootCompareCommand(parent, program, context);
}

function addViews(add: (name: ViewName, aliases: readonly string[], about: string) => Command): void {
  add("cluster", ["clusters", "c"], "destinations of its routes")
    .option("--fqdn <name>", "of one service")
    .option("--port <number>", "of one port")
    .option("--subset <name>", "of one subset")
    .option("--direction <word>", "inbound-vip or outbound");
  add("listener", ["listeners", "l"], "addresses that it answers for")
    .option("--address <ip>", "of one address")
    .option("--port <number>", "of one port")
    .option("--waypoint", "listeners and their filter chains", false);
  add("route", ["routes", "r"], "routes of each service's ports").option(
    "--name <name>",
    "of one port, by its cluster",
  );
  for (const name of ["endpoint", "eds"] as const)
    add(name, name === "endpoint" ? ["endpoints", "ep"] : [], "endpoints of its clusters, with their health")
      .option("--address <ip>", "of one address")
      .option("--port <number>", "of one port")
      .option("--cluster <name>", "of one cluster")
      .addOption(new Option("--status <word>", "healthy or unhealthy").choices(["healthy", "unhealthy"]));
  add("secret", ["secrets", "s"], "its certificates; never a key");
  add("bootstrap", ["b"], "what it was started with");
}

async function show(
  names: readonly ViewName[],
  target: string | undefined,
  flags: ConfigFlags,
  context: CommandContext,
): Promise<void> {
  const dump = await readDump(target, flags, context);
  const { terminal } = context;
  // What is saved of everything can be shown again.
  if (names.length > 1 && flags.output !== "short") {
    terminal.line(renderStructured(dump, flags.output));
    return;
  }
  const nowMs = systemClock.nowMs();
  for (const [index, name] of names.entries()) {
    const view = VIEWS[name];
    if (flags.output !== "short") {
      terminal.line(renderStructured(view.document(dump, flags), flags.output));
      continue;
    }
    if (index > 0) terminal.line("");
    if (flags.withHeaders) terminal.line(`${view.title}:`);
    for (const line of view.table(dump, flags, nowMs)) terminal.line(line);
    const hint = emptyHint(name, dump, flags);
    if (hint !== undefined) terminal.aside(printable(hint));
  }
}

async function readDump(
  target: string | undefined,
  flags: ConfigFlags,
  context: CommandContext,
): Promise<Json> {
  if (flags.file !== undefined && target !== undefined)
    throw new MeshError("INPUT_INVALID", "expected either --file or a pod's name, got both");
  if (flags.file !== undefined) return readDumpFile(flags.file, context.stdin);
  if (target === undefined)
    throw new MeshError(
      "INPUT_INVALID",
      "expected the name of a waypoint's pod or deployment, or --file; see istioctl waypoint list -A",
    );
  return withMeshCluster(flags, context, async (cluster) => {
    const namespace = flags.namespace ?? cluster.client.defaultNamespace;
    return cluster.dump(await findWaypoint(target, namespace, cluster), flags.proxyAdminPort);
  });
}

function addLog(parent: Command, program: Command, context: CommandContext): void {
  const command = adminPortOption(meshOptions(parent.command("log").alias("o")))
    .description("log levels of a waypoint: shown, changed, reset")
    .argument("<target>", TARGET)
    .option("--level <levels>", "<level> or <scope>:<level>, with commas")
    .option("-r, --reset", "back to what it started with", false)
    .action(async (target: string, flags: LogFlags) => {
      const { level, reset } = flags;
      loggingPath({ level, reset });
      await withMeshCluster(flags, context, async (cluster) => {
        const namespace = flags.namespace ?? cluster.client.defaultNamespace;
        for (const pod of await findPods(parseTarget(target, namespace), cluster)) {
          const answer = await changeLevels(cluster, pod, flags.proxyAdminPort, { level, reset });
          context.terminal.line(`${podText(pod)}:\n${answer}\n`);
        }
      });
    });
  withExamples(command, program, ["$0 proxy-config log deploy/waypoint.shop --level debug"]);
}
