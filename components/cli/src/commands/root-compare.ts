/** `istioctl proxy-config rootca-compare` (reference: l7-and-cli §3.4). */

import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import type { Json } from "../output/json.ts";
import { compareRoots } from "../proxy-config/compare-roots.ts";
import { findPods } from "../reach/find-pods.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { adminPortOption } from "./dump-flags.ts";
import { withExamples } from "./examples.ts";

interface CompareFlags extends MeshFlags {
  readonly proxyAdminPort: number;
}

export function addRootCompareCommand(parent: Command, program: Command, context: CommandContext): void {
  const command = adminPortOption(meshOptions(parent.command("rootca-compare").alias("rc")))
    .description("whether two proxies trust the same authorities")
    .argument("<first>", "[<type>/]<name>[.<namespace>] of a waypoint or ztunnel")
    .argument("<second>", "the other one")
    .action((first: string, second: string, flags: CompareFlags) => compare(first, second, flags, context));
  withExamples(command, program, [
    "$0 proxy-config rootca-compare deploy/waypoint.shop ds/ztunnel.istio-system",
  ]);
}

async function compare(
  first: string,
  second: string,
  flags: CompareFlags,
  context: CommandContext,
): Promise<void> {
  const dumps = await withMeshCluster(flags, context, async (cluster) => {
    const namespace = flags.namespace ?? cluster.client.defaultNamespace;
    const read: Json[] = [];
    for (const text of [first, second]) {
      const [pod] = await findPods(parseTarget(text, namespace), cluster);
      if (pod !== undefined) read.push(await cluster.dump(pod, flags.proxyAdminPort));
    }
    return read;
  });
  const result = compareRoots(dumps[0] ?? {}, dumps[1] ?? {});
  if (result.kind === "unknown")
    throw new MeshError("NOT_FOUND", `${result.which === "first" ? first : second} has no authorities yet`);
  const same = result.kind === "same";
  context.terminal.line(
    `Both [${first}] and [${second}] have the ${same ? "identical" : "non identical"} ROOTCA, ` +
      `theoretically the connectivity between them is ${same ? "available" : "unavailable"}`,
  );
  if (!same) context.exit(1);
}
