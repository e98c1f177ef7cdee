/** What runs on the cluster and knows nothing of the mesh: a service of two versions on two nodes, its clients, and connections between them. */

import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { eventually } from "@meltemi/testkit";
import { apply, KUBECONFIG, kubectl } from "./cluster/cluster.ts";
import { ECHO_PROGRAM, TOOLS_IMAGE } from "./cluster/images.ts";
import { initOf } from "./cluster/machine.ts";
import type { NodeNetwork } from "./cluster/network.ts";

export const SHOP = "shop";
const OUTSIDE = "outside";
const MODE = "istio.io/dataplane-mode";
const ENROL_DEADLINE = { deadlineMs: 60_000, everyMs: 200 } as const;

/** What the test image's echo server answers, as far as it is looked at. */
export interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  readonly version: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const container = (more: object): object => ({
  name: "main",
  image: TOOLS_IMAGE,
  imagePullPolicy: "IfNotPresent",
  ...more,
});

const account = (namespace: string, name: string): object => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name, namespace },
});

const client = (namespace: string, name: string, node: string): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { app: name } },
  spec: {
    nodeName: node,
    serviceAccountName: name,
    terminationGracePeriodSeconds: 1,
    containers: [container({ command: ["sleep", "infinity"] })],
  },
});

const service = (name: string, selector: object): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: SHOP },
  spec: {
    selector,
    ports: [
      { name: "http", port: 80, targetPort: 8080, protocol: "TCP" },
      { name: "tcp", port: 9090, targetPort: 9090, protocol: "TCP" },
    ],
  },
});

/** One pod of each version, each on a node of its own, with the kubelet's three kinds of probes. */
const server = (version: string, node: string): object => {
  const labels = { app: "web", version };
  const http = { httpGet: { path: "/", port: 8080, scheme: "HTTP" }, periodSeconds: 1 };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: `web-${version}`, namespace: SHOP },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          nodeSelector: { "kubernetes.io/hostname": node },
          serviceAccountName: "web",
          terminationGracePeriodSeconds: 2,
          containers: [
            container({
              command: ["node", ECHO_PROGRAM, "serve", "http=8080", "tcp=9090"],
              env: [{ name: "VERSION", value: version }],
              startupProbe: { ...http, failureThreshold: 60 },
              readinessProbe: http,
              livenessProbe: { tcpSocket: { port: 9090 }, periodSeconds: 2 },
            }),
          ],
        },
      },
    },
  };
};

/** Makes the workloads, and waits until all are ready. Those that are there stay as they are. */
export async function deployWorkloads(): Promise<void> {
  await apply([
    { apiVersion: "v1", kind: "Namespace", metadata: { name: SHOP } },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: OUTSIDE } },
    ...["web", "client", "stranger"].map((name) => account(SHOP, name)),
    account(OUTSIDE, "outsider"),
    server("v1", "node1"),
    server("v2", "node2"),
    service("web", { app: "web" }),
    service("web-v1", { app: "web", version: "v1" }),
    service("web-v2", { app: "web", version: "v2" }),
    client(SHOP, "client", "node1"),
    client(SHOP, "stranger", "node2"),
    client(OUTSIDE, "outsider", "node1"),
  ]);
  for (const namespace of [SHOP, OUTSIDE])
    await kubectl("wait", "--for=condition=Ready", "pod", "--all", "-n", namespace, "--timeout=120s");
}

/** One request of one pod; a connection of its own. */
export async function call(
  pod: "client" | "stranger" | "outsider",
  url: string = `http://web.${SHOP}/`,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const namespace = pod === "outsider" ? OUTSIDE : SHOP;
  const flags = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  // The loop that asks decides what a failure means.
  const script = 'curl -sS -m 5 -w "\\n%{http_code}" "$@" 2>&1 || true';
  const words = ["exec", "-n", namespace, pod, "--", "sh", "-c", script, "curl", ...flags, url];
  const said = await kubectl(...words);
  const lines = said.trimEnd().split("\n");
  const status = Number(lines.pop());
  const text = lines.join("\n");
  const { version = "", headers: seen = {} } = status === 200 ? JSON.parse(text) : {};
  return { status, version, headers: seen, text };
}

/** `{pod name: uid and restarts}`: any restart changes it. */
export async function podLives(): Promise<Readonly<Record<string, string>>> {
  const { items } = JSON.parse(await kubectl("get", "pods", "-n", SHOP, "-o", "json"));
  return Object.fromEntries(
    items.map(
      (pod: {
        metadata: { name: string; uid: string };
        status: { containerStatuses: { restartCount: number }[] };
      }) => [pod.metadata.name, `${pod.metadata.uid} ${pod.status.containerStatuses[0]?.restartCount}`],
    ),
  );
}

