/** How a command finds the cluster: `--kubeconfig`, KUBECONFIG, `~/.kube/config`. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createKubernetesClient, type KubernetesClient, loadKubeconfig } from "@meltemi/kubernetes";
import { MeshError, systemClock } from "@meltemi/runtime";
import type { CommandContext } from "./context.ts";

export interface ConnectFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

export function connect(flags: ConnectFlags, context: CommandContext): KubernetesClient {
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
  return createKubernetesClient(loadKubeconfig(text, { context: flags.context, folder: dirname(path) }), {
    clock: systemClock,
  });
}
