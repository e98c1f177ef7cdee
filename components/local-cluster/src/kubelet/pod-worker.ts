/** Brings one pod in line with its object: performs what `decidePod` decides, and keeps what came of it. */

import { rm } from "node:fs/promises";
import type { Pod } from "@meltemi/kubernetes";
import { backoffMs, describeError, unreachable } from "@meltemi/runtime";
import { removeCgroup } from "./container/cgroup.ts";
import type { LaunchContext } from "./container/describe-launch.ts";
import type { Container } from "./container/types.ts";
import { decidePod, type PodAction } from "./decide-pod.ts";
import type { ContainerLog } from "./logs/container-log.ts";
import type { NodeContext } from "./node-context.ts";
import { createPodContainers, type PodContainers } from "./pod-containers.ts";
import { loadPodData } from "./pod-data.ts";
import { type PodFolder, podFolder } from "./pod-folder.ts";
import type { PodRuntime, Sandbox } from "./pod-runtime.ts";
import { cgroupOf, findSandbox, type LiveSandbox, makeSandbox, removeSandbox } from "./pod-sandbox.ts";
import type { RunningContainer } from "./running-container.ts";
import type { AdoptContext } from "./start-container.ts";
import { createPodVolumes, type PodVolumes, type PreparedVolume } from "./volumes/pod-volumes.ts";

export interface PodWorker {
  readonly runtime: PodRuntime;
  /** Does what is due now. Returns when to come back, if nothing happens before. */
  reconcile(pod: Pod, gone: boolean): Promise<Outcome>;
  /** ConfigMaps or Secrets of the pod changed: renew the volumes at the next reconcile. */
  refreshVolumes(): void;
  /** The log being written, and the folder's logs. */
  liveLog(container: string): ContainerLog | undefined;
  /** The container, while it runs. */
  running(container: string): RunningContainer | undefined;
  /** Path of the pod's network namespace, while it has one. */
  readonly networkNamespace: string | undefined;
  readonly folder: PodFolder;
  /** Lets go of the containers without touching them. */
  detach(): void;
}

interface Outcome {
  readonly wakeAtMs: number | undefined;
  /** Nothing of the pod is left on this node. */
  readonly over: boolean;
}

/** A sandbox fails when an agent on the node is not up yet: soon again, then more slowly. */
const SANDBOX_BACKOFF = { baseMs: 250, maxMs: 10_000, jitter: 0.1 } as const;

/** `onChange` is called whenever something happened that needs a reconcile. */
export async function createPodWorker(
  context: NodeContext,
  uid: string,
  folderPath: string,
  onChange: () => void,
): Promise<PodWorker> {
  const worker = new Worker(context, uid, podFolder(folderPath), onChange);
  await worker.recall();
  return worker;
}

class Worker implements PodWorker {
  readonly folder: PodFolder;
  readonly #context: NodeContext;
  readonly #uid: string;
  readonly #onChange: () => void;
  readonly #containers: PodContainers;
  readonly #volumes: PodVolumes;
  #seenAtMs: number;
  #sandboxState: Sandbox = { kind: "absent" };
  #sandbox: LiveSandbox | undefined;
  #prepared: ReadonlyMap<string, PreparedVolume> | undefined;