/** Names of the namespace's pods whose traffic is redirected, sorted. */
export async function enrolledPods(namespace: string = SHOP): Promise<readonly string[]> {
  const { items } = JSON.parse(await kubectl("get", "pods", "-n", namespace, "-o", "json"));
  return items
    .filter(
      (pod: { metadata: { annotations?: Record<string, string> } }) =>
        pod.metadata.annotations?.["ambient.istio.io/redirection"] === "enabled",
    )
    .map((pod: { metadata: { name: string } }) => pod.metadata.name)
    .sort();
}

export async function joinMesh(): Promise<void> {
  await kubectl("label", "namespace", SHOP, `${MODE}=ambient`, "--overwrite");
  await eventually(async () => (await enrolledPods()).length === 4, ENROL_DEADLINE);
}

export async function leaveMesh(): Promise<void> {
  await kubectl("label", "namespace", SHOP, `${MODE}-`);
  await eventually(async () => (await enrolledPods()).length === 0, ENROL_DEADLINE);
}

/** Closed on every node. */
const DISCARD_PORT = 9;

/** TCP packets on a node's cable while `work` runs, as text. */
export async function onTheWire(node: NodeNetwork, work: () => Promise<unknown>): Promise<string> {
  const inside = ["--target", String(initOf(node.name)), "--net", "--"];
  const capture = ["tcpdump", "-i", "eth0", "-n", "-A", "-s", "0", "-l", "--immediate-mode", "tcp"];
  const child = spawn("nsenter", [...inside, ...capture], { stdio: ["ignore", "pipe", "pipe"] });
  let seen = "";
  let said = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    seen += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  try {
    await eventually(() => said.includes("listening on"));
    await work();
    // Packets come in their order: when this one was seen, so were all before it.
    connect(DISCARD_PORT, node.address).on("error", () => undefined);
    await eventually(() => seen.includes(`${node.address}.${DISCARD_PORT}`));
    return seen;
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Asks the service again and again, each time on a new connection, and counts; and says something on one connection that it keeps. */
const LOAD = `
const http = require("node:http"), net = require("node:net");
const count = { asked: 0, failed: 0, longestGapMs: 0, kept: "open", why: {} };
let last = Date.now();
const ask = () => new Promise((done) => {
  count.asked++;
  const fail = (error) => { count.failed++; const why = error.code || error.message; count.why[why] = (count.why[why] || 0) + 1; done(); };
  const request = http.get("http://web.shop/", { agent: false, timeout: 2000 }, (response) => {
    response.resume();
    response.on("error", fail);
    response.on("end", () => { if (response.statusCode !== 200) return fail({ code: response.statusCode });
      count.longestGapMs = Math.max(count.longestGapMs, Date.now() - last); last = Date.now(); done(); });
  });
  request.on("timeout", () => request.destroy(Object.assign(new Error("timeout"), { code: "TIMEOUT" })));
  request.on("error", fail);
});
const kept = net.connect(9090, "web.shop");
kept.on("data", () => {}); kept.on("error", (error) => { count.kept = error.code; }); kept.on("close", () => { if (count.kept === "open") count.kept = "closed"; });
const talk = setInterval(() => kept.writable && kept.write("x\\n"), 100);
let going = true;
process.stdin.on("end", () => { going = false; }).resume();
(async () => {
  while (going) { await ask(); await new Promise((next) => setTimeout(next, 20)); }
  clearInterval(talk);
  process.stdout.write(JSON.stringify(count) + "\\n", () => process.exit(0));
})();
console.log("started");
`;

export interface LoadCount {
  readonly asked: number;
  readonly failed: number;
  /** Between two answers. */
  readonly longestGapMs: number;
  /** `open` as long as the connection that began before is. */
  readonly kept: string;
  readonly why: Readonly<Record<string, number>>;
}

/** From a pod, until it is asked for what it counted. */
export class Load {
  readonly #child: ChildProcess;
  #said = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
  }

  static async start(pod: "client" | "stranger" = "client"): Promise<Load> {
    const words = ["--kubeconfig", KUBECONFIG, "exec", "-i", "-n", SHOP, pod, "--", "node", "-e", LOAD];
    const load = new Load(spawn("kubectl", words, { stdio: ["pipe", "pipe", "ignore"] }));
    await eventually(() => load.#said.includes("started"), { deadlineMs: 15_000 });
    return load;
  }

  async finish(): Promise<LoadCount> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin?.end();
    await ended;
    const line = this.#said.trimEnd().split("\n").at(-1) ?? "";
    return JSON.parse(line) as LoadCount;
  }
}
