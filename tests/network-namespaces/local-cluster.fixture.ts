/** Drives a local cluster of one name through its own program and the real kubectl. */

import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "@meltemi/testkit";

const run = promisify(execFile);
export const NAME: string = "lctest";
export const PROGRAM: string = join(import.meta.dirname, "../../components/local-cluster/src/main.ts");
const hasKubectl = ["/usr/bin", "/usr/local/bin"].some((folder) => existsSync(`${folder}/kubectl`));
export const skip: string | false =
  process.getuid?.() !== 0
    ? "needs root"
    : hasKubectl
      ? false
      : "needs kubectl: apt-get install kubernetes-client, or the release from kubernetes.io";

/** Always the same folder: what a crashed run left behind is found and removed. */
export const state: string = join(tmpdir(), `meltemi-${NAME}`);

export async function cluster(...words: string[]): Promise<string> {
  const options = ["--name", NAME, "--state", state];
  const { stdout, stderr } = await run(process.execPath, [PROGRAM, ...words, ...options]);
  return stdout + stderr;
}

/** What the program says when it refuses these words. */
export async function refusal(...words: string[]): Promise<string> {
  return run(process.execPath, [PROGRAM, ...words]).then(
    () => "accepted",
    (error: { readonly stderr: string }) => error.stderr,
  );
}

let chosenPort: Promise<number> | undefined;

/** The API server's port on 127.0.0.1: any that is free. */
export function apiPort(): Promise<number> {
  chosenPort ??= freePort();
  return chosenPort;
}

export async function up(): Promise<string> {
  const port = String(await apiPort());
  return cluster("up", "--nodes", "2", "--api-port", port, "--restart-base-ms", "300");
}

export async function kubectl(...words: string[]): Promise<string> {
  const env = { ...process.env, KUBECONFIG: join(state, "kubeconfig") };
  return (await run("kubectl", words, { env, timeout: 60_000 })).stdout;
}

export async function apply(...objects: unknown[]): Promise<void> {
  const env = { ...process.env, KUBECONFIG: join(state, "kubeconfig") };
  const child = spawn("kubectl", ["apply", "-f", "-"], { env, stdio: ["pipe", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint += chunk;
  });
  child.stdin.end(objects.map((object) => JSON.stringify(object)).join("\n"));
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 0, complaint);
}

export interface PodOptions {
  readonly node?: string;
  readonly script?: string;
  readonly container?: Record<string, unknown>;
  readonly spec?: Record<string, unknown>;
}

export function pod(name: string, { node, script, container, spec }: PodOptions): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [
        {
          name: "main",
          image: "localhost/host",
          command: ["sh", "-c", script ?? "exec sleep 3600"],
          ...container,
        },
      ],
      ...spec,
    },
  };
}

/** An HTTP server that says who it is and who asks. */
const SERVER = `require("node:http").createServer((q, s) => s.end(process.env.HOSTNAME + " " + q.socket.remoteAddress + "\\n"))
  .listen(8080, "::"); process.on("SIGTERM", () => process.exit(0))`;
export const serverContainer: Readonly<Record<string, unknown>> = {
  command: [process.execPath, "-e", SERVER],
  ports: [{ name: "http", containerPort: 8080 }],
  readinessProbe: { httpGet: { port: "http", path: "/" }, periodSeconds: 1 },
};

export async function podStatus(name: string): Promise<PodStatus> {
  return JSON.parse(await kubectl("get", "pod", name, "-o", "json")).status;
}

export interface PodStatus {
  readonly phase?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly hostIP?: string;
  readonly containerStatuses?: readonly {
    readonly restartCount: number;
    readonly ready: boolean;
    readonly state: { readonly waiting?: { readonly reason: string } };
  }[];
}

/** kubectl takes 50 ms a call: no use in asking more often. */
const PATIENCE = { deadlineMs: 30_000, everyMs: 100 };

/** Waits until no assertion of `check` fails. */
export const holds = (check: () => Promise<void>): Promise<unknown> =>
  eventually(() => check().then(() => true), PATIENCE);

export const phaseIs = (name: string, phase: string): Promise<unknown> =>
  holds(async () => assert.equal((await podStatus(name)).phase, phase));

export function daemonPid(folder: string = state): number {
  return JSON.parse(readFileSync(join(folder, "daemon.json"), "utf8")).pid;
}

/** What of the cluster is on the machine. */
export function traces(): string[] {
  const cgroups = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(" - cgroup2 "))
    .flatMap((line) => readdirSync(line.split(" ")[4] ?? "/"));
  return [
    ...execFileSync("ip", ["netns", "list"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.startsWith(`mlt-${NAME}-`)),
    ...cgroups.filter((name) => name === `meltemi-${NAME}`),
    ...readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(state)),
    ...(existsSync(`/sys/fs/bpf/meltemi-${NAME}`) ? ["bpf folder"] : []),
    ...execFileSync("ip", ["-br", "link"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => /^(p[0-9a-f]{10}|port\d|fabric0)/.test(line)),
    ...processesWith(state),
  ];
}

function processesWith(text: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}

export function service(name: string, selector: Record<string, string>): unknown {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

export const uidOf = (object: { readonly metadata: { readonly uid: string } }): string => object.metadata.uid;

/** The machine's numbers of the processes in a pod's containers. */
export async function containerProcesses(name: string): Promise<string[]> {
  const [uid, node] = (
    await kubectl("get", "pod", name, "-o", "jsonpath={.metadata.uid} {.spec.nodeName}")
  ).split(" ");
  const mount = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((line) => line.includes(" - cgroup2 "));
  const folder = `${mount?.split(" ")[4]}/meltemi-${NAME}/${node}/pod${uid}/main`;
  // The first process alone: a shell's short-lived children come and go.
  return readFileSync(`${folder}/cgroup.procs`, "utf8").trim().split("\n").slice(0, 2);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
