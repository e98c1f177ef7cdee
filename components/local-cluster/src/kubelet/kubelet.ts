/** The kubelet of one node: watches the pods bound to it, runs them, and reports their status. */

import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createWorkQueue, PODS, type Pod } from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import { allContainers } from "./decide-pod.ts";
import { type LogOptions, readLog } from "./logs/read-log.ts";
import type { NodeContext } from "./node-context.ts";
import { referencesOf } from "./pod-data.ts";
import { createPodWorker, type PodWorker } from "./pod-worker.ts";
import type { RunningContainer } from "./running-container.ts";
import { createStatusWriter } from "./status-writer.ts";

export interface Kubelet {
  /** Bytes of a container's log, or undefined when this node has no such pod or container. */
  logs(
    namespace: string,
    pod: string,
    container: string,
    options: LogOptions,
  ): AsyncGenerator<Buffer> | undefined;
  /** The container while it runs; undefined when this node runs no such container. */
  running(namespace: string, pod: string, container: string): RunningContainer | undefined;
  /** Path of a pod's network namespace; undefined when this node runs no such pod. */
  networkNamespace(namespace: string, pod: string): string | undefined;
  /** Lets go of everything; the pods run on. */
  stop(): Promise<void>;
}

/** Pods that are made or removed at the same time; each costs a few processes for some milliseconds. */
const CONCURRENT_PODS = 4;

/** Starts when the pods informer has synced. */
export async function startKubelet(context: NodeContext): Promise<Kubelet> {
  await mkdir(context.podsFolder, { recursive: true });
  const kubelet = new NodeKubelet(context);
  await context.pods.synced;
  await kubelet.start();
  return kubelet;
}

class NodeKubelet implements Kubelet {
  readonly #context: NodeContext;
  readonly #queue: ReturnType<typeof createWorkQueue>;
  readonly #workers = new Map<string, PodWorker>();
  /** The last known object of every pod of this node, by uid: also of those that the API has forgotten. */
  readonly #pods = new Map<string, Pod>();
  readonly #gone = new Set<string>();
  readonly #writeStatus: ReturnType<typeof createStatusWriter>;
  #removers: readonly (() => void)[] = [];

