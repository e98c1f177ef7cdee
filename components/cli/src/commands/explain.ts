/** `meltemi explain <client> <destination>`: every hop, identity and policy between two workloads, and the verdict. Not in Istio. */

import { nameOf, namespaceOf } from "@meltemi/kubernetes";
import { MeshError, systemClock } from "@meltemi/runtime";
import type { Command } from "commander";
import type { Ask } from "../explain/ask.ts";
import type { Explanation } from "../explain/explanation.ts";
import { type OutputFormat, outputOption, renderStructured } from "../output/structured.ts";
import { readDumpFile } from "../reach/dump-file.ts";
import { findPods } from "../reach/find-pods.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { adminPortOption } from "./dump-flags.ts";
import { withExamples } from "./examples.ts";

interface ExplainFlags extends MeshFlags {
  readonly output: OutputFormat;
  readonly proxyAdminPort: number;
  readonly file: readonly string[];
  readonly method: string;
  readonly path: string;
  readonly header: readonly (readonly [string, string])[];
  readonly host?: string;
}

export function addExplainCommand(program: Command, context: CommandContext): void {
  const command = outputOption(adminPortOption(meshOptions(program.command("explain"))))
    .description(
      "the way from a client to a service: every proxy, identity, policy in order, and the verdict",
    )
    .argument("<client>", "[<type>/]<name>[.<namespace>] of a pod, deployment, …")
    .argument(
      "<destination>",
      "<service>[.<namespace>][:<port>], pod/<name>[.<namespace>]:<port>, host or <ip>:<port>",
    )
    .option("-X, --method <word>", "method of the request", "GET")
    .option("--path <path>", "path of the request, with its query", "/")
    .option("-H, --header <field>", "name: value (repeatable)", readHeader, [])
    .option("--host <name>", "host of the request; otherwise that of the destination")
    .option(
      "-f, --file <dump>",
      "config dumps of ztunnels and waypoints instead of a cluster (repeatable)",
      collect,
      [],
    )
    .action((client: string, destination: string, flags: ExplainFlags) =>
      show(client, destination, flags, context),
    );
  command.addHelpText(
    "after",
    "\nThe proxies' own decisions are made again, on what the proxies know at this moment. Nothing is sent to the destination.\n" +
      "Exit code: 0 when it is not denied, 1 when it is.",
  );
  withExamples(command, program, [
    "$0 explain deploy/client.shop server.shop:80",
    "$0 explain deploy/client server --method POST --path /orders -H 'x-user: ann'",
    "$0 explain client-6f7d-lgbxw.shop server.shop -f ztunnel.json -f waypoint.json -o json",
  ]);
}

const collect = (value: string, earlier: readonly string[]): readonly string[] => [...earlier, value];

/** RFC 9110 §5.1 and §5.5, as far as a request that is never sent needs it. */
function readHeader(
  text: string,
  earlier: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const match = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*?)\s*$/s.exec(text);
  if (match === null)
    throw new MeshError("INPUT_INVALID", `--header ${JSON.stringify(text)}: expected name: value`);
  return [...earlier, [match[1] ?? "", match[2] ?? ""]];
}

async function show(
  client: string,
  destination: string,
  flags: ExplainFlags,
  context: CommandContext,
): Promise<void> {
  const { terminal } = context;
  const explanation =
    flags.file.length > 0
      ? await fromFiles(client, destination, flags, context)
      : await fromCluster(client, destination, flags, context);
  if (flags.output === "short") {
    const { renderExplanation } = await import("../explain/render.ts");
    for (const line of renderExplanation(explanation)) terminal.line(line);
  } else terminal.line(renderStructured(explanation, flags.output));
  if (explanation.verdict.kind === "denied") context.exit(1);
}

function requestOf(flags: ExplainFlags): Ask["request"] {
  const { method, path, header, host } = flags;
  return { method: method.toUpperCase(), path, headers: header, authority: host };
}

async function fromFiles(
  client: string,
  destination: string,
  flags: ExplainFlags,
  context: CommandContext,
): Promise<Explanation> {
  // The engine takes a while to load: only whoever explains waits for it.
  const [{ askExplanation }, { proxiesFromDumps }] = await Promise.all([
    import("../explain/ask.ts"),
    import("../explain/dump-files.ts"),
  ]);
  const dumps = [];
  for (const file of flags.file) dumps.push(await readDumpFile(file, context.stdin));
  const { kind, name, namespace } = parseTarget(client, flags.namespace ?? "default");
  if (kind !== "pod")
    throw new MeshError("INPUT_INVALID", `${client}: expected the name of a pod, as it is in the dumps`);
  const proxies = proxiesFromDumps(dumps);
  const ztunnel = proxies.ztunnelOf(`${namespace}/${name}`);
  const ask = { client: { name, namespace }, labels: {}, destination, request: requestOf(flags) };
  return askExplanation(ask, { ...proxies, ztunnel, clock: systemClock });
}

async function fromCluster(
  client: string,
  destination: string,
  flags: ExplainFlags,
  context: CommandContext,
): Promise<Explanation> {
  const [{ askExplanation }, { proxiesOfCluster }] = await Promise.all([
    import("../explain/ask.ts"),
    import("../explain/cluster-proxies.ts"),
  ]);
  return withMeshCluster(flags, context, async (cluster) => {
    const namespace = flags.namespace ?? cluster.client.defaultNamespace;
    const [pod] = await findPods(parseTarget(client, namespace), cluster);
    const node = pod?.spec?.nodeName;
    if (pod === undefined || node === undefined)
      throw new MeshError("NOT_FOUND", `${client}: its pod is not on a node yet`);
    const proxies = await proxiesOfCluster(cluster, flags);
    const ztunnel = await proxies.serverZtunnel(node);
    if (typeof ztunnel !== "object")
      throw new MeshError(
        "NOT_FOUND",
        `${ztunnel === "none" ? `no ztunnel runs on node ${node}` : `the ztunnel of node ${node} does not answer`}; see istioctl ztunnel-config workload --node ${node}`,
      );
    const ask: Ask = {
      client: { name: nameOf(pod), namespace: namespaceOf(pod) },
      labels: pod.metadata?.labels ?? {},
      destination,
      request: requestOf(flags),
    };
    return askExplanation(ask, { ...proxies, ztunnel, clock: systemClock });
  });
}
