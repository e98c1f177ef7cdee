/** `istioctl experimental describe` (alias `des`; reference: l7-and-cli §3.6), which knows ambient mode here. */

import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { describePod } from "../describe/describe-pod.ts";
import { describeService } from "../describe/describe-service.ts";
import { describeGaps } from "../mesh-objects/describe-gaps.ts";
import { type LoadedCluster, loadCluster } from "../mesh-objects/load-cluster.ts";
import { printable } from "../output/printable.ts";
import { findPods } from "../reach/find-pods.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

interface DescribeFlags extends MeshFlags {
  readonly ignoreUnmeshed: boolean;
}

export function addDescribeCommand(parent: Command, program: Command, context: CommandContext): void {
  const describe = withExamples(
    parent
      .command("describe")
      .alias("des")
      // What people type; a suggestion of the shorter name would help nobody.
      .alias("desc")
      .description(
        "what the mesh does with a pod or a service: mode, waypoint, routes, policies and who enforces them",
      ),
    program,
    ["$0 x describe pod client-6f7d-lgbxw.shop", "$0 x describe service server.shop"],
  );
  withExamples(
    meshOptions(describe.command("pod").alias("po"))
      .description("a pod, and the services that select it")
      .argument("<pod>", "[<type>/]<name>[.<namespace>]")
      .option("--ignoreUnmeshed", "no word about pods that are not in the mesh", false)
      .action((name: string, flags: DescribeFlags) => showPod(name, flags, context)),
    program,
    ["$0 x describe pod deploy/client.shop"],
  );
  withExamples(
    meshOptions(describe.command("service").alias("svc"))
      .description("a service, its routes and its policies")
      .argument("<service>", "<name>[.<namespace>]")
      .action((name: string, flags: MeshFlags) => showService(name, flags, context)),
    program,
    ["$0 x describe service server.shop", "$0 x describe svc server -n shop"],
  );
}

async function showPod(name: string, flags: DescribeFlags, context: CommandContext): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const target = parseTarget(name, flags.namespace ?? cluster.client.defaultNamespace);
    const [found] = await findPods(target, cluster);
    const loaded = await loadCluster(cluster, [target.namespace, flags.istioNamespace]);
    const { objects } = loaded;
    const pod = objects.get("Pod", target.namespace, found?.metadata?.name ?? "");
    if (pod === undefined) throw absence(`pod ${target.namespace}/${name}`, "Pod", loaded);
    const lines = describePod(pod, { objects, rootNamespace: flags.istioNamespace });
    if (flags.ignoreUnmeshed && lines.some((line) => line.startsWith("   Data plane: not in the mesh")))
      return;
    show(lines, target.namespace, loaded, context);
  });
}

async function showService(name: string, flags: MeshFlags, context: CommandContext): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const target = parseTarget(name, flags.namespace ?? cluster.client.defaultNamespace, "service");
    const loaded = await loadCluster(cluster, [target.namespace, flags.istioNamespace]);
    const { objects } = loaded;
    const service = objects.get("Service", target.namespace, target.name);
    if (service === undefined) throw absence(`service ${target.namespace}/${target.name}`, "Service", loaded);
    const lines = describeService(service, { objects, rootNamespace: flags.istioNamespace });
    show(lines, target.namespace, loaded, context);
  });
}

/** A refusal is never told as absence. */
function absence(what: string, kind: string, { forbidden }: LoadedCluster): MeshError {
  return forbidden.includes(kind)
    ? new MeshError(
        "FORBIDDEN",
        `${what}: you may not list ${kind} in its namespace, so nothing is known of it`,
      )
    : new MeshError("NOT_FOUND", `${what} not found`);
}

function show(
  lines: readonly string[],
  namespace: string,
  loaded: LoadedCluster,
  { terminal }: CommandContext,
): void {
  for (const line of lines) terminal.line(printable(line));
  for (const line of describeGaps(loaded, namespace)) terminal.aside(line);
}
