/** `istioctl version` (reference: l7-and-cli §3). */

import { type KubernetesClient, PODS } from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { stringify } from "yaml";
import { type ConnectFlags, connectOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { readBoolean } from "./flag-values.ts";
import { type MeshPods, renderVersions, reportVersions } from "./mesh-versions.ts";

interface VersionFlags extends ConnectFlags {
  readonly output: "text" | "json" | "yaml";
  readonly remote: boolean;
}

/** Somebody who asks for the version does not wait for a cluster that is gone. */
const ASK_TIMEOUT_MS = 3_000;

export function addVersionCommand(program: Command, context: CommandContext): void {
  const name = program.name();
  connectOptions(program.command("version"))
    .description("print the versions of this client and of the mesh in the cluster")
    .addOption(
      new Option("-o, --output <format>", "text, json or yaml")
        .choices(["text", "json", "yaml"])
        .default("text"),
    )
    .addOption(new Option("--remote [boolean]", "ask the cluster, too").argParser(readBoolean).default(true))
    .option("--no-remote", "only this client; ask no cluster")
    .option("-s, --short", "for scripts of istioctl: it always is", true)
    .addHelpText(
      "after",
      `
Examples:
  ${name} version
  ${name} version --no-remote
  ${name} version -o json`,
    )
    .action((flags: VersionFlags) => version(flags, context));
}

async function version(flags: VersionFlags, context: CommandContext): Promise<void> {
  const report = reportVersions(context.version, flags.remote ? await askCluster(flags, context) : undefined);
  if (flags.output === "json") context.terminal.line(JSON.stringify(report, undefined, 2));
  else if (flags.output === "yaml") context.terminal.line(stringify(report).trimEnd());
  else for (const line of renderVersions(report)) context.terminal.line(line);
}

/** Undefined, with the reason on standard error, when no cluster answers: the client's version is an answer of its own. */
async function askCluster(flags: ConnectFlags, context: CommandContext): Promise<MeshPods | undefined> {
  try {
    return await withCluster(flags, context, async (client) => ({
      controlPlane: await podsWith("app=istiod", client, context.signal),
      proxies: [
        ...(await podsWith("app=ztunnel", client, context.signal)),
        ...(await podsWith("gateway.networking.k8s.io/gateway-name", client, context.signal)),
      ],
    }));
  } catch (error) {
    context.signal.throwIfAborted();
    context.terminal.aside(`only the client's version: ${describeError(error)}`);
    return undefined;
  }
}

async function podsWith(labelSelector: string, client: KubernetesClient, signal: AbortSignal) {
  return (await client.list(PODS, { labelSelector, signal, timeoutMs: ASK_TIMEOUT_MS })).items;
}
