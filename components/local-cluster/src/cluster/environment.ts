/** What a shell needs to use the cluster. Pure. */

import { join } from "node:path";
import { quote } from "../kubelet/container/launch-script.ts";
import type { ClusterFolder } from "./state.ts";

/** Lines for `eval`. The cluster's own programs come before others of their names. */
export function renderEnvironment(folder: ClusterFolder): string {
  return [
    `export KUBECONFIG=${quote(folder.kubeconfig)}`,
    `export PATH=${quote(folder.bin)}:"$PATH"`,
    "",
  ].join("\n");
}

/** A program of the project's command line, run by the Node that the project brings. */
export function renderLauncher(name: string, nodeProgram: string, projectFolder: string): string {
  const program = join(projectFolder, "components/cli/src/main.ts");
  return [
    "#!/bin/sh",
    `MELTEMI_COMMAND_NAME=${quote(name)} exec ${quote(nodeProgram)} ${quote(program)} "$@"`,
    "",
  ].join("\n");
}
