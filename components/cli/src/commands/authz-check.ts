/** `istioctl experimental authz check` (reference: l7-and-cli §3.6): the policies that a proxy really has. */

import { nameOf, namespaceOf, type Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { policyRows, renderPolicyRows } from "../authz-check/policy-rows.ts";
import { readDumpFile } from "../reach/dump-file.ts";
import { findPods } from "../reach/find-pods.ts";
import { parseTarget } from "../reach/target.ts";
import { findZtunnel } from "../ztunnel-config/find-ztunnel.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { adminPortOption } from "./dump-flags.ts";
import { withExamples } from "./examples.ts";

interface CheckFlags extends MeshFlags {
  readonly proxyAdminPort: number;
  readonly file?: string;
}

export function addAuthzCommand(parent: Command, program: Command, context: CommandContext): void {
  const authz = withExamples(parent.command("authz").description("policies as proxies have them"), program, [
    "$0 x authz check deploy/server.shop",
  ]);
  withExamples(
    adminPortOption(meshOptions(authz.command("check")))
      .description("the policies that hold for a pod at its ztunnel, or that a waypoint enforces")
      .argument("[target]", "pod, ztunnel or waypoint: [<type>/]<name>[.<namespace>]")
      .option("-f, --file <file>", "a config dump that was saved, or - for standard input")
      .action((target: string | undefined, flags: CheckFlags) => check(target, flags, context)),
    program,
    ["$0 x authz check deploy/server.shop", "$0 x authz check deploy/waypoint.shop"],
  );
}

async function check(target: string | undefined, flags: CheckFlags, context: CommandContext): Promise<void> {
  const rows =
    flags.file === undefined
      ? await rowsOfPod(target, flags, context)
      : policyRows(await readDumpFile(flags.file, context.stdin), undefined);
  for (const line of renderPolicyRows(rows)) context.terminal.line(line);
}

async function rowsOfPod(target: string | undefined, flags: CheckFlags, context: CommandContext) {
  if (target === undefined) throw new MeshError("INPUT_INVALID", "expected the name of a pod, or --file");
  return withMeshCluster(flags, context, async (cluster) => {
    const { istioNamespace, proxyAdminPort, namespace = cluster.client.defaultNamespace } = flags;
    const [pod] = await findPods(parseTarget(target, namespace), cluster);
    if (pod !== undefined && isWaypoint(pod))
      return policyRows(await cluster.dump(pod, proxyAdminPort), undefined);
    const name = pod === undefined ? target : `${nameOf(pod)}.${namespaceOf(pod)}`;
    const found = await findZtunnel({ target: name, node: undefined, namespace, istioNamespace }, cluster);
    return policyRows(await cluster.dump(found.pod, proxyAdminPort), found.workload);
  });
}

function isWaypoint(pod: Pod): boolean {
  return pod.metadata?.labels?.["gateway.networking.k8s.io/gateway-name"] !== undefined;
}