  constructor(context: NodeContext) {
    this.#context = context;
    this.#writeStatus = createStatusWriter(context);
    this.#queue = createWorkQueue(
      { name: `kubelet-${context.plan.name}`, concurrency: CONCURRENT_PODS },
      {
        clock: context.clock,
        random: context.random,
        log: context.log,
        reconcile: (uid) => this.#reconcile(uid),
      },
    );
  }

  async start(): Promise<void> {
    const context = this.#context;
    await this.#recallAll();
    const seen = (pod: Pod): void => this.#see(pod);
    const changed = (kind: "configMaps" | "secrets") => (object: { readonly metadata?: Pod["metadata"] }) =>
      this.#dataChanged(kind, object.metadata?.namespace ?? "", object.metadata?.name ?? "");
    this.#removers = [
      context.pods.onChange({
        add: seen,
        update: (_, pod) => seen(pod),
        delete: (pod) => {
          const uid = pod.metadata?.uid ?? "";
          if (!this.#pods.has(uid)) return;
          this.#gone.add(uid);
          this.#queue.add(uid);
        },
      }),
      context.configMaps.onChange({ update: (_, map) => changed("configMaps")(map) }),
      context.secrets.onChange({ update: (_, secret) => changed("secrets")(secret) }),
    ];
    await this.#removeOrphans();
  }

  logs(
    namespace: string,
    pod: string,
    container: string,
    options: LogOptions,
  ): AsyncGenerator<Buffer> | undefined {
    const found = this.#findPod(namespace, pod);
    const worker = this.#findWorker(namespace, pod);
    const known = allContainers(found?.spec ?? { containers: [] }).some(({ name }) => name === container);
    if (worker === undefined || !known) return undefined;
    const attempt = worker.runtime.containers.get(container)?.attempt ?? 0;
    const path = worker.folder.container(container).log(options.previous === true ? attempt - 1 : attempt);
    const live = options.previous === true ? undefined : worker.liveLog(container);
    return readLog({ path, live }, options, this.#context.clock.nowMs());
  }

  running(namespace: string, pod: string, container: string): RunningContainer | undefined {
    return this.#findWorker(namespace, pod)?.running(container);
  }

  networkNamespace(namespace: string, pod: string): string | undefined {
    return this.#findWorker(namespace, pod)?.networkNamespace;
  }

  async stop(): Promise<void> {
    for (const remove of this.#removers) remove();
    await this.#queue.stop();
    for (const worker of this.#workers.values()) worker.detach();
  }

  #findPod(namespace: string, name: string): Pod | undefined {
    return [...this.#pods.values()].find(
      ({ metadata }) => metadata?.namespace === namespace && metadata.name === name,
    );
  }

  #findWorker(namespace: string, name: string): PodWorker | undefined {
    return this.#workers.get(this.#findPod(namespace, name)?.metadata?.uid ?? "");
  }

  #see(pod: Pod): void {
    const uid = pod.metadata?.uid;
    if (uid === undefined || pod.spec?.nodeName !== this.#context.plan.name) return;
    this.#pods.set(uid, pod);
    this.#queue.add(uid);
  }

  #dataChanged(kind: "configMaps" | "secrets", namespace: string, name: string): void {
    for (const [uid, pod] of this.#pods)
      if (pod.metadata?.namespace === namespace && referencesOf(pod)[kind].has(name)) {
        this.#workers.get(uid)?.refreshVolumes();
        this.#queue.add(uid);
      }
  }

  async #reconcile(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    const gone = this.#gone.has(uid);
    const worker = await this.#workerOf(uid);
    const { over, wakeAtMs } = await worker.reconcile(pod, gone);
    if (over) {
      this.#forget(uid);
      if (!gone) await this.#removeObject(pod);
      return;
    }
    if (wakeAtMs !== undefined)
      this.#queue.addAfter(uid, Math.max(0, wakeAtMs - this.#context.clock.nowMs()));
    if (!gone) await this.#writeStatus.write(pod, worker.runtime);
  }

  async #workerOf(uid: string): Promise<PodWorker> {
    const known = this.#workers.get(uid);
    if (known !== undefined) return known;
    const folder = join(this.#context.podsFolder, uid);
    const worker = await createPodWorker(this.#context, uid, folder, () => this.#queue.add(uid));
    this.#workers.set(uid, worker);
    return worker;
  }

  #forget(uid: string): void {
    this.#workers.delete(uid);
    this.#pods.delete(uid);
    this.#gone.delete(uid);
    this.#writeStatus.forget(uid);
  }

  /** The API keeps a deleted pod until its kubelet says that nothing runs any more. */
  async #removeObject(pod: Pod): Promise<void> {
    const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
    await this.#context.client.delete(
      PODS,
      { namespace, name },
      { gracePeriodSeconds: 0, preconditions: { uid } },
    );
  }

  /** Before any new pod is made: the addresses of those that run must not be given away. */
  async #recallAll(): Promise<void> {
    for (const uid of await readdir(this.#context.podsFolder))
      try {
        await this.#workerOf(uid);
      } catch (error) {
        this.#context.log.error("pod folder cannot be read", { uid, error: describeError(error) });
      }
  }

  /** Pods that were deleted while the kubelet was away: their processes must end. */
  async #removeOrphans(): Promise<void> {
    for (const [uid, worker] of this.#workers) {
      if (this.#pods.has(uid)) continue;
      const { namespace, name } = (await worker.folder.readSandbox()) ?? { namespace: "", name: uid };
      this.#pods.set(uid, { metadata: { uid, namespace, name }, spec: { containers: [] } });
      this.#gone.add(uid);
      this.#queue.add(uid);
    }
  }
}
