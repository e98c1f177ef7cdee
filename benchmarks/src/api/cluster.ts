/** The local cluster that the benchmark makes for itself, and takes down whatever happens. */

import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createKubernetesClient, type KubernetesClient, loadKubeconfig } from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";

const run = promisify(execFile);
const NAME = "apibench";
/** Out of the way of a cluster that somebody uses, and of the range that the kernel gives out by itself. */
const API_PORT = "26561";
const PROGRAM = fileURLToPath(new URL("../../../components/local-cluster/src/main.ts", import.meta.url));
/** On a busy machine an installation may take a minute; longer is a fault. */
const COMMAND_TIMEOUT_MS = 180_000;

export const NODES = ["node-1", "node-2"] as const;

export interface BenchCluster extends AsyncDisposable {
  readonly client: KubernetesClient;
  /** The command that the cluster puts into the user's PATH. Throws with what it said when it fails. */
  istioctl(...words: readonly string[]): Promise<string>;
}

/** 128 and the number of SIGINT or SIGTERM, as a shell has it. */
const ENDED_BY = { SIGINT: 130, SIGTERM: 143 } as const;

/** Two nodes and no mesh; what a killed run left is removed first. Throws when there is no root or no kernel for it. */
export async function clusterUp(): Promise<BenchCluster> {
  const state = join(tmpdir(), `meltemi-${NAME}`);
  const argumentsOf = (...words: readonly string[]): string[] => [
    ...[PROGRAM, ...words],
    ...["--name", NAME, "--state", state],
  ];
  const command = (...words: readonly string[]): Promise<unknown> =>
    run(process.execPath, argumentsOf(...words), { timeout: COMMAND_TIMEOUT_MS });
  const interrupted = (signal: keyof typeof ENDED_BY): void => {
    spawnSync(process.execPath, argumentsOf("down"), { timeout: COMMAND_TIMEOUT_MS });
    process.exit(ENDED_BY[signal]);
  };
  await command("down");
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  const down = async (): Promise<void> => {
    await command("down");
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupted);
  };
  try {
    await command("up", "--nodes", String(NODES.length), "--api-port", API_PORT);
    const kubeconfig = join(state, "kubeconfig");
    const client = createKubernetesClient(loadKubeconfig(readFileSync(kubeconfig, "utf8")), {
      clock: systemClock,
    });
    const options = {
      env: { ...process.env, KUBECONFIG: kubeconfig, NO_COLOR: "1" },
      timeout: COMMAND_TIMEOUT_MS,
    };
    return {
      client,
      istioctl: async (...words) => (await run(join(state, "bin/istioctl"), words, options)).stdout,
      async [Symbol.asyncDispose]() {
        client.close();
        await down();
      },
    };
  } catch (error) {
    await down();
    throw error;
  }
}
