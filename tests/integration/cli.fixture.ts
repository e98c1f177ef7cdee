/** The command line against a real API server: what it prints, and with which exit code. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import {
  DAEMON_SETS,
  DEPLOYMENTS,
  type KubernetesClient,
  type KubernetesObject,
  type ResourceType,
  refOf,
} from "@meltemi/kubernetes";
import { delay, systemClock } from "@meltemi/runtime";
import { createTemporaryFolder } from "@meltemi/testkit";
import { createTerminal } from "../../components/cli/src/output/terminal.ts";
import { createProgram } from "../../components/cli/src/program.ts";
import { startCluster } from "./control-plane.fixture.ts";

export interface Said {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

export interface CommandScene extends AsyncDisposable {
  readonly client: KubernetesClient;
  /** Of files that commands read and write. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** `answer` is typed when it asks. */
  istioctl(words: string, answer?: string): Promise<Said>;
}

export async function createCommandScene(): Promise<CommandScene> {
  const folder = await createTemporaryFolder();
  const cluster = await startCluster();
  const kubeconfig = join(folder.path, "kubeconfig");
  await writeFile(kubeconfig, cluster.kubeconfig, { mode: 0o600 });
  return {
    client: cluster.client,
    folder: folder.path,
    kubeconfig,
    istioctl: (words, answer = "") => run(words, answer, { KUBECONFIG: kubeconfig, HOME: folder.path }),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Words are parted at spaces. */
async function run(words: string, answer: string, env: Record<string, string>): Promise<Said> {
  const said = { out: "", err: "", code: 0 };
  const stdout = { write: (text: string) => (said.out += text) };
  const stderr = { write: (text: string) => (said.err += text) };
  const prompt = new Writable({
    write(chunk, _encoding, done) {
      said.out += String(chunk);
      done();
    },
  });
  const context = {
    terminal: createTerminal({ stdout, stderr, colour: false }),
    stdin: Readable.from([answer]),
    stdout: prompt,
    env,
    projectRoot: "/nonexistent",
    version: "1.2.3",
    isRoot: false,
    signal: new AbortController().signal,
    exit: (code: number) => {
      said.code = code;
    },
  };
  try {
    await createProgram("istioctl", context).parseAsync(words.split(" "), { from: "user" });
  } catch (error) {
    said.code = 1;
    said.err += error instanceof Error ? error.message : String(error);
  }
  return said;
}

/** A run as a golden shows it: what it printed, what it said beside it but for progress, and its exit code. */
export function goldenOf(words: string, { out, err, code }: Said): string {
  const beside = err
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("- "))
    .map((line) => `stderr: ${line}\n`);
  return `$ istioctl ${words}\n${out}${beside.join("")}exit code ${code}\n`;
}

const LOOK_EVERY_MS = 50;

/** What the controllers of a cluster with nodes would say: every workload is ready. Ends with the signal. */
export async function keepReady(client: KubernetesClient, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const type of [DEPLOYMENTS, DAEMON_SETS] as readonly ResourceType<KubernetesObject>[])
      for (const object of (await client.list(type)).items) await setReady(client, type, object);
    await delay(systemClock, LOOK_EVERY_MS);
  }
}

async function setReady(
  client: KubernetesClient,
  type: ResourceType<KubernetesObject>,
  object: KubernetesObject,
): Promise<void> {
  const { replicas = 1 } = (object as { readonly spec?: { readonly replicas?: number } }).spec ?? {};
  const generation = object.metadata?.generation ?? 1;
  const status =
    type.kind === "DaemonSet"
      ? {
          currentNumberScheduled: 1,
          desiredNumberScheduled: 1,
          numberMisscheduled: 0,
          numberReady: 1,
          updatedNumberScheduled: 1,
        }
      : { replicas, readyReplicas: replicas, updatedReplicas: replicas, availableReplicas: replicas };
  const body = { status: { ...status, observedGeneration: generation } };
  // It may be gone by now.
  await client
    .patch(type, refOf(object), { kind: "merge", body }, { subresource: "status" })
    .catch(() => undefined);
}
