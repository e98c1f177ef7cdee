/**
 * Two ztunnels as users run them, one per node: `main.ts proxy ztunnel` with its usual environment, pods from a node agent's ZDS
 * socket, certificates from a CA over gRPC, and captured pods. Only the mesh itself comes from a file instead of a control plane.
 */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type CaptureBackend,
  createEbpfCapture,
  createNftablesCapture,
  removeEbpfCapture,
} from "@meltemi/ebpf";
import { connectTcp, type NetworkNamespace, openNetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter, type Logger, systemClock } from "@meltemi/runtime";
import type { LabNode, LabPlace } from "@meltemi/testkit";
import { createZdsServer, type ZdsPod, type ZdsServer } from "@meltemi/zds";
import { CLIENT, SERVER } from "./credentials.ts";
import { APPLICATION_PORTS, AUTHORITY_NAME } from "./messages.ts";
import { startProgram, stopProgram } from "./place-process.ts";
import type { Scene } from "./scene.ts";

export type CaptureKind = CaptureBackend["kind"];

export interface Ztunnels extends AsyncDisposable {
  /** Of the client's node and of the server's. */
  readonly pids: readonly [number, number];
  /** Address of the service that the load asks for. */
  readonly vip: string;
  /** From exec to `/healthz/ready`, of each. */
  readonly readyMs: readonly [number, number];
  /** Connections that the server's ztunnel has taken from a verified peer so far. */
  tunnelled(): Promise<number>;
}

const VIP = "10.96.0.10";
const SERVICE = "bench/web.bench.svc.cluster.local";
const MAIN = fileURLToPath(new URL("../../../components/ztunnel/src/main.mjs", import.meta.url));
const READY_PORT = 15021;
const STATS_PORT = 15020;
const READY_DEADLINE_MS = 15_000;
const POLL_MS = 2;
const PIN_ROOT = "/sys/fs/bpf/meltemi-bench";

interface NodeParts {
  readonly node: LabNode;
  readonly pod: LabPlace;
  readonly name: string;
  readonly account: "client" | "server";
}

