/** `istioctl proxy-status` (alias `ps`; reference: l7-and-cli §3.4). */

import { MeshError } from "@meltemi/runtime";
import { type Command, InvalidArgumentError, Option } from "commander";
import { renderStructured } from "../output/structured.ts";
import { connectedProxies } from "../proxy-status/connected.ts";
import { type ProxySync, renderOne, renderSyncTable, syncDocument } from "../proxy-status/sync-status.ts";
import { findPods, podText } from "../reach/find-pods.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

interface StatusFlags extends MeshFlags {
  readonly output: "table" | "json" | "yaml";
  /** True: without a level. */
  readonly verbosity: string | true;
  readonly revision?: string;
}

export function addProxyStatusCommand(program: Command, parent: Command, context: CommandContext): void {
  const command = meshOptions(parent.command("proxy-status").alias("ps"))
    .description("which proxies are connected to the control plane, and whether they have what it sent")
    .argument("[proxy]", "[<type>/]<name>[.<namespace>]")
    .addOption(
      new Option("-o, --output <format>", "table, json or yaml")
        .choices(["table", "json", "yaml"])
        .default("table"),
    )
    .addOption(
      // Without a value it is 1, as Istio's count of verbosity.
      new Option("-v, --verbosity [level]", "1, or no level, shows the state of each type")
        .argParser(readVerbosity)
        .default("0"),
    )
    .option("-r, --revision <name>", "of one control plane")
    .action((proxy: string | undefined, flags: StatusFlags) => status(proxy, flags, context));
  withExamples(command, program, [
    "$0 proxy-status",
    "$0 proxy-status -v 1",
    "$0 proxy-status deploy/waypoint.shop",
  ]);
}

/** `-v deploy/x` would take the proxy for the level: it is told where the name goes. */
function readVerbosity(text: string): string {
  if (text === "0" || text === "1") return text;
  throw new InvalidArgumentError(`expected 0 or 1 (the name of a proxy goes before it), got ${text}`);
}

async function status(proxy: string | undefined, flags: StatusFlags, context: CommandContext): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const connected = await connectedProxies(cluster, flags.istioNamespace, flags.revision);
    const shown = proxy === undefined ? connected : [await only(proxy, connected, cluster, flags)];
    const { terminal } = context;
    if (flags.output !== "table") {
      terminal.line(renderStructured(syncDocument(shown), flags.output));
      return;
    }
    const [one] = shown;
    const lines =
      proxy !== undefined && one !== undefined
        ? renderOne(one)
        : renderSyncTable(shown, flags.verbosity === true ? 1 : Number(flags.verbosity));
    for (const line of lines) terminal.line(line);
  });
}

async function only(
  text: string,
  connected: readonly ProxySync[],
  cluster: MeshCluster,
  { namespace = cluster.client.defaultNamespace }: StatusFlags,
): Promise<ProxySync> {
  const [pod] = await findPods(parseTarget(text, namespace), cluster);
  const name = pod === undefined ? text : podText(pod);
  const proxy = connected.find((one) => one.name === name);
  if (proxy !== undefined) return proxy;
  throw new MeshError(
    "NOT_FOUND",
    `${name} is not connected to any control plane; those that are: ${connected.map((one) => one.name).join(", ") || "none"}`,
  );
}
