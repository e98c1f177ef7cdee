/**
 * A local cluster with the mesh on it, for the tests of waypoints. With MELTEMI_KEEP_CLUSTER=1 it stays up, and the next run
 * uses it again: for whoever writes such tests.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const NAME = "l7test";
/** Out of the way of a cluster that somebody uses, and of the range that the kernel gives out by itself. */
const API_PORT = "26553";
const ROOT = join(import.meta.dirname, "../..");
const PROGRAM = join(ROOT, "components/local-cluster/src/main.ts");
/** Lists of many objects. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const keep = process.env["MELTEMI_KEEP_CLUSTER"] === "1";
const hasKubectl = ["/usr/bin", "/usr/local/bin"].some((folder) => existsSync(`${folder}/kubectl`));

export const skip: string | false =
  process.getuid?.() !== 0 ? "needs root" : hasKubectl ? false : "needs kubectl";
export const ECHO: readonly string[] = [process.execPath, join(ROOT, "examples/echo/main.ts")];

const state = join(tmpdir(), `meltemi-${NAME}`);
export const environment: NodeJS.ProcessEnv = {
  ...process.env,
  KUBECONFIG: join(state, "kubeconfig"),
  NO_COLOR: "1",
};
const options = { env: environment, maxBuffer: MAX_OUTPUT_BYTES } as const;

/** A proxy that ends waits this long for connections it holds: here, not long. */
const INSTALL = [
  ...["install", "-y", "--set", "profile=ambient"],
  ...["--set", "values.ztunnel.terminationGracePeriodSeconds=3"],
  // DestinationRules of these tests name Secrets, in namespaces that come and go.
  ...["--set", "values.pilot.credentialNamespaces={*}"],
];

async function cluster(...words: string[]): Promise<string> {
  const all = [PROGRAM, ...words, "--name", NAME, "--state", state];
  return (await run(process.execPath, all, options)).stdout;
}

/** A cluster of two nodes with the mesh installed, after these objects; what a crashed run left is removed first. */
export async function meshUp(...beforeInstall: readonly object[]): Promise<void> {
  // What must be there before cannot be put into a cluster that is up.
  if (keep && beforeInstall.length === 0 && (await isUp())) return;
  await cluster("down");
  await cluster("up", "--nodes", "2", "--api-port", API_PORT);
  await apply(...beforeInstall);
  await istioctl(...INSTALL);
}

/** Adds lines to the mesh's configuration, which the control plane follows. */
export async function configureMesh(lines: string): Promise<void> {
  const words = ["configmap", "istio", "-n", "istio-system"];
  const mesh = await kubectl("get", ...words, "-o", "jsonpath={.data.mesh}");
  if (mesh.includes(lines)) return;
  await kubectl("patch", ...words, "--type=merge", "-p", JSON.stringify({ data: { mesh: mesh + lines } }));
}

async function isUp(): Promise<boolean> {
  const status = await cluster("status", "-o", "json").catch(() => "{}");
  return (JSON.parse(status) as { readonly state?: string }).state === "up";
}

export async function meshDown(): Promise<void> {
  if (!keep) await cluster("down");
}

export async function kubectl(...words: readonly string[]): Promise<string> {
  return (await run("kubectl", words, { ...options, timeout: 60_000 })).stdout;
}

/** Throws with what it said when it fails. */
export async function istioctl(...words: readonly string[]): Promise<string> {
  return (await run(join(state, "bin/istioctl"), words, { ...options, timeout: 120_000 })).stdout;
}

async function feed(words: readonly string[], objects: readonly object[]): Promise<void> {
  const child = run("kubectl", words, { ...options, timeout: 60_000 });
  child.child.stdin?.end(objects.map((object) => JSON.stringify(object)).join("\n"));
  await child.catch((error: { readonly stderr?: string }) => assert.fail(error.stderr ?? String(error)));
}

export const apply = (...objects: readonly object[]): Promise<void> =>
  objects.length === 0 ? Promise.resolve() : feed(["apply", "-f", "-"], objects);

export const remove = (...objects: readonly object[]): Promise<void> =>
  feed(["delete", "--ignore-not-found", "--wait=false", "-f", "-"], objects);
