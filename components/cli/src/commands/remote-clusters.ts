/** `istioctl remote-clusters` (reference: l7-and-cli §3.4): the clusters that a control plane knows of. */

import { nameOf, type Pod, SECRETS } from "@meltemi/kubernetes";
import type { Command } from "commander";
import { isJson, type Json, textAt } from "../output/json.ts";
import { type OutputFormat, outputOption, renderStructured } from "../output/structured.ts";
import { renderTable } from "../output/table.ts";
import { findIstiods, readDebugPage } from "../reach/istiod.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

interface ClustersFlags extends MeshFlags {
  readonly revision?: string;
  readonly output: OutputFormat;
}

interface ClusterRow {
  readonly name: string;
  readonly secret: string;
  readonly status: string;
  readonly istiod: string;
  readonly revision: string;
}

export function addRemoteClustersCommand(program: Command, context: CommandContext): void {
  const command = outputOption(meshOptions(program.command("remote-clusters")))
    .description("clusters that each control plane watches, and Secrets of clusters that none does")
    .option("-r, --revision <name>", "of one control plane")
    .action((flags: ClustersFlags) => show(flags, context));
  withExamples(command, program, ["$0 remote-clusters"]);
}

async function show(flags: ClustersFlags, context: CommandContext): Promise<void> {
  const rows = await withMeshCluster(flags, context, async (cluster) => {
    const istiods = await findIstiods(cluster, flags.istioNamespace, flags.revision);
    const watched = await Promise.all(istiods.map((pod) => watchedBy(pod, cluster)));
    const known = watched.flat();
    return [...known, ...(await unwatched(known, flags.istioNamespace, cluster))];
  });
  const { terminal } = context;
  if (flags.output !== "short") terminal.line(renderStructured(rows, flags.output));
  else
    for (const line of renderTable(
      ["NAME", "SECRET", "STATUS", "ISTIOD", "REVISION"],
      rows.map(({ name, secret, status, istiod, revision }) => [name, secret, status, istiod, revision]),
    ))
      terminal.line(line);
}

async function watchedBy(istiod: Pod, cluster: MeshCluster): Promise<readonly ClusterRow[]> {
  const answer = await readDebugPage(cluster, istiod, "/debug/clusterz");
  const revision = istiod.metadata?.labels?.["istio.io/rev"] ?? "default";
  return (Array.isArray(answer) ? answer.filter(isJson) : []).map((one: Json) => ({
    name: textAt(one, "id"),
    secret: textAt(one, "secretName"),
    status: textAt(one, "syncStatus"),
    istiod: nameOf(istiod),
    revision,
  }));
}

/** Secrets that say they are of a cluster, and that no control plane told of. */
async function unwatched(
  known: readonly ClusterRow[],
  namespace: string,
  { client, signal }: MeshCluster,
): Promise<readonly ClusterRow[]> {
  const { items } = await client.list(SECRETS, {
    namespace,
    labelSelector: "istio/multiCluster=true",
    signal,
  });
  const secrets = items.map((secret) => `${namespace}/${nameOf(secret)}`);
  return secrets
    .filter((secret) => !known.some((row) => row.secret === secret))
    .map((secret) => ({ name: "?", secret, status: "not watched", istiod: "", revision: "" }));
}
