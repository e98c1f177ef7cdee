/** `istioctl ztunnel-config` (alias `zc`; reference: l7-and-cli §3.3). */

import { MeshError, systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import type { Json } from "../output/json.ts";
import { renderStructured } from "../output/structured.ts";
import { readDumpFile } from "../reach/dump-file.ts";
import type { EntryFilter } from "../ztunnel-config/entries.ts";
import { findZtunnel } from "../ztunnel-config/find-ztunnel.ts";
import { SUMMARIES, type Summary } from "../ztunnel-config/summaries.ts";
import { withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { type DumpFlags, dumpOptions } from "./dump-flags.ts";
import { withExamples } from "./examples.ts";
import { addLogCommand } from "./ztunnel-log.ts";

interface ZtunnelFlags extends DumpFlags {
  readonly node?: string;
  readonly address?: string;
  readonly workloadNamespace?: string;
  readonly workloadNode?: string;
  readonly serviceNamespace?: string;
  readonly policyNamespace?: string;
  readonly direction?: "inbound" | "outbound";
  readonly raw?: boolean;
  readonly withHeaders?: boolean;
}

export function addZtunnelConfigCommand(program: Command, context: CommandContext): void {
  const parent = withExamples(
    program
      .command("ztunnel-config")
      .alias("zc")
      .description("what a ztunnel knows: workloads, services, policies, certificates, connections"),
    program,
    [
      "$0 ztunnel-config workload",
      "$0 ztunnel-config service --node node-1",
      "$0 ztunnel-config connections deploy/client.shop",
      "$0 ztunnel-config log --level debug",
    ],
  );
  const add = (name: string, aliases: readonly string[], summaries: readonly Summary[]): Command =>
    dumpOptions(parent.command(name).aliases([...aliases]))
      .argument("[target]", "ztunnel or workload: [<type>/]<name>[.<namespace>]")
      .option("--node <name>", "the ztunnel of this node")
      .action((target: string | undefined, flags: ZtunnelFlags) => show(summaries, target, flags, context));
  addWorkload(add, program);
  addServiceAndPolicy(add, program);
  addCertificateAndConnections(add, program);
  withExamples(
    add("all", [], Object.values(SUMMARIES))
      .description("all of it")
      .option("--with-headers", "a heading above each table", false),
    program,
    ["$0 ztunnel-config all ztunnel-x7k2p.istio-system", "$0 ztunnel-config all -o json > dump.json"],
  );
  addLogCommand(parent, program, context);
}

type Add = (name: string, aliases: readonly string[], summaries: readonly Summary[]) => Command;

function addWorkload(add: Add, program: Command): void {
  withExamples(
    add("workload", ["w", "workloads"], [SUMMARIES.workloads])
      .description("workloads that it knows")
      .option("--address <ip>", "the workload that has this address")
      .option("--workload-namespace <name>", "of one namespace")
      .option("--workload-node <name>", "of one node"),
    program,
    [
      "$0 ztunnel-config workload",
      "$0 ztunnel-config workload --workload-namespace shop",
      "kubectl exec -n istio-system ztunnel-x7k2p -- curl -s localhost:15000/config_dump | $0 zc workload -f -",
    ],
  );
}

function addServiceAndPolicy(add: Add, program: Command): void {
  withExamples(
    add("service", ["services", "s", "svc"], [SUMMARIES.services])
      .description("services that it knows, with their waypoints")
      .option("--service-namespace <name>", "of one namespace"),
    program,
    ["$0 ztunnel-config service", "$0 ztunnel-config service --service-namespace shop -o yaml"],
  );
  withExamples(
    add("policy", ["policies", "p", "pol"], [SUMMARIES.policies])
      .description("policies that it enforces")
      .option("--policy-namespace <name>", "of one namespace"),
    program,
    ["$0 ztunnel-config policy", "$0 ztunnel-config policy deploy/server.shop"],
  );
}

function addCertificateAndConnections(add: Add, program: Command): void {
  withExamples(
    add("certificate", ["certificates", "certs", "cert"], [SUMMARIES.certificates]).description(
      "certificates of the workloads on its node",
    ),
    program,
    ["$0 ztunnel-config certificate --node node-1", "$0 ztunnel-config certificate ztunnel-x7k2p"],
  );
  withExamples(
    add("connections", ["cons"], [SUMMARIES.connections])
      .description("connections that are open now")
      .addOption(new Option("--direction <way>", "inbound or outbound").choices(["inbound", "outbound"]))
      .option("--raw", "addresses instead of names", false)
      .option("--workload-namespace <name>", "of one namespace"),
    program,
    ["$0 ztunnel-config connections --node node-1", "$0 ztunnel-config connections deploy/client.shop --raw"],
  );
}

async function show(
  summaries: readonly Summary[],
  target: string | undefined,
  flags: ZtunnelFlags,
  context: CommandContext,
): Promise<void> {
  const { dump, workload } = await readDump(summaries, target, flags, context);
  const options = { nowMs: systemClock.nowMs(), raw: flags.raw ?? false };
  const selected = summaries.map((summary) => ({
    ...summary,
    entries: summary.select(dump, filterOf(summary, flags, workload)),
  }));
  const { terminal } = context;
  if (flags.output !== "short") {
    const [only] = selected;
    const value =
      selected.length === 1 && only !== undefined
        ? only.entries
        : Object.fromEntries(selected.map(({ key, entries }) => [key, entries]));
    terminal.line(renderStructured(value, flags.output));
    return;
  }
  for (const [index, { title, entries, table }] of selected.entries()) {
    if (index > 0) terminal.line("");
    if (flags.withHeaders) terminal.line(`${title}:`);
    for (const line of table(entries, dump, options)) terminal.line(line);
  }
}

function filterOf(summary: Summary, flags: ZtunnelFlags, workload: EntryFilter["workload"]): EntryFilter {
  const namespaces: Readonly<Record<Summary["key"], string | undefined>> = {
    workloads: flags.workloadNamespace,
    services: flags.serviceNamespace,
    policies: flags.policyNamespace,
    certificates: undefined,
    connections: flags.workloadNamespace,
  };
  return {
    workload,
    namespace: namespaces[summary.key],
    address: flags.address,
    node: flags.workloadNode,
    direction: flags.direction,
  };
}

async function readDump(
  summaries: readonly Summary[],
  target: string | undefined,
  flags: ZtunnelFlags,
  context: CommandContext,
): Promise<{ readonly dump: Json; readonly workload: EntryFilter["workload"] }> {
  const named = [flags.file, flags.node, target].filter((one) => one !== undefined);
  if (named.length > 1)
    throw new MeshError("INPUT_INVALID", "expected at most one of --file, --node and a pod's name");
  if (flags.file !== undefined)
    return { dump: await readDumpFile(flags.file, context.stdin), workload: undefined };
  // Every ztunnel has certificates of its own node only: which one is meant must be said.
  if (summaries.length === 1 && summaries[0]?.key === "certificates" && named.length === 0)
    throw new MeshError("INPUT_INVALID", "ztunnel pod name or --node must be set");
  return withMeshCluster(flags, context, async (cluster) => {
    const { node, istioNamespace, namespace = cluster.client.defaultNamespace } = flags;
    const { pod, workload } = await findZtunnel({ target, node, namespace, istioNamespace }, cluster);
    return { dump: await cluster.dump(pod, flags.proxyAdminPort), workload };
  });
}
