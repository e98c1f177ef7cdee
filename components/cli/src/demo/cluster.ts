/** The cluster that the demo makes for itself: up, and down without a trace. */

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { MeshError } from "@meltemi/runtime";
import { type CommandResult, runCommand } from "./command.ts";

export interface DemoClusterOptions {
  readonly projectRoot: string;
  readonly name: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface ClusterStatus {
  readonly name: string;
  readonly state: "absent" | "down" | "up" | "unhealthy";
  readonly folder: string;
  readonly kubeconfig: string;
}

/** Taking down a cluster whose processes hang takes longest. */
const CLUSTER_DEADLINE_MS = 120_000;
const USUAL_API_PORT = 6443;

export class DemoCluster {
  readonly #options: DemoClusterOptions;

  constructor(options: DemoClusterOptions) {
    this.#options = options;
  }

  /** Throws with the cluster's own words when it cannot be made. */
  async up(nodes: number, signal: AbortSignal): Promise<void> {
    const port = await choosePort(USUAL_API_PORT);
    const result = await this.#run(["up", "--nodes", String(nodes), "--api-port", String(port)], signal);
    if (result.code !== 0) throw failed(result);
  }

  async status(): Promise<ClusterStatus> {
    const { stdout, stderr, code } = await this.#run(["status", "-o", "json"]);
    try {
      return JSON.parse(stdout) as ClusterStatus;
    } catch (cause) {
      throw new MeshError("UNAVAILABLE", `ask for the cluster's status: exit ${code}: ${stderr.trim()}`, {
        cause,
      });
    }
  }

  /** Throws when something could not be removed. Nothing interrupts it: half a cluster helps nobody. */
  async down(): Promise<void> {
    const result = await this.#run(["down"]);
    if (result.code !== 0) throw failed(result);
  }

  #run(words: readonly string[], signal?: AbortSignal): Promise<CommandResult> {
    const { projectRoot, name, env } = this.#options;
    const program = `${projectRoot}/components/local-cluster/src/main.ts`;
    const options = { env, timeoutMs: CLUSTER_DEADLINE_MS, ...(signal === undefined ? {} : { signal }) };
    return runCommand([process.execPath, program, ...words, "--name", name], options);
  }

  /** What still carries the cluster's name on this machine, its processes included. */
  async leftBehind(): Promise<readonly string[]> {
    const { name } = this.#options;
    const looks: readonly { readonly argv: readonly string[]; readonly sign: string }[] = [
      { argv: ["ip", "netns", "list"], sign: `mlt-${name}-` },
      { argv: ["cat", "/proc/self/mountinfo"], sign: `/meltemi/${name}/` },
      { argv: ["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", `meltemi-${name}`], sign: name },
      { argv: ["find", "/sys/fs/bpf", "-maxdepth", "1", "-name", `meltemi-${name}`], sign: name },
      { argv: ["find", "/var/lib/meltemi", "-maxdepth", "1", "-name", name], sign: name },
    ];
    const found: string[] = [];
    for (const look of looks) {
      const { stdout } = await runCommand(look.argv);
      found.push(...stdout.split("\n").filter((line) => line.includes(look.sign)));
    }
    return [...found, ...processesOf(name)];
  }
}

/**
 * Living processes in a control group of the cluster, or that were started for a file in its folder. One that has
 * ended and is not yet collected by its parent (a zombie, whose command line is empty) holds nothing any more.
 */
function processesOf(name: string): readonly string[] {
  const cgroup = new RegExp(`/meltemi-${name}(/|$)`, "m");
  const folder = new RegExp(`/meltemi/${name}(/|\0|$)`);
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && pid !== String(process.pid))
    .filter((pid) => readProc(pid, "cmdline") !== "")
    .filter((pid) => cgroup.test(readProc(pid, "cgroup")) || folder.test(readProc(pid, "cmdline")))
    .map((pid) => `process ${pid}`);
}

/** Empty when the process is gone by now. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function failed(result: CommandResult): MeshError {
  return new MeshError("UNAVAILABLE", result.stderr.trim().replace(/^Error: /, ""));
}

/** The usual port when nobody listens there, else any that is free. */
async function choosePort(usual: number): Promise<number> {
  return (await portIfFree(usual)) ?? (await portIfFree(0)) ?? usual;
}

/** 0 asks the kernel for one. */
function portIfFree(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
    });
  });
}