export async function startZtunnels(scene: Scene, capture: CaptureKind): Promise<Ztunnels> {
  const [nodeA, nodeB] = scene.nodes;
  const { client, server } = scene.meshed;
  const meshPath = `${scene.folder}/mesh.yaml`;
  writeFileSync(meshPath, meshYaml(client, server));
  await using stack = new AsyncDisposableStack();
  const near = await startNode(
    scene,
    { node: nodeA, pod: client, name: "node-a", account: "client" },
    capture,
    meshPath,
    stack,
  );
  const far = await startNode(
    scene,
    { node: nodeB, pod: server, name: "node-b", account: "server" },
    capture,
    meshPath,
    stack,
  );
  const owned = stack.move();
  return {
    vip: VIP,
    pids: [near.child.pid ?? 0, far.child.pid ?? 0],
    readyMs: [near.readyMs, far.readyMs],
    tunnelled: () => countTunnelled(far.netns),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startNode(
  scene: Scene,
  parts: NodeParts,
  capture: CaptureKind,
  meshPath: string,
  stack: AsyncDisposableStack,
): Promise<{ readonly child: ChildProcess; readonly netns: NetworkNamespace; readonly readyMs: number }> {
  const { node, pod, name, account } = parts;
  const [netns, podNetns] = [openNetworkNamespace(node.path), openNetworkNamespace(pod.path)];
  stack.defer(() => netns.close());
  stack.defer(() => podNetns.close());
  const log = quietLogger();
  const socketPath = `${scene.folder}/${name}.sock`;
  const uid = `00000000-0000-4000-8000-${account === "client" ? "00000000000a" : "00000000000b"}`;
  stack.use(
    disposableAgent(startAgent(socketPath, { uid, workload: podName(account), netnsFd: podNetns.fd }, log)),
  );
  const startMs = performance.now();
  const child = startProgram(node, [process.execPath, MAIN, "proxy", "ztunnel"], {
    env: environment(scene, name, socketPath, meshPath),
    logPath: `${scene.folder}/${name}.log`,
  });
  stack.defer(() => stopProgram(child));
  await untilReady(child, netns);
  const readyMs = performance.now() - startMs;
  const backend = openCapture(capture, name, netns, log);
  stack.defer(() => backend.close());
  if (capture === "ebpf") stack.defer(() => removeEbpfCapture(`${PIN_ROOT}-${name}`));
  const captured = { uid, netns: podNetns, addresses: [pod.ipv4, pod.ipv6] };
  await backend.enrol({ ...captured, captureDns: false, captureInbound: true });
  stack.defer(() => backend.unenrol({ uid, netns: podNetns }));
  return { child, netns, readyMs };
}

function openCapture(
  kind: CaptureKind,
  name: string,
  nodeNetns: NetworkNamespace,
  log: Logger,
): CaptureBackend {
  if (kind === "nftables") return createNftablesCapture({ nodeNetns });
  // What an earlier, crashed run left.
  removeEbpfCapture(`${PIN_ROOT}-${name}`);
  return createEbpfCapture({ pinFolder: `${PIN_ROOT}-${name}`, nodeNetns }, { log, clock: systemClock });
}

function startAgent(path: string, pod: ZdsPod, log: Logger): ZdsServer {
  const pods = { uids: () => [pod.uid], find: (uid: string) => (uid === pod.uid ? pod : undefined) };
  return createZdsServer({ path }, { clock: systemClock, log, pods });
}

function disposableAgent(agent: ZdsServer): Disposable {
  return { [Symbol.dispose]: () => agent.close() };
}

function podName(account: "client" | "server"): ZdsPod["workload"] {
  return { name: account, namespace: "bench", serviceAccount: account };
}

function environment(
  scene: Scene,
  name: string,
  socketPath: string,
  meshPath: string,
): Record<string, string> {
  const rootPath = `${scene.folder}/root-cert.pem`;
  mkdirSync(scene.folder, { recursive: true });
  writeFileSync(rootPath, scene.authority.rootPem);
  return {
    NODE_NAME: name,
    INPOD_UDS: socketPath,
    LOCAL_XDS_PATH: meshPath,
    CA_ADDRESS: `https://${scene.authority.address}`,
    CA_ROOT_CA: rootPath,
    ALT_CA_HOSTNAME: AUTHORITY_NAME,
    AUTH_TOKEN: "benchmark",
    // As in the DaemonSet that `istioctl install` makes.
    NODE_OPTIONS: "--max-semi-space-size=4 --v8-pool-size=1",
    MALLOC_ARENA_MAX: "2",
  };
}

function meshYaml(client: LabPlace, server: LabPlace): string {
  const ports = Object.values(APPLICATION_PORTS).map((port) => [port, port]);
  const workload = (place: LabPlace, account: string, node: string) => ({
    uid: `Kubernetes//Pod/bench/${account}`,
    name: account,
    namespace: "bench",
    serviceAccount: account,
    workloadName: account,
    canonicalName: account,
    canonicalRevision: "v1",
    workloadIps: [place.ipv4, place.ipv6],
    protocol: "HBONE",
    node,
  });
  const serve = { services: { [SERVICE]: Object.fromEntries(ports) } };
  // JSON is YAML.
  return JSON.stringify({
    workloads: [
      workload(client, CLIENT.serviceAccount, "node-a"),
      { ...workload(server, SERVER.serviceAccount, "node-b"), ...serve },
    ],
    services: [
      {
        name: "web",
        namespace: "bench",
        hostname: "web.bench.svc.cluster.local",
        vips: [`/${VIP}`],
        ports: Object.fromEntries(ports),
      },
    ],
  });
}

async function untilReady(child: ChildProcess, netns: NetworkNamespace): Promise<void> {
  const deadlineMs = performance.now() + READY_DEADLINE_MS;
  while (!(await httpGet(netns, READY_PORT, "/healthz/ready")).startsWith("HTTP/1.1 200")) {
    if (child.exitCode !== null) throw new Error(`ztunnel ended with ${child.exitCode} before it was ready`);
    if (performance.now() > deadlineMs) throw new Error(`ztunnel not ready after ${READY_DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The whole answer; empty when nobody listens. */
async function httpGet(netns: NetworkNamespace, port: number, path: string): Promise<string> {
  try {
    const socket = await connectTcp(
      { netns, destination: { ip: "127.0.0.1", port } },
      AbortSignal.timeout(2000),
    );
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => socket.destroy());
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    await once(socket, "end");
    socket.end();
    return text;
  } catch {
    // Not listening yet.
    return "";
  }
}

async function countTunnelled(netns: NetworkNamespace): Promise<number> {
  const text = await httpGet(netns, STATS_PORT, "/stats/prometheus");
  let count = 0;
  for (const line of text.split("\n"))
    if (
      line.startsWith("istio_tcp_connections_opened_total") &&
      line.includes('reporter="destination"') &&
      line.includes('connection_security_policy="mutual_tls"')
    )
      count += Number(line.slice(line.lastIndexOf(" ")));
  return count;
}

function quietLogger(): Logger {
  const write = (line: string): void => void process.stderr.write(line);
  return createLogger({ filter: new LogFilter("warn"), format: "plain", nowMs: Date.now, write }, "bench");
}