  constructor(context: NodeContext, uid: string, folder: PodFolder, onChange: () => void) {
    this.#context = context;
    this.#uid = uid;
    this.folder = folder;
    this.#onChange = onChange;
    this.#containers = createPodContainers(context, folder, onChange);
    this.#seenAtMs = context.clock.nowMs();
    this.#volumes = createPodVolumes(
      { folder: folder.volumes, node: context.folders },
      {
        clock: context.clock,
        requestToken: (pod, source) =>
          context.client.createToken(
            { namespace: pod.metadata?.namespace ?? "", name: pod.spec?.serviceAccountName ?? "default" },
            {
              audiences: source.audience === undefined ? undefined : [source.audience],
              expirationSeconds: source.expirationSeconds,
              boundTo: { kind: "Pod", name: pod.metadata?.name ?? "", uid },
            },
          ),
      },
    );
  }

  get runtime(): PodRuntime {
    return { sandbox: this.#sandboxState, containers: this.#containers.states, seenAtMs: this.#seenAtMs };
  }

  get networkNamespace(): string | undefined {
    return this.#sandbox?.networkNamespace;
  }

  running(container: string): RunningContainer | undefined {
    return this.#containers.running(container);
  }

  liveLog(container: string): ContainerLog | undefined {
    return this.#containers.running(container)?.options.log;
  }

  refreshVolumes(): void {
    this.#prepared = undefined;
  }

  detach(): void {
    this.#containers.detach();
  }

  /** What an earlier kubelet left of this pod. */
  async recall(): Promise<void> {
    const sandbox = await findSandbox(this.#context, this.folder);
    if (sandbox !== undefined) {
      this.#sandbox = sandbox;
      this.#seenAtMs = sandbox.record.seenAtMs;
      this.#sandboxState = { kind: "ready", podIps: sandbox.podIps };
    }
    await this.#containers.recall(cgroupOf(this.#context, this.#uid));
  }

  async reconcile(pod: Pod, gone: boolean): Promise<Outcome> {
    const sandbox = this.#sandbox;
    await this.#containers.adopt(pod, sandbox && (() => this.#adoptContext(pod, sandbox)));
    await this.#renewVolumes(pod, gone);
    const { actions, wakeAtMs } = decidePod(pod, this.runtime, gone, this.#context.clock.nowMs());
    if (gone) await this.#containers.kill();
    for (const action of actions) {
      await this.#perform(pod, action);
      if (action.kind === "tearDown") return { wakeAtMs: undefined, over: action.forget };
    }
    // An action changes what there is to decide.
    if (actions.some(({ kind }) => kind !== "stop")) this.#onChange();
    const times = [wakeAtMs, this.#volumes.renewAtMs].filter((time) => time !== undefined);
    return { wakeAtMs: times.length === 0 ? undefined : Math.min(...times), over: false };
  }

  async #perform(pod: Pod, action: PodAction): Promise<void> {
    switch (action.kind) {
      case "makeSandbox":
        return this.#makeSandbox(pod);
      case "start":
        return this.#start(pod, action.container);
      case "stop":
        return this.#containers.stop(pod, action.container, action.why);
      case "tearDown":
        return this.#tearDown(action.forget);
      default:
        return unreachable(action);
    }
  }

  async #makeSandbox(pod: Pod): Promise<void> {
    const context = this.#context;
    let step = "FailedMount";
    try {
      this.#prepared = await this.#prepareVolumes(pod);
      step = "FailedCreatePodSandBox";
      this.#sandbox = await makeSandbox(context, pod, this.folder, this.#seenAtMs);
      this.#sandboxState = { kind: "ready", podIps: this.#sandbox.podIps };
      // A lost sandbox took its containers with it.
      await this.#containers.lost();
    } catch (error) {
      const failures = this.#sandboxState.kind === "failed" ? this.#sandboxState.failures + 1 : 1;
      const message = describeError(error);
      const notBeforeMs = context.clock.nowMs() + backoffMs(SANDBOX_BACKOFF, failures - 1, context.random);
      this.#sandboxState = { kind: "failed", message, failures, notBeforeMs };
      context.events.record(pod, "Warning", step, message);
    }
  }

  async #prepareVolumes(pod: Pod): Promise<ReadonlyMap<string, PreparedVolume>> {
    const podIps = this.#sandbox?.podIps ?? [];
    return this.#volumes.prepare(pod, (await loadPodData(this.#context, pod, podIps)).contents);
  }

  /** Volumes of API objects and tokens, when one of them changed or grew old. A failure leaves the old content in force. */
  async #renewVolumes(pod: Pod, gone: boolean): Promise<void> {
    if (gone || this.#sandboxState.kind !== "ready" || pod.metadata?.deletionTimestamp !== undefined) return;
    const due = this.#volumes.renewAtMs;
    if (this.#prepared !== undefined && (due === undefined || due > this.#context.clock.nowMs())) return;
    try {
      this.#prepared = await this.#prepareVolumes(pod);
    } catch (error) {
      this.#context.events.record(pod, "Warning", "FailedMount", describeError(error));
    }
  }

  async #start(pod: Pod, container: Container): Promise<void> {
    const sandbox = this.#sandbox;
    if (sandbox === undefined) return;
    await this.#containers.start(container, pod, () => this.#launchContext(pod, sandbox));
  }

  async #launchContext(pod: Pod, sandbox: LiveSandbox): Promise<LaunchContext> {
    this.#prepared ??= await this.#prepareVolumes(pod);
    const { networkNamespace } = sandbox;
    return { ...(await this.#adoptContext(pod, sandbox)), volumes: this.#prepared, networkNamespace };
  }

  async #adoptContext(pod: Pod, sandbox: LiveSandbox): Promise<AdoptContext> {
    const { podIps, cgroup: podCgroup } = sandbox;
    return {
      node: this.#context,
      pod,
      data: await loadPodData(this.#context, pod, podIps),
      podIps,
      podCgroup,
    };
  }

  async #tearDown(forget: boolean): Promise<void> {
    if (this.#sandbox !== undefined) await removeSandbox(this.#context, this.#sandbox, this.folder);
    else await removeCgroup(cgroupOf(this.#context, this.#uid), this.#context.clock);
    this.#sandbox = undefined;
    this.#sandboxState = { kind: "absent" };
    if (forget) await rm(this.folder.path, { recursive: true, force: true });
    else await this.#containers.removeLayers();
  }
}
