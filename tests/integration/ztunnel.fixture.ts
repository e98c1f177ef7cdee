/**
 * Several ztunnels of dedicated mode in this process, each on a loopback address of its own that stands for a pod. What
 * capture would tell, the original destination, is told by the test. Everything else is real: sockets, TLS, policy, metrics.
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createCertificateManager } from "@meltemi/identity";
import {
  type AddressChange,
  type Ip,
  ip,
  newService,
  newWorkload,
  type Policy,
  parseSocketAddress,
  type Service,
  type SocketAddress,
  type Workload,
} from "@meltemi/model";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createTestAuthority, type TestAuthority } from "@meltemi/testkit";
import { readConfig, type ZtunnelConfig } from "../../components/ztunnel/src/config.ts";
import type { ZtunnelDeps } from "../../components/ztunnel/src/parts.ts";
import type { ProxyPorts } from "../../components/ztunnel/src/ports.ts";
import { createPodSockets } from "../../components/ztunnel/src/sockets/pod-sockets.ts";
import { startZtunnel, type Ztunnel } from "../../components/ztunnel/src/ztunnel.ts";

interface TestPod extends AsyncDisposable {
  readonly ztunnel: Ztunnel;
  readonly ip: Ip;
  /** Lines of the log, the access log among them. */
  readonly lines: string[];
  metrics(): string;
  /** A connection as the pod's application would make it to `destination`, by way of the outbound listener. */
  connect(destination: string): Promise<Socket>;
  /** A plaintext connection of a stranger at `from` to the pod's `port`, by way of the capture listener. */
  plaintext(from: string, port: number): Promise<Socket>;
}

/** One mesh for all pods of a test. */
export interface TestMesh extends AsyncDisposable {
  readonly authority: TestAuthority;
  readonly ports: ProxyPorts;
  /** Starts a meshed pod `name` on `address`, in the mesh of all others. */
  pod(name: string, address: string, options?: PodOptions): Promise<TestPod>;
  put(...items: (Workload | Service)[]): void;
  remove(name: string): void;
  putPolicy(policy: Policy): void;
  /** An application that doubles what it gets; port as given. */
  echo(address: string, port: number): Promise<Server>;
}

interface PodOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly workload?: Partial<Workload>;
  readonly deps?: Partial<ZtunnelDeps>;
  readonly config?: Partial<ZtunnelConfig>;
}

