/** How a command finds the cluster: `--kubeconfig`, KUBECONFIG, `~/.kube/config`. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type ClusterAccess,
  createKubernetesClient,
  type Impersonation,
  type KubernetesClient,
  loadKubeconfig,
  withServedVersions,
} from "@meltemi/kubernetes";
import { MeshError, systemClock } from "@meltemi/runtime";
import type { Command } from "commander";
import { createMeshCluster, type MeshCluster } from "../reach/mesh-cluster.ts";
import type { CommandContext } from "./context.ts";
import { explainClusterError } from "./explain-cluster-error.ts";
import { globalOptions } from "./global-flags.ts";

export interface ConnectFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly as?: string;
  readonly asGroup: readonly string[];
  readonly asUid?: string;
  readonly kubeclientTimeout: number;
}

export function connectOptions(command: Command): Command {
  return globalOptions(command, ["kubeconfig", "context", "as", "as-group", "as-uid", "kubeclient-timeout"]);
}

export interface MeshFlags extends ConnectFlags {
  readonly namespace?: string;
  readonly istioNamespace: string;
}

/** Of commands that look at the mesh: the cluster, the user's namespace, and that of the control plane. */
export function meshOptions(command: Command): Command {
  return globalOptions(connectOptions(command), ["namespace", "istioNamespace"]);
}

/** As {@link withCluster}, with the admin ports of proxies. */
export function withMeshCluster<T>(
  flags: ConnectFlags,
  context: CommandContext,
  action: (cluster: MeshCluster) => Promise<T>,
): Promise<T> {
  return withCluster(flags, context, (client, access) =>
    action(createMeshCluster(access, { client, clock: systemClock, signal: context.signal })),
  );
}

/** Runs `action` with a client of the cluster, and says clearly when that cannot be reached or refuses. */
export async function withCluster<T>(
  flags: ConnectFlags,
  context: CommandContext,
  action: (client: KubernetesClient, access: ClusterAccess) => Promise<T>,
): Promise<T> {
  const access = readAccess(flags, context);
  const client = withServedVersions(createKubernetesClient(access, { clock: systemClock }));
  try {
    return await action(client, access);
  } catch (error) {
    throw explainClusterError(error, access.server.origin, access.impersonate?.user);
  } finally {
    client.close();
  }
}

function readAccess(flags: ConnectFlags, context: CommandContext): ClusterAccess {
  // kubectl merges a list of files; the first one that is named decides here.
  const named = flags.kubeconfig ?? context.env["KUBECONFIG"]?.split(":").find((path) => path !== "");
  const path = named ?? join(context.env["HOME"] ?? "/root", ".kube", "config");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new MeshError(
      "CONFIG_INVALID",
      `read kubeconfig ${path}: there is no such file. Set KUBECONFIG or --kubeconfig, or make a cluster on this machine: ` +
        'meltemi cluster up && eval "$(meltemi cluster env)"',
      { cause },
    );
  }
  const access = loadKubeconfig(text, { context: flags.context, folder: dirname(path) });
  return { ...access, ...impersonation(flags), requestTimeoutMs: flags.kubeclientTimeout };
}

/** Throws INPUT_INVALID for a group or uid of nobody, as kubectl does. */
function impersonation({ as, asGroup, asUid = "" }: ConnectFlags): { readonly impersonate?: Impersonation } {
  if (as !== undefined && as !== "") return { impersonate: { user: as, groups: asGroup, uid: asUid } };
  if (asGroup.length === 0 && asUid === "") return {};
  throw new MeshError("INPUT_INVALID", "--as-group and --as-uid: expected --as <user> with them");
}
