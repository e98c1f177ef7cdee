/** `istioctl waypoint` (reference: l7-and-cli §3.2). */

import type { Gateway, KubernetesClient } from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { stringify } from "yaml";
import { type ApplyOptions, applyWaypoint } from "../waypoint/apply.ts";
import { awaitProgrammed, type ClusterDependencies, findWaypoints } from "../waypoint/cluster.ts";
import { checkDelete, deleteWaypoints } from "../waypoint/delete.ts";
import { isProgrammed, readName, readPurpose, USE_LABEL, waypointGateway } from "../waypoint/gateway.ts";
import { type ReportFormat, renderList, renderStatus } from "../waypoint/report.ts";
import { type ConnectFlags, connectOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { readBoolean, readDuration } from "./flag-values.ts";
import { globalOptions } from "./global-flags.ts";

interface NamespaceFlags extends ConnectFlags {
  readonly namespace?: string;
}

interface GatewayFlags extends NamespaceFlags {
  readonly name?: string;
  readonly for?: string;
  readonly revision?: string;
  readonly highAvailability: boolean;
}

interface ApplyFlags extends GatewayFlags {
  readonly enrollNamespace: boolean;
  readonly overwrite: boolean;
  readonly wait: boolean;
  readonly waypointTimeout: number;
}

interface ReportFlags extends NamespaceFlags {
  readonly allNamespaces: boolean;
  readonly output: ReportFormat;
}

interface StatusFlags extends ReportFlags {
  readonly name?: string;
  readonly wait: boolean;
  readonly waypointTimeout: number;
}

interface DeleteFlags extends NamespaceFlags {
  readonly all: boolean;
  readonly revision?: string;
}

const WAYPOINT_TIMEOUT_MS = 90_000;

export function addWaypointCommand(program: Command, context: CommandContext): void {
  const waypoint = program
    .command("waypoint")
    .description("deploy and look at waypoints, the L7 proxies of namespaces and services")
    .addHelpText(
      "after",
      examples(program, [
        "waypoint apply -n default --enroll-namespace --wait",
        "waypoint apply -n default --name reviews --for service/reviews",
        "waypoint list -A",
      ]),
    );
  addApply(waypoint, program, context);
  addGenerate(waypoint, program, context);
  addList(waypoint, program, context);
  addStatus(waypoint, program, context);
  addDelete(waypoint, program, context);
}

function examples(program: Command, lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${program.name()} ${line}`).join("\n")}`;
}

function namespaceOptions(command: Command): Command {
  return globalOptions(connectOptions(command), ["namespace"]);
}

function gatewayOptions(command: Command): Command {
  return namespaceOptions(command)
    .option("--name <name>", 'name of the waypoint (default: "waypoint")')
    .option(
      "--for <type>",
      "traffic that it serves: service, workload, all or none; or service/<name> for one service",
    )
    .option("-r, --revision <name>", "revision of the control plane that is to deploy it")
    .option(
      "--high-availability",
      "two replicas apart from each other, a disruption budget and an autoscaler",
      false,
    );
}

function waitOptions(command: Command, waits: boolean): Command {
  return command
    .addOption(
      new Option("-w, --wait [boolean]", "wait until it is ready").argParser(readBoolean).default(waits),
    )
    .addOption(
      new Option("--waypoint-timeout <duration>", "how long to wait")
        .argParser(readDuration)
        .default(WAYPOINT_TIMEOUT_MS, "90s"),
    );
}

function reportOptions(command: Command): Command {
  return namespaceOptions(command)
    .option("-A, --all-namespaces", "of all namespaces", false)
    .addOption(
      new Option("-o, --output <format>", "short, json or yaml")
        .choices(["short", "json", "yaml"])
        .default("short"),
    );
}

function addApply(parent: Command, program: Command, context: CommandContext): void {
  waitOptions(gatewayOptions(parent.command("apply")), false)
    .description("deploy a waypoint, or change one")
    .option("--enroll-namespace", `label the namespace with ${USE_LABEL}`, false)
    .option("--overwrite", "take the place of the waypoint that is in use there", false)
    .addHelpText(
      "after",
      examples(program, [
        "waypoint apply",
        "waypoint apply -n default --enroll-namespace --wait",
        "waypoint apply -n default --name ns-waypoint --for all --high-availability",
        "waypoint apply -n default --for service/reviews",
      ]),
    )
    .action(async (flags: ApplyFlags) => {
      const name = readName(flags.name);
      const purpose = readPurpose(flags.for);
      await inCluster(flags, context, async (deps, namespace) => {
        const options: ApplyOptions = {
          ...flags,
          name,
          namespace,
          purpose,
          revision: flags.revision,
          timeoutMs: flags.waypointTimeout,
        };
        await applyWaypoint(options, deps);
      });
    });
}

function addGenerate(parent: Command, program: Command, context: CommandContext): void {
  gatewayOptions(parent.command("generate"))
    .description("print the Gateway that apply would apply")
    .addOption(new Option("-o, --output <format>", "yaml or json").choices(["yaml", "json"]).default("yaml"))
    .addHelpText(
      "after",
      examples(program, [
        "waypoint generate -n default > waypoint.yaml",
        "waypoint generate --for all --revision canary | kubectl apply -f -",
      ]),
    )
    .action((flags: GatewayFlags & { readonly output: "yaml" | "json" }) => {
      const { namespace, revision, highAvailability } = flags;
      const name = readName(flags.name);
      const { trafficType, service } = readPurpose(flags.for);
      const gateway = waypointGateway({ name, namespace, trafficType, revision, highAvailability });
      const isJson = flags.output === "json";
      context.terminal.line(isJson ? JSON.stringify(gateway, undefined, 2) : stringify(gateway).trimEnd());
      if (service === undefined) return;
      const where = namespace === undefined ? "" : `-n ${namespace} `;
      context.terminal.aside(
        `The service uses it once it is labeled: kubectl ${where}label service ${service} ${USE_LABEL}=${name}`,
      );
    });
}

function addList(parent: Command, program: Command, context: CommandContext): void {
  reportOptions(parent.command("list"))
    .description("list waypoints")
    .addHelpText("after", examples(program, ["waypoint list -n default", "waypoint list -A -o json"]))
    .action(async (flags: ReportFlags) => {
      await inCluster(flags, context, async (deps, namespace) => {
        const waypoints = await findWaypoints(flags.allNamespaces ? undefined : namespace, deps);
        printAll(renderList(waypoints, { ...flags, format: flags.output }), context);
      });
    });
}

function addStatus(parent: Command, program: Command, context: CommandContext): void {
  waitOptions(reportOptions(parent.command("status")), true)
    .description("say whether waypoints are ready, and if not, why")
    .option("--name <name>", "only the waypoint of this name")
    .addHelpText(
      "after",
      examples(program, ["waypoint status -n default", "waypoint status -A --wait=false"]),
    )
    .action(async (flags: StatusFlags) => {
      const name = flags.name === undefined ? undefined : readName(flags.name);
      await inCluster(flags, context, async (deps, namespace) => {
        const find = async () =>
          (await findWaypoints(flags.allNamespaces ? undefined : namespace, deps)).filter(
            ({ metadata }) => name === undefined || metadata?.name === name,
          );
        try {
          if (flags.wait) await waitTelling(find, flags, deps);
        } finally {
          printAll(renderStatus(await find(), { ...flags, format: flags.output }), context);
        }
      });
    });
}

/** Whoever asks about a waypoint that is down must not wait to hear that it is: to standard error, where no script reads. */
async function waitTelling(
  find: () => Promise<readonly Gateway[]>,
  flags: StatusFlags,
  deps: ClusterDependencies,
): Promise<void> {
  const seen = await find();
  if (!seen.every(isProgrammed))
    for (const line of renderStatus(seen, { ...flags, format: "short" })) deps.terminal.aside(line);
  await awaitProgrammed(find, flags.waypointTimeout, deps);
}

function addDelete(parent: Command, program: Command, context: CommandContext): void {
  namespaceOptions(parent.command("delete"))
    .argument("[names...]", "waypoints")
    .description("delete waypoints")
    .option("--all", "all waypoints of the namespace", false)
    .option("-r, --revision <name>", "those of a revision")
    .addHelpText(
      "after",
      examples(program, [
        "waypoint delete waypoint -n default",
        "waypoint delete --all",
        "waypoint delete --revision canary",
      ]),
    )
    .action(async (names: readonly string[], flags: DeleteFlags) => {
      const options = { names, all: flags.all, revision: flags.revision };
      checkDelete(options);
      await inCluster(flags, context, (deps, namespace) => deleteWaypoints(options, namespace, deps));
    });
}

async function inCluster(
  flags: NamespaceFlags,
  context: CommandContext,
  action: (deps: ClusterDependencies, namespace: string) => Promise<void>,
): Promise<void> {
  const { terminal, signal } = context;
  await withCluster(flags, context, (client: KubernetesClient) =>
    action({ client, terminal, clock: systemClock, signal }, flags.namespace ?? client.defaultNamespace),
  );
}

function printAll(lines: readonly string[], { terminal }: CommandContext): void {
  for (const line of lines) terminal.line(line);
}
