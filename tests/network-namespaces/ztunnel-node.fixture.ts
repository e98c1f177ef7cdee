/** A node of the mesh: its capture, its agent, its pods, and the ztunnels that serve them. */

import {
  type CaptureBackend,
  createEbpfCapture,
  createNftablesCapture,
  removeEbpfCapture,
} from "@meltemi/ebpf";
import { type NetworkNamespace, openNetworkNamespace } from "@meltemi/linux";
import { newWorkload, type Service, type Workload } from "@meltemi/model";
import { createLogger, LogFilter, type Logger, systemClock } from "@meltemi/runtime";
import { eventually, type LabNode, type TemporaryFolder } from "@meltemi/testkit";
import type { XdsUpdate } from "@meltemi/xds";
import { createZdsServer, type ZdsPod, type ZdsServer } from "@meltemi/zds";
import { createMeshPod, type MeshPod } from "./ztunnel-pod.fixture.ts";
import {
  launchProxy,
  type MeshProxy,
  type ProxyOptions,
  type ProxyScene,
  type ToldProxy,
} from "./ztunnel-proxy.fixture.ts";

export type CaptureKind = CaptureBackend["kind"];

export interface MeshOptions extends ProxyOptions {
  /** Of the lab; at most 15 characters, or the names of namespaces grow too long. */
  readonly name: string;
  readonly capture: CaptureKind;
}

/** The mesh that a node is part of. */
interface NodeScene extends ProxyScene {
  readonly options: MeshOptions;
  readonly folder: TemporaryFolder;
  put(...items: readonly (Workload | Service)[]): void;
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
  readonly proxy: MeshProxy;
  /** All that were started, oldest first. */
  readonly proxies: readonly MeshProxy[];
  /** Starts a pod, tells the mesh of it, and enrols it. */
  pod(name: string, options?: PodOptions): Promise<MeshPod>;
  /** As the node agent: capture first, then ztunnel is told. */
  enrol(pod: MeshPod): Promise<void>;
  unenrol(pod: MeshPod): Promise<void>;
  /** The node agent dies and comes back with the same pods. */
  restartAgent(): void;
  /** Until a ztunnel has found the agent again. */
  agentConnected(): Promise<void>;
  /** One more, as in a rolling upgrade; resolves when it serves every pod. */
  startProxy(): Promise<MeshProxy>;
  /** Captures the pod, which is not enrolled, for a ztunnel of its own that runs in it. */
  dedicate(pod: MeshPod): Promise<MeshProxy>;
}

export class SceneNode implements MeshNode {
  readonly name: string;
  readonly place: LabNode;
  readonly netns: NetworkNamespace;
  readonly #mesh: NodeScene;
  readonly #capture: CaptureBackend;
  readonly #pinFolder: string;
  readonly #zdsPods = new Map<string, ZdsPod>();
  #agent: ZdsServer;
  readonly #log: Logger;
  readonly #pods: MeshPod[] = [];
  readonly proxies: ToldProxy[] = [];

  constructor(mesh: NodeScene, name: string, place: LabNode) {
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
        ? createEbpfCapture(
            { pinFolder: this.#pinFolder, nodeNetns: this.netns },
            { log: this.#log, clock: systemClock },
          )
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

  async agentConnected(): Promise<void> {
    await eventually(() => this.#agent.connections() > 0, { deadlineMs: 20_000 });
  }

  get #socketPath(): string {
    return this.#mesh.folder.file(`${this.name}.sock`);
  }

  get proxy(): MeshProxy {
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

  async startProxy(): Promise<MeshProxy> {
    const proxy = await launchProxy(this.#mesh, this.name, { kind: "shared", socket: this.#socketPath });
    this.proxies.push(proxy);
    return proxy;
  }

  async dedicate(pod: MeshPod): Promise<MeshProxy> {
    const { workload, netns } = pod;
    const { uid, addresses } = workload;
    await this.#capture.enrol({ uid, netns, addresses, captureDns: true, captureInbound: true });
    const proxy = await launchProxy(this.#mesh, this.name, { kind: "dedicated", pod });
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
