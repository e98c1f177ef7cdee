/**
 * A mesh on real namespaces: nodes with a ztunnel each, real capture, pods that hear of it over ZDS. Clients and servers of the pods
 * are sockets of this process, made inside the pods' namespaces. Only the control plane and the CA are played by the test.
 */

import {
  type CaptureBackend,
  createEbpfCapture,
  createNftablesCapture,
  removeEbpfCapture,
  ZTUNNEL_MARK,
} from "@meltemi/ebpf";
import { type CertificateManager, createCertificateManager } from "@meltemi/identity";
import { type NetworkNamespace, openNetworkNamespace } from "@meltemi/linux";
import {
  newWorkload,
  type Policy,
  policyKey,
  type Service,
  type SocketAddress,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import { createLogger, LogFilter, type Logger, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import {
  createNetnsLab,
  createTemporaryFolder,
  createTestAuthority,
  eventually,
  type LabNode,
  type NetnsLab,
  type TemporaryFolder,
  type TestAuthority,
} from "@meltemi/testkit";
import type { XdsUpdate } from "@meltemi/xds";
import { createZdsClient, createZdsServer, type ZdsPod, type ZdsServer } from "@meltemi/zds";
import { readConfig } from "../../components/ztunnel/src/config.ts";
import { createPodSockets } from "../../components/ztunnel/src/sockets/pod-sockets.ts";
import { startZtunnel, type Ztunnel } from "../../components/ztunnel/src/ztunnel.ts";
import { createMeshPod, type MeshPod } from "./ztunnel-pod.fixture.ts";
import { startWatch, type Watch } from "./ztunnel-watch.fixture.ts";

export type CaptureKind = CaptureBackend["kind"];

export interface MeshOptions {
  /** Of the lab; at most 15 characters, or the names of namespaces grow too long. */
  readonly name: string;
  readonly capture: CaptureKind;
  /** Environment of every ztunnel. */
  readonly env?: Readonly<Record<string, string>>;
  readonly nameservers?: readonly SocketAddress[];
}

export interface Mesh extends AsyncDisposable {
  readonly authority: TestAuthority;
  readonly lab: NetnsLab;
  node(name: string): Promise<MeshNode>;
  /** What the control plane tells every ztunnel, those of later too. */
  put(...items: readonly (Workload | Service)[]): void;
  remove(...names: readonly string[]): void;
  putPolicy(policy: Policy): void;
  removePolicy(policy: Policy): void;
}

export interface PodOptions {
  readonly workload?: Partial<Workload>;
  /** Default true. */
  readonly captured?: boolean;
}

export interface MeshNode {
  readonly name: string;
  readonly place: LabNode;
  readonly netns: NetworkNamespace;
  /** The one that the node started with. */
  readonly proxy: Proxy;
  /** All that were started, oldest first. */
  readonly proxies: readonly Proxy[];
  /** Starts a pod, tells the mesh of it, and enrols it. */
  pod(name: string, options?: PodOptions): Promise<MeshPod>;
  /** As the node agent: capture first, then ztunnel is told. */
  enrol(pod: MeshPod): Promise<void>;
  unenrol(pod: MeshPod): Promise<void>;
  /** The node agent dies and comes back with the same pods. */
  restartAgent(): void;
  /** One more, as in a rolling upgrade; resolves when it serves every pod. */
  startProxy(): Promise<Proxy>;
  /** Captures the pod, which is not enrolled, for a ztunnel of its own that runs in it. */
  dedicate(pod: MeshPod): Promise<Proxy>;
}

/** A running ztunnel. */
export interface Proxy {
  readonly ztunnel: Ztunnel;
  readonly lines: readonly string[];
  readonly certificates: CertificateManager;
  metrics(): string;
  /** Log lines and counts from now on. */
  watch(): Watch;
}

interface ProxyInternals extends Proxy {
  send(update: XdsUpdate): void;
}

/** Removes what an earlier run left behind. */
export async function createMesh(options: MeshOptions): Promise<Mesh> {
  const lab = await createNetnsLab(options.name);
  const folder = await createTemporaryFolder(options.name);
  return new SceneMesh(options, lab, folder);
}

class SceneMesh implements Mesh {
  readonly authority = createTestAuthority();
  readonly lab: NetnsLab;
  readonly options: MeshOptions;
  readonly folder: TemporaryFolder;
  readonly #nodes: SceneNode[] = [];
  readonly #known = new Map<string, XdsUpdate>();

  constructor(options: MeshOptions, lab: NetnsLab, folder: TemporaryFolder) {
    this.options = options;
    this.lab = lab;
    this.folder = folder;
  }

  get known(): Iterable<XdsUpdate> {
    return this.#known.values();
  }

  async node(name: string): Promise<MeshNode> {
    const node = new SceneNode(this, name, await this.lab.node(name));
    this.#nodes.push(node);
    await node.start();
    return node;
  }

  put(...items: readonly (Workload | Service)[]): void {
    for (const item of items) {
      const isWorkload = "uid" in item;
      const name = isWorkload ? item.uid : serviceKey(item);
      const value = isWorkload
        ? ({ kind: "workload", workload: item } as const)
        : ({ kind: "service", service: item } as const);
      this.#tell(name, { kind: "address", upserts: [{ name, value }], removedNames: [] });
    }
  }

  remove(...names: readonly string[]): void {
    for (const name of names) this.#forget(name, { kind: "address", upserts: [], removedNames: [name] });
  }

  putPolicy(policy: Policy): void {
    const name = policyKey(policy);
    this.#tell(`policy ${name}`, {
      kind: "authorization",
      upserts: [{ name, value: policy }],
      removedNames: [],
    });
  }

  removePolicy(policy: Policy): void {
    const name = policyKey(policy);
    this.#forget(`policy ${name}`, { kind: "authorization", upserts: [], removedNames: [name] });
  }

  #tell(key: string, update: XdsUpdate): void {
    this.#known.set(key, update);
    for (const node of this.#nodes) node.send(update);
  }

  #forget(key: string, update: XdsUpdate): void {
    this.#known.delete(key);
    for (const node of this.#nodes) node.send(update);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await this.lab[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

class SceneNode implements MeshNode {
  readonly name: string;
  readonly place: LabNode;
  readonly netns: NetworkNamespace;
  readonly #mesh: SceneMesh;
  readonly #capture: CaptureBackend;
  readonly #pinFolder: string;
  readonly #zdsPods = new Map<string, ZdsPod>();
  #agent: ZdsServer;
  readonly #log: Logger;
  readonly #pods: MeshPod[] = [];
  readonly proxies: ProxyInternals[] = [];

  constructor(mesh: SceneMesh, name: string, place: LabNode) {
    this.#mesh = mesh;
    this.name = name;
    this.place = place;
    this.netns = openNetworkNamespace(place.path);
    this.#pinFolder = `/sys/fs/bpf/${mesh.options.name}-${name}`;
    removeEbpfCapture(this.#pinFolder);
    this.#log = createLogger(
      {
        filter: new LogFilter("warn"),
        format: "plain",
        nowMs: Date.now,
        write: (line) => process.stderr.write(line),
      },
      "agent",
    );
    this.#capture =
      mesh.options.capture === "ebpf"
        ? createEbpfCapture({ pinFolder: this.#pinFolder, nodeNetns: this.netns }, { log: this.#log })
        : createNftablesCapture({ nodeNetns: this.netns });
    this.#agent = this.#startAgent();
  }

  #startAgent(): ZdsServer {
    const pods = {
      uids: () => [...this.#zdsPods.keys()],
      find: (uid: string) => this.#zdsPods.get(uid),
    };
    return createZdsServer({ path: this.#socketPath }, { clock: systemClock, log: this.#log, pods });
  }

  restartAgent(): void {
    this.#agent.close();
    this.#agent = this.#startAgent();
  }

  get #socketPath(): string {
    return this.#mesh.folder.file(`${this.name}.sock`);
  }

  get proxy(): Proxy {
    const [first] = this.proxies;
    if (first === undefined) throw new Error(`node ${this.name} has no ztunnel`);
    return first;
  }

  async start(): Promise<void> {
    await this.startProxy();
  }

  send(update: XdsUpdate): void {
    for (const proxy of this.proxies) proxy.send(update);
  }

  async startProxy(): Promise<Proxy> {
    const proxy = await launch(this.#mesh, this.name, { kind: "shared", socket: this.#socketPath });
    this.proxies.push(proxy);
    return proxy;
  }

  async dedicate(pod: MeshPod): Promise<Proxy> {
    const { workload, netns } = pod;
    const { uid, addresses } = workload;
    await this.#capture.enrol({ uid, netns, addresses, captureDns: true, captureInbound: true });
    const proxy = await launch(this.#mesh, this.name, { kind: "dedicated", pod });
    this.proxies.push(proxy);
    return proxy;
  }

  async pod(name: string, options: PodOptions = {}): Promise<MeshPod> {
    const place = await this.place.pod(name);
    const captured = options.captured ?? true;
    const workload = newWorkload({
      uid: `pod-${name}`,
      name,
      namespace: "default",
      serviceAccount: name,
      workloadName: name,
      canonicalName: name,
      addresses: [place.ipv4, place.ipv6],
      tunnelProtocol: captured ? "hbone" : "none",
      node: this.name,
      ...options.workload,
    });
    const pod = createMeshPod(place, workload);
    this.#pods.push(pod);
    this.#mesh.put(workload);
    if (captured) await this.enrol(pod);
    return pod;
  }

  async enrol({ workload, netns }: MeshPod): Promise<void> {
    const { uid, addresses } = workload;
    await this.#capture.enrol({ uid, netns, addresses, captureDns: true, captureInbound: true });
    this.#zdsPods.set(uid, { uid, workload, netnsFd: netns.fd });
    const answer = await this.#agent.add(uid);
    if (answer.kind !== "ack") throw new Error(`enrol ${uid}: ${answer.why}`);
  }

  async unenrol({ workload, netns }: MeshPod): Promise<void> {
    await this.#capture.unenrol({ uid: workload.uid, netns });
    this.#zdsPods.delete(workload.uid);
    await this.#agent.del(workload.uid);
  }

  async stop(): Promise<void> {
    for (const pod of this.#pods) pod[Symbol.dispose]();
    await Promise.all(this.proxies.map(({ ztunnel }) => ztunnel.shutdown()));
    this.#agent.close();
    this.#capture.close();
    removeEbpfCapture(this.#pinFolder);
    this.netns.close();
  }
}

type Place =
  | { readonly kind: "shared"; readonly socket: string }
  | { readonly kind: "dedicated"; readonly pod: MeshPod };

function environmentOf(place: Place): Record<string, string> {
  if (place.kind === "shared") return { INPOD_UDS: place.socket };
  const { namespace, name, serviceAccount } = place.pod.workload;
  const PROXY_WORKLOAD_INFO = `${namespace}/${name}/${serviceAccount}`;
  return { PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO, PACKET_MARK: String(ZTUNNEL_MARK) };
}

async function launch(mesh: SceneMesh, node: string, place: Place): Promise<ProxyInternals> {
  const lines: string[] = [];
  const filter = new LogFilter("info");
  const logger = createLogger(
    { filter, format: "plain", nowMs: Date.now, write: (line) => void lines.push(line) },
    "ztunnel",
  );
  const registry = createRegistry();
  const certificates = createCertificateManager(
    {},
    {
      clock: systemClock,
      random: Math.random,
      fetch: async (identity) => mesh.authority.issue(identity),
    },
  );
  let send = (_: XdsUpdate): void => undefined;
  const config = readConfig({
    NODE_NAME: node,
    ...environmentOf(place),
    CONNECTION_TERMINATION_DEADLINE: "300ms",
    ...mesh.options.env,
  });
  const ztunnel = await startZtunnel(
    { ...config, admin: { adminPort: 0, statsPort: 0, readinessPort: 0 } },
    {
      clock: systemClock,
      random: Math.random,
      logger,
      filter,
      registry,
      certificates,
      admission: { process: 20_000, pod: 20_000 },
      nameservers: mesh.options.nameservers ?? [],
      lookup: () => Promise.reject(new Error("no DNS of the machine in this test")),
      // A ztunnel of its own would be a process in the pod's namespace: here, its sockets are.
      sockets: (namespace = place.kind === "dedicated" ? place.pod.netns : undefined) =>
        createPodSockets(
          { namespace, mark: config.mode.packetMark, portReuse: true },
          { clock: systemClock },
        ),
      ...(place.kind === "dedicated"
        ? { dedicated: { workload: place.pod.workload } }
        : {
            nodeAgent: (handler) =>
              createZdsClient(
                { path: place.socket },
                { clock: systemClock, random: Math.random, log: logger, handler },
              ),
          }),
      controlPlane: (onUpdate) => {
        send = onUpdate;
        for (const update of mesh.known) onUpdate(update);
        return {
          start: () => undefined,
          synced: Promise.resolve(),
          connected: true,
          fetch: () => Promise.resolve(),
          release: () => undefined,
          heldCount: () => 0,
          [Symbol.asyncDispose]: () => Promise.resolve(),
        };
      },
      adminHost: "127.0.0.1",
    },
  );
  await eventually(() => ztunnel.readiness.pending().length === 0);
  const metrics = (): string => registry.exposition(undefined).body;
  return {
    ztunnel,
    lines,
    certificates,
    metrics,
    watch: () => startWatch(node, lines, metrics),
    send: (update) => send(update),
  };
}
