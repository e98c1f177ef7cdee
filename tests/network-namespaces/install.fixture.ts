/** A local cluster for the tests of installation, with one server and one client that know nothing of the mesh. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "@meltemi/testkit";

const run = promisify(execFile);
/** Two people who test on one machine give their clusters names and ports of their own. */
const NAME = process.env["MELTEMI_TEST_CLUSTER"] ?? "instest";
/** Out of the way of a cluster that somebody uses, and of the range that the kernel gives out by itself. */
const API_PORT = process.env["MELTEMI_TEST_API_PORT"] ?? "26543";
const PROGRAM = join(import.meta.dirname, "../../components/local-cluster/src/main.ts");
const NODES = ["node-1", "node-2"] as const;
const hasKubectl = ["/usr/bin", "/usr/local/bin"].some((folder) => existsSync(`${folder}/kubectl`));
export const skip: string | false =
  process.getuid?.() !== 0 ? "needs root" : hasKubectl ? false : "needs kubectl";

const state = join(tmpdir(), `meltemi-${NAME}`);
const env = { ...process.env, KUBECONFIG: join(state, "kubeconfig"), NO_COLOR: "1" };

export async function cluster(...words: string[]): Promise<void> {
  await run(process.execPath, [PROGRAM, ...words, "--name", NAME, "--state", state]);
}

export const clusterUp = (): Promise<void> => cluster("up", "--nodes", "2", "--api-port", API_PORT);

export async function kubectl(...words: string[]): Promise<string> {
  return (await run("kubectl", words, { env, timeout: 60_000 })).stdout;
}

export async function applyObject(object: unknown): Promise<void> {
  const applying = run("kubectl", ["apply", "-f", "-"], { env });
  applying.child.stdin?.end(JSON.stringify(object));
  await applying;
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program that the cluster puts into the user's PATH. */
export async function istioctl(...words: string[]): Promise<Outcome> {
  try {
    const done = await run(join(state, "bin/istioctl"), words, { env, timeout: 120_000 });
    return { code: 0, ...done };
  } catch (error) {
    return error as Outcome;
  }
}

/** A command that goes on until it is interrupted, as by Ctrl-C. */
export interface RunningCommand extends Disposable {
  /** All that it has printed. */
  said(): string;
  interrupt(): void;
  readonly ended: Promise<number | null>;
}

export function startIstioctl(...words: string[]): RunningCommand {
  const child = spawn(join(state, "bin/istioctl"), words, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  return {
    said: () => said,
    interrupt: () => void child.kill("SIGINT"),
    ended: new Promise((resolve) => child.once("close", resolve)),
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}

/** Answers each line of a connection to 9000 with itself, and HTTP on 8080. */
const SERVER = `require("node:net").createServer((s) => { s.pipe(s); s.on("error", () => {}); }).listen(9000, "::");
require("node:http").createServer((q, s) => s.end("hello\\n")).listen(8080, "::"); process.on("SIGTERM", () => process.exit(0))`;

const program = (name: string, node: string, container: object): unknown => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop", labels: { app: name } },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "main", image: "localhost/host", ...container }],
  },
});

export async function deployPrograms(): Promise<void> {
  const objects = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    program("server", NODES[1], {
      command: [process.execPath, "-e", SERVER],
      readinessProbe: { httpGet: { port: 8080, path: "/" }, periodSeconds: 1 },
    }),
    program("client", NODES[0], { command: ["sleep", "infinity"] }),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "server", namespace: "shop" },
      spec: {
        selector: { app: "server" },
        ports: [
          { name: "http", port: 80, targetPort: 8080 },
          { name: "tcp", port: 9000 },
        ],
      },
    },
  ];
  for (const object of objects) await applyObject(object);
  await kubectl("wait", "--for=condition=Ready", "pod", "--all", "-n", "shop", "--timeout=30s");
}

export async function fetchFromClient(): Promise<string> {
  return await kubectl("exec", "-n", "shop", "client", "--", "curl", "-sS", "-m", "5", "http://server/");
}