/** Five free ports from the kernel; listeners share them on different addresses. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export function meshedPod(name: string, address: string, given: Partial<Workload> = {}): Workload {
  return newWorkload({
    uid: `Kubernetes//Pod/default/${name}`,
    name,
    namespace: "default",
    serviceAccount: name,
    workloadName: name,
    canonicalName: name,
    addresses: [ip(address)],
    tunnelProtocol: "hbone",
    node: "node",
    ...given,
  });
}

export function vipService(name: string, vip: string, given: Partial<Service> = {}): Service {
  return newService({
    name,
    namespace: "default",
    hostname: `${name}.default.svc.cluster.local`,
    vips: [{ network: "", ip: ip(vip) }],
    ...given,
  });
}

export async function createTestMesh(): Promise<TestMesh> {
  const authority = createTestAuthority();
  const [outbound = 0, inboundPlaintext = 0, inboundHbone = 0] = await freePorts(3);
  const ports: ProxyPorts = { outbound, inboundPlaintext, inboundHbone, socks5: 0 };
  const pods: TestPod[] = [];
  const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
  const known: AddressChange[] = [];
  const policies: Policy[] = [];
  const tell = (change: AddressChange): void => {
    known.push(change);
    for (const { ztunnel } of pods) ztunnel.mesh.applyAddresses([change]);
  };
  return {
    authority,
    ports,
    async pod(name, address, options = {}) {
      const workload = meshedPod(name, address, options.workload);
      tell({ kind: "workload", workload });
      const pod = await startPod(workload, authority, ports, options);
      pod.ztunnel.mesh.applyAddresses(known);
      pod.ztunnel.mesh.applyPolicies(policies.map((policy) => ({ kind: "policy", policy })));
      pods.push(pod);
      return pod;
    },
    put(...items) {
      for (const item of items)
        tell("uid" in item ? { kind: "workload", workload: item } : { kind: "service", service: item });
    },
    remove: (name) => tell({ kind: "remove", name }),
    putPolicy(policy) {
      policies.push(policy);
      for (const { ztunnel } of pods) ztunnel.mesh.applyPolicies([{ kind: "policy", policy }]);
    },
    async echo(address, port) {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        socket.on("error", () => socket.destroy());
        socket.on("data", (chunk) => socket.write(Buffer.concat([chunk, chunk])));
      });
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, address, resolve);
      });
      servers.push({ server, sockets });
      return server;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(pods.map((pod) => pod[Symbol.asyncDispose]()));
      for (const { server, sockets } of servers) {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

async function startPod(
  workload: Workload,
  authority: TestAuthority,
  ports: ProxyPorts,
  options: PodOptions,
): Promise<TestPod> {
  const address = workload.addresses[0] ?? ip("127.0.0.1");
  const { name, namespace, serviceAccount } = workload;
  const lines: string[] = [];
  const filter = new LogFilter("info");
  const logger = createLogger(
    { filter, format: "plain", nowMs: () => systemClock.nowMs(), write: (line) => lines.push(line) },
    "ztunnel",
  );
  const registry = createRegistry();
  const destinations = new Map<number, SocketAddress>();
  const base = readConfig({
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: `${namespace}/${name}/${serviceAccount}`,
    NODE_NAME: "node",
    CONNECTION_TERMINATION_DEADLINE: "500ms",
    ISTIO_META_DNS_CAPTURE: "false",
    IPV6_ENABLED: "false",
    ...options.env,
  });
  const config: ZtunnelConfig = {
    ...base,
    ports,
    admin: { adminPort: 0, statsPort: 0, readinessPort: 0 },
    ...options.config,
  };
  const ztunnel = await startZtunnel(config, {
    clock: systemClock,
    random: Math.random,
    logger,
    filter,
    registry,
    certificates: createCertificateManager(
      {},
      { clock: systemClock, random: Math.random, fetch: async (identity) => authority.issue(identity) },
    ),
    admission: { process: 1000, pod: 1000 },
    nameservers: [],
    lookup: () => Promise.reject(new Error("no DNS in this test")),
    sockets: () => {
      const sockets = createPodSockets({ portReuse: false }, { clock: systemClock });
      return {
        ...sockets,
        originalDestination: (socket) =>
          destinations.get(socket.remotePort ?? 0) ?? sockets.originalDestination(socket),
      };
    },
    dedicated: { workload: { name, namespace, serviceAccount }, listenIp: address, localIp: address },
    adminHost: "127.0.0.1",
    ...options.deps,
  });
  return {
    ztunnel,
    ip: address,
    lines,
    metrics: () => registry.exposition(undefined).body,
    connect(destination) {
      const wanted = parseSocketAddress(destination);
      if (wanted === undefined) throw new TypeError(`destination ${destination}: expected ip:port`);
      const tell = (localPort: number): void => void destinations.set(localPort, wanted);
      return dialFrom(address, { host: address, port: ports.outbound }, tell);
    },
    plaintext(from, port) {
      const tell = (localPort: number): void => void destinations.set(localPort, { ip: address, port });
      return dialFrom(from, { host: address, port: ports.inboundPlaintext }, tell);
    },
    async [Symbol.asyncDispose]() {
      await ztunnel.shutdown();
    },
  };
}

/** Below the kernel's own range, and apart from those of other test processes. */
let nextLocalPort = 20_000 + ((process.pid * 97) % 10_000);

/**
 * Connects from a port that `tell` learns before the proxy can see the connection. Gives the socket connected, or failed
 * for the proxy's reasons; a port that somebody holds is passed over.
 */
async function dialFrom(
  from: string,
  to: { readonly host: string; readonly port: number },
  tell: (localPort: number) => void,
): Promise<Socket> {
  for (;;) {
    const localPort = nextLocalPort++;
    if (nextLocalPort > 32_000) nextLocalPort = 20_000;
    tell(localPort);
    const socket = connect({ ...to, localAddress: from, localPort, allowHalfOpen: true });
    const fault = await new Promise<string | undefined>((resolve) => {
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.once("connect", () => resolve(undefined));
    });
    if (fault !== "EADDRINUSE" && fault !== "EADDRNOTAVAIL") return socket;
  }
}

/** Sends `text` and gives what comes back, as many bytes as `count`; rejects when the connection ends before. */
export function exchange(socket: Socket, text: string, count: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    const finish = (error?: Error): void => {
      socket.off("data", onData).off("error", finish).off("close", onClose);
      if (error === undefined) resolve(received);
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      received += chunk.toString();
      if (received.length >= count) finish();
    };
    const onClose = (): void => finish(new Error(`closed after ${received.length} of ${count} bytes`));
    socket.on("data", onData).on("error", finish).on("close", onClose);
    socket.write(text);
  });
}

/** Resolves when the connection is over, however it ends. */
export function ended(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  socket.on("error", () => undefined);
  socket.resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Value of the sample of `name` whose labels contain all of `labels`; 0 when there is none. */
export function sample(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  let sum = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    const matches = Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`));
    if (matches) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}
