/** Runs the chained CNI plugins of a node, each on the node's own file system. */

import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describeError, type Logger } from "@meltemi/runtime";
import { tryProgram } from "../../network/run-program.ts";
import { quote } from "../container/launch-script.ts";
import { NODE_FOLDERS } from "../volumes/host-path.ts";
import { BUILT_IN_TYPE, chooseListFile, type NetworkList, parseNetworkList } from "./conflist.ts";
import {
  type Attachment,
  builtInResult,
  type Command,
  type Invocation,
  invocationOf,
  PLUGIN_FOLDER,
  readResult,
} from "./invoke.ts";

export interface PluginChainOptions {
  /** Folder that stands for the node's own file system. */
  readonly fileSystem: string;
  /** For mount points; may be removed at any time that no plugin runs. */
  readonly scratch: string;
  readonly nodeNamespacePath: string;
}

export interface PluginChain {
  /** After the built-in network is up. Throws CONFIG_INVALID or UNAVAILABLE: the sandbox must not be used then. */
  add(attachment: Attachment): Promise<void>;
  /** Before the built-in network is taken down. A plugin that fails is logged: the pod must go anyway. */
  remove(attachment: Attachment): Promise<void>;
}

/** Container runtimes wait far longer, but a pod that waits this long is better tried again. */
const PLUGIN_TIMEOUT_MS = 30_000;

export function createPluginChain(options: PluginChainOptions, deps: { readonly log: Logger }): PluginChain {
  const confFolder = join(options.fileSystem, "etc/cni/net.d");

  async function load(): Promise<NetworkList | undefined> {
    const file = chooseListFile(await readdir(confFolder).catch(() => []));
    return file === undefined
      ? undefined
      : parseNetworkList(file, await readFile(join(confFolder, file), "utf8"));
  }

  async function invoke(invocation: Invocation): Promise<Awaited<ReturnType<typeof tryProgram>>> {
    await mkdir(options.scratch, { recursive: true });
    // Calls for several pods run at the same time: each has its own root.
    const scratch = await mkdtemp(join(options.scratch, "call-"));
    try {
      await makeRoot(scratch);
      const script = renderPluginScript(options, scratch, invocation.plugin);
      return await tryProgram("unshare", ["--mount", "--propagation", "slave", "/bin/sh", "-c", script], {
        env: invocation.environment,
        input: invocation.input,
        timeoutMs: PLUGIN_TIMEOUT_MS,
      });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async function runChain(command: Command, list: NetworkList, attachment: Attachment): Promise<void> {
    const chained = list.plugins.filter((plugin) => plugin.type !== BUILT_IN_TYPE);
    let previous = builtInResult(list, attachment);
    for (const plugin of command === "ADD" ? chained : chained.reverse()) {
      const outcome = await invoke(invocationOf(command, list, plugin, attachment, previous));
      const result = readResult(plugin.type, outcome, previous);
      if (command === "ADD") previous = result;
    }
  }

  return {
    async add(attachment) {
      const list = await load();
      if (list !== undefined) await runChain("ADD", list, attachment);
    },
    async remove(attachment) {
      try {
        const list = await load();
        if (list !== undefined) await runChain("DEL", list, attachment);
      } catch (error) {
        deps.log.warn("cni plugin failed at removal", {
          pod: attachment.podName,
          error: describeError(error),
        });
      }
    },
  };
}

/** An overlay's folders; the upper one has the mount points that the machine may lack. */
async function makeRoot(scratch: string): Promise<void> {
  for (const path of NODE_FOLDERS)
    await mkdir(join(scratch, "upper", path), { recursive: true, mode: 0o755 });
  await mkdir(join(scratch, "work"));
  await mkdir(join(scratch, "root"));
}

/**
 * The machine's file system with the node's own folders in their places, what is written elsewhere thrown away: a plugin must find
 * /etc/cni/net.d and its agent's socket in /var/run as on any node.
 */
function renderPluginScript(options: PluginChainOptions, scratch: string, plugin: string): string {
  const { fileSystem } = options;
  const binds = NODE_FOLDERS.filter((path) => path !== "/var").map(
    (path) => `mount --rbind ${quote(join(fileSystem, path))} .${path}`,
  );
  const layers = `lowerdir=/,upperdir=${scratch}/upper,workdir=${scratch}/work`;
  return [
    "set -e",
    "exec 3>&1 1>&2",
    `mount -t overlay overlay -o ${quote(layers)} ${quote(`${scratch}/root`)}`,
    `cd ${quote(`${scratch}/root`)}`,
    ...["proc", "sys", "dev"].map((name) => `mount --rbind /${name} ${name}`),
    ...binds,
    "mount --rbind /run/netns run/netns",
    "mount --move . /",
    `exec nsenter --net=${quote(options.nodeNamespacePath)} --root=. --wd=. -- ${quote(`${PLUGIN_FOLDER}/${plugin}`)} 1>&3 3>&-`,
  ].join("\n");
}