/** How many pods of shop say that their traffic is redirected. */
export async function enrolledPods(): Promise<number> {
  const { items } = JSON.parse(await kubectl("get", "pods", "-n", "shop", "-o", "json"));
  return items.filter((pod: { metadata: { annotations?: Record<string, string> } }) =>
    Object.hasOwn(pod.metadata.annotations ?? {}, "ambient.istio.io/redirection"),
  ).length;
}

export const untilEnrolled = (count: number): Promise<unknown> =>
  eventually(async () => (await enrolledPods()) === count, { deadlineMs: 30_000, everyMs: 100 });

/** Which processes the pods of shop are: a restart changes it. */
export async function podLives(): Promise<string> {
  return await kubectl(
    "get",
    "pods",
    "-n",
    "shop",
    "-o",
    "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{'\\n'}{end}",
  );
}

/** A connection that says something and hears it again, ten times a second, until it ends. */
export class OpenConnection implements Disposable {
  readonly #child: ChildProcess;
  #heard = 0;
  #ended = false;

  constructor() {
    const script =
      'exec 3<>/dev/tcp/server/9000; n=0; while echo $n >&3 && read -t 5 -u 3 back && [ "$back" = $n ]; do echo; n=$((n+1)); sleep 0.1; done';
    const args = ["exec", "-n", "shop", "client", "--", "bash", "-c", script];
    this.#child = spawn("kubectl", args, { env, stdio: ["ignore", "pipe", "ignore"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#heard += text.length;
    });
    this.#child.once("close", () => {
      this.#ended = true;
    });
  }

  /** Waits for answers to questions that are asked from now on; fails when the connection has ended. */
  async isAlive(): Promise<void> {
    const before = this.#heard;
    await eventually(() => this.#ended || this.#heard > before + 3, { deadlineMs: 15_000 });
    if (this.#ended) throw new Error(`the connection ended after ${this.#heard} answers`);
  }

  /** Waits for its end. */
  async hasEnded(): Promise<void> {
    await eventually(() => this.#ended, { deadlineMs: 20_000 });
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** Kind, namespace, name and version of every object that an installation makes. */
export async function meshObjects(): Promise<readonly string[]> {
  const kinds = "crd,ds,deploy,svc,cm,secret,lease,sa,role,rolebinding,clusterrole,clusterrolebinding";
  const columns = "K:.kind,S:.metadata.namespace,N:.metadata.name,V:.metadata.resourceVersion";
  const text = await kubectl("get", kinds, "-A", "--no-headers", "-o", `custom-columns=${columns}`);
  return (
    text
      .split("\n")
      .map((line) => line.split(/ +/).join(" "))
      .filter((line) => /istio|ztunnel|gateway\.networking/.test(line))
      // Made by Kubernetes for every namespace.
      .filter((line) => !/ kube-root-ca\.crt |ServiceAccount istio-system default /.test(line))
      // Renewed all the time: only that it is there counts.
      .map((line) => (line.startsWith("Lease ") ? line.replace(/\d+$/, "") : line))
  );
}

/** What the node agent leaves on the nodes: pinned programs, plugins, entries in the network's configuration, listeners in pods. */
export async function nodeTraces(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const node of NODES) {
    const pinned = `/sys/fs/bpf/meltemi-${NAME}/${node}`;
    if (existsSync(pinned)) found.push(...readdirSync(pinned).map((name) => `${pinned}/${name}`));
    const folder = join(state, "nodes", node, "fs");
    found.push(...readdirSync(join(folder, "opt/cni/bin")).map((name) => `${node}: plugin ${name}`));
    const conf = join(folder, "etc/cni/net.d");
    for (const name of readdirSync(conf)) {
      if (readFileSync(join(conf, name), "utf8").includes("istio-cni")) found.push(`${node}: ${name}`);
    }
  }
  for (const pod of ["client", "server"]) {
    const inside = await kubectl("exec", "-n", "shop", pod, "--", "sh", "-c", "ss -Hltn; nft list ruleset");
    found.push(
      ...inside
        .split("\n")
        .filter((line) => /:150(01|06|08|53)\b|table/.test(line))
        .map((line) => `${pod}: ${line}`),
    );
  }
  return found;
}
