/** Brings one pod in line with its object: performs what `decidePod` decides, and keeps what came of it. */

import { rm } from "node:fs/promises";
import type { Pod } from "@meltemi/kubernetes";
import { backoffMs, describeError, unreachable } from "@meltemi/runtime";
import { removeCgroup } from "./container/cgroup.ts";
import { type ContainerExit, findContainer } from "./container/container-process.ts";
import type { LaunchContext } from "./container/describe-launch.ts";
import type { Container } from "./container/types.ts";
import { allContainers, decidePod, type PodAction } from "./decide-pod.ts";
import type { ContainerLog } from "./logs/container-log.ts";
import type { NodeContext } from "./node-context.ts";
import { loadPodData } from "./pod-data.ts";
import { type PodFolder, podFolder } from "./pod-folder.ts";
import {
  type ContainerState,
  containerState,
  NEW_CONTAINER,
  type PodRuntime,
  type Sandbox,
} from "./pod-runtime.ts";
import { cgroupOf, findSandbox, type LiveSandbox, makeSandbox, removeSandbox } from "./pod-sandbox.ts";
import { afterEnd, afterFailedStart, afterStart, stopGraceMs } from "./restart.ts";
import type { Health, RunningContainer } from "./running-container.ts";
import { type AdoptContext, adoptContainer, forgetOldRuns, startContainer } from "./start-container.ts";
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
  readonly #states = new Map<string, ContainerState>();
  readonly #running = new Map<string, RunningContainer>();
  readonly #volumes: PodVolumes;
  #seenAtMs: number;
  #sandboxState: Sandbox = { kind: "absent" };
  #sandbox: LiveSandbox | undefined;
  #prepared: ReadonlyMap<string, PreparedVolume> | undefined;
  /** Containers found running whose objects were not known yet. */
  readonly #found = new Map<string, Awaited<ReturnType<typeof findContainer>>>();

  constructor(context: NodeContext, uid: string, folder: PodFolder, onChange: () => void) {
    this.#context = context;
    this.#uid = uid;
    this.folder = folder;
    this.#onChange = onChange;
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
    return { sandbox: this.#sandboxState, containers: this.#states, seenAtMs: this.#seenAtMs };
  }

  running(container: string): RunningContainer | undefined {
    return this.#running.get(container);
  }

  liveLog(container: string): ContainerLog | undefined {
    return this.#running.get(container)?.options.log;
  }

  refreshVolumes(): void {
    this.#prepared = undefined;
  }

  detach(): void {
    for (const running of this.#running.values()) running.detach();
  }

  /** What an earlier kubelet left of this pod. */
  async recall(): Promise<void> {
    const sandbox = await findSandbox(this.#context, this.folder);
    if (sandbox !== undefined) {
      this.#sandbox = sandbox;
      this.#seenAtMs = sandbox.record.seenAtMs;
      this.#sandboxState = { kind: "ready", podIps: sandbox.podIps };
    }
    const cgroup = cgroupOf(this.#context, this.#uid);
    for (const [name, { state, process }] of await this.folder.readContainers()) {
      this.#states.set(name, state);
      if (process === undefined || state.run.kind !== "running") continue;
      const found = await findContainer(
        this.folder.container(name).path,
        `${cgroup}/${name}`,
        process,
        this.#context.clock,
      );
      this.#found.set(name, found);
    }
  }

  async reconcile(pod: Pod, gone: boolean): Promise<Outcome> {
    await this.#adoptFound(pod);
    await this.#renewVolumes(pod, gone);
    const { actions, wakeAtMs } = decidePod(pod, this.runtime, gone, this.#context.clock.nowMs());
    if (gone) for (const running of this.#running.values()) await running.kill();
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
        return this.#stop(pod, action.container, action.why);
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
      for (const [name, state] of this.#states)
        if (state.run.kind === "running")
          await this.#setState(
            name,
            afterEnd(state, { exitCode: 137, finishedAtMs: context.clock.nowMs() }, context),
          );
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
    const before = this.#stateOf(container);
    const sandbox = this.#sandbox;
    if (sandbox === undefined) return;
    const attempt = before.attempt + 1;
    const folder = this.folder.container(container.name);
    try {
      const running = await startContainer(
        await this.#launchContext(pod, sandbox),
        container,
        folder,
        attempt,
      );
      this.#running.set(container.name, running);
      await this.#setState(
        container.name,
        afterStart(before, container, attempt, running.options.process.record.startedAtMs),
      );
      this.#watch(running);
      await forgetOldRuns(folder, attempt);
    } catch (error) {
      if (this.#running.has(container.name)) throw error;
      const { state, event } = afterFailedStart(before, error, attempt, this.#context);
      this.#context.events.record(pod, "Warning", event.reason, event.message, container.name);
      await this.#setState(container.name, state);
      if (state.attempt === attempt) await forgetOldRuns(folder, attempt);
    }
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

  /** From now on, the container's end and its health are told. */
  #watch(running: RunningContainer): void {
    const { container, process } = running.options;
    running.startProbes(this.#stateOf(container).started, (health) => void this.#onHealth(container, health));
    void process.exited
      .then((exit) => this.#onEnd(running, exit))
      .catch((error) =>
        this.#context.log.error("container's end not noted", {
          container: container.name,
          error: describeError(error),
        }),
      )
      .finally(this.#onChange);
  }

  async #onEnd(running: RunningContainer, exit: ContainerExit): Promise<void> {
    const { container, process, log } = running.options;
    running.detachProbes();
    // With hostPID a program may leave others behind, and those would keep the log open.
    await process.kill();
    await log.finished;
    this.#running.delete(container.name);
    const state = afterEnd(this.#stateOf(container), exit, this.#context);
    await this.#setState(container.name, state);
    if (state.notBeforeMs > this.#context.clock.nowMs()) this.#tellBackOff(running);
  }

  #tellBackOff({ options: { pod, container } }: RunningContainer): void {
    if (pod.spec?.restartPolicy === "Never") return;
    const message = `Back-off restarting failed container ${container.name} in pod ${pod.metadata?.name}`;
    this.#context.events.record(pod, "Warning", "BackOff", message, container.name);
  }

  async #onHealth(container: Container, health: Health): Promise<void> {
    const state = this.#stateOf(container);
    if (state.run.kind !== "running") return;
    const changed =
      health.kind === "started"
        ? { started: true }
        : health.kind === "ready"
          ? { ready: health.ready }
          : { unhealthy: health.why };
    await this.#setState(container.name, { ...state, ...changed });
    this.#onChange();
  }

  async #stop(pod: Pod, container: Container, why: string): Promise<void> {
    const running = this.#running.get(container.name);
    const state = this.#stateOf(container);
    if (running === undefined || state.run.kind !== "running") return;
    this.#states.set(container.name, { ...state, ready: false, run: { ...state.run, stopping: true } });
    const reason = why === "deleted" || why === "finished" ? "Stopping container" : `Container ${why}:`;
    this.#context.events.record(pod, "Normal", "Killing", `${reason} ${container.name}`, container.name);
    // Not awaited: grace periods may be long, and the other containers stop at the same time.
    void running.stop(stopGraceMs(pod, container, state.unhealthy !== undefined)).catch((error) =>
      this.#context.log.error("container does not stop", {
        container: container.name,
        error: describeError(error),
      }),
    );
  }

  async #tearDown(forget: boolean): Promise<void> {
    if (this.#sandbox !== undefined) await removeSandbox(this.#context, this.#sandbox, this.folder);
    else await removeCgroup(cgroupOf(this.#context, this.#uid), this.#context.clock);
    this.#sandbox = undefined;
    this.#sandboxState = { kind: "absent" };
    if (forget) await rm(this.folder.path, { recursive: true, force: true });
    else
      for (const [name, { attempt }] of this.#states)
        await rm(this.folder.container(name).layer(attempt), { recursive: true, force: true });
  }

  /** Takes over what `recall` found, now that the pod's object is known. */
  async #adoptFound(pod: Pod): Promise<void> {
    for (const [name, found] of this.#found) {
      const state = this.#states.get(name) ?? NEW_CONTAINER;
      const container = allContainers(pod.spec ?? { containers: [] }).find(
        (candidate) => candidate.name === name,
      );
      if (found.kind === "exited") {
        await this.#setState(name, afterEnd(state, found.exit, this.#context));
        this.#found.delete(name);
        continue;
      }
      if (container === undefined || this.#sandbox === undefined) {
        await found.process.kill();
        await this.#setState(name, afterEnd(state, await found.process.exited, this.#context));
        this.#found.delete(name);
        continue;
      }
      const launch = await this.#adoptContext(pod, this.#sandbox);
      const folder = this.folder.container(name);
      const running = await adoptContainer(launch, container, folder, state.attempt, found.process);
      this.#found.delete(name);
      this.#running.set(name, running);
      this.#watch(running);
    }
  }

  #stateOf(container: Container): ContainerState {
    return containerState(this.runtime, container.name);
  }

  async #setState(name: string, state: ContainerState): Promise<void> {
    this.#states.set(name, state);
    const process = this.#running.get(name)?.options.process.record;
    await this.folder.writeContainer(name, { state, process });
  }
}
