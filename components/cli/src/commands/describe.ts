/** `istioctl experimental describe` (alias `des`; reference: l7-and-cli §3.6), which knows ambient mode here. */

import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { describePod } from "../describe/describe-pod.ts";
import { describeService } from "../describe/describe-service.ts";
import { loadCluster } from "../mesh-objects/load-cluster.ts";
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
    ["$0 x describe service server.shop", "$0 x des svc server -n shop"],
  );
}

async function showPod(name: string, flags: DescribeFlags, context: CommandContext): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const target = parseTarget(name, flags.namespace ?? cluster.client.defaultNamespace);
    const [found] = await findPods(target, cluster);
    const { objects } = await loadCluster(cluster);
    const pod = objects.get("Pod", target.namespace, found?.metadata?.name ?? "");
    if (pod === undefined)
      throw new MeshError("NOT_FOUND", `pod ${name}: it is gone, or pods may not be listed`);
    const lines = describePod(pod, { objects, rootNamespace: flags.istioNamespace });
    if (flags.ignoreUnmeshed && lines.some((line) => line.startsWith("   Data plane: not in the mesh")))
      return;
    for (const line of lines) context.terminal.line(printable(line));
  });
}

async function showService(name: string, flags: MeshFlags, context: CommandContext): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const target = parseTarget(name, flags.namespace ?? cluster.client.defaultNamespace, "service");
    const { objects } = await loadCluster(cluster);
    const service = objects.get("Service", target.namespace, target.name);
    if (service === undefined)
      throw new MeshError("NOT_FOUND", `service ${target.namespace}/${target.name} not found`);
    const described = describeService(service, { objects, rootNamespace: flags.istioNamespace });
    for (const line of described) context.terminal.line(printable(line));
  });
}
