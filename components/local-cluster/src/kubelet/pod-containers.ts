/** The containers of one pod: started, watched to their end, stopped, and taken over from an earlier kubelet. Their states last. */

import { rm } from "node:fs/promises";
import type { Pod } from "@meltemi/kubernetes";
import { describeError, detach } from "@meltemi/runtime";
import { type ContainerExit, findContainer } from "./container/container-process.ts";
import type { LaunchContext } from "./container/describe-launch.ts";
import type { Container } from "./container/types.ts";
import { allContainers } from "./decide-pod.ts";
import type { NodeContext } from "./node-context.ts";
import type { PodFolder } from "./pod-folder.ts";
import { type ContainerState, NEW_CONTAINER } from "./pod-runtime.ts";
import { afterEnd, afterFailedStart, afterStart, stopGraceMs } from "./restart.ts";
import type { Health, RunningContainer } from "./running-container.ts";
import { type AdoptContext, adoptContainer, forgetOldRuns, startContainer } from "./start-container.ts";

export interface PodContainers {
  readonly states: ReadonlyMap<string, ContainerState>;
  running(container: string): RunningContainer | undefined;
  /** Reads what an earlier kubelet left; what still runs waits for {@link adopt}. */
  recall(podCgroup: string): Promise<void>;
  /** Takes over what `recall` found, now that the pod's object is known; without a context, it is ended. */
  adopt(pod: Pod, launch: (() => Promise<AdoptContext>) | undefined): Promise<void>;
  /** A failure is a state and an event, and no rejection. */
  start(container: Container, pod: Pod, launch: () => Promise<LaunchContext>): Promise<void>;
  /** Begins to stop it. `onChange` tells of the end. */
  stop(pod: Pod, container: Container, why: string): void;
  /** SIGKILL to all that run, now. */
  kill(): Promise<void>;
  /** Those that ran are gone: their sandbox went, and they with it. */
  lost(): Promise<void>;
  /** Removes what they wrote into their file systems; their logs stay. */
  removeLayers(): Promise<void>;
  /** Lets go of them without touching them. */
  detach(): void;
}

/** Exit code of a process that SIGKILL ended. */
const KILLED_CODE = 137;

/** `onChange` is called whenever something happened that needs a reconcile. */
export function createPodContainers(
  context: NodeContext,
  folder: PodFolder,
  onChange: () => void,
): PodContainers {
  return new Containers(context, folder, onChange);
}

class Containers implements PodContainers {
  readonly #context: NodeContext;
  readonly #folder: PodFolder;
  readonly #onChange: () => void;
  readonly #states = new Map<string, ContainerState>();
  readonly #running = new Map<string, RunningContainer>();
  /** Containers found running whose objects were not known yet. */
  readonly #found = new Map<string, Awaited<ReturnType<typeof findContainer>>>();

  constructor(context: NodeContext, folder: PodFolder, onChange: () => void) {
    this.#context = context;
    this.#folder = folder;
    this.#onChange = onChange;
  }

  get states(): ReadonlyMap<string, ContainerState> {
    return this.#states;
  }

  running(container: string): RunningContainer | undefined {
    return this.#running.get(container);
  }

  detach(): void {
    for (const running of this.#running.values()) running.detach();
  }

  async kill(): Promise<void> {
    for (const running of this.#running.values()) await running.kill();
  }

  async lost(): Promise<void> {
    const exit = { exitCode: KILLED_CODE, finishedAtMs: this.#context.clock.nowMs() };
    for (const [name, state] of this.#states)
      if (state.run.kind === "running") await this.#setState(name, afterEnd(state, exit, this.#context));
  }

  async removeLayers(): Promise<void> {
    for (const [name, { attempt }] of this.#states)
      await rm(this.#folder.container(name).layer(attempt), { recursive: true, force: true });
  }

  async recall(podCgroup: string): Promise<void> {
    for (const [name, { state, process }] of await this.#folder.readContainers()) {
      this.#states.set(name, state);
      if (process === undefined || state.run.kind !== "running") continue;
      const { path } = this.#folder.container(name);
      this.#found.set(name, await findContainer(path, `${podCgroup}/${name}`, process, this.#context.clock));
    }
  }

  async adopt(pod: Pod, launch: (() => Promise<AdoptContext>) | undefined): Promise<void> {
    const containers = allContainers(pod.spec ?? { containers: [] });
    for (const [name, found] of this.#found) {
      const state = this.#states.get(name) ?? NEW_CONTAINER;
      const container = containers.find((candidate) => candidate.name === name);
      if (found.kind === "exited") {
        await this.#setState(name, afterEnd(state, found.exit, this.#context));
      } else if (container === undefined || launch === undefined) {
        await found.process.kill();
        await this.#setState(name, afterEnd(state, await found.process.exited, this.#context));
      } else {
        const folder = this.#folder.container(name);
        const running = await adoptContainer(await launch(), container, folder, state.attempt, found.process);
        this.#running.set(name, running);
        this.#watch(running);
      }
      this.#found.delete(name);
    }
  }

  async start(container: Container, pod: Pod, launch: () => Promise<LaunchContext>): Promise<void> {
    const before = this.#stateOf(container);
    const attempt = before.attempt + 1;
    const folder = this.#folder.container(container.name);
    try {
      const running = await startContainer(await launch(), container, folder, attempt);
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

  stop(pod: Pod, container: Container, why: string): void {
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

  /** From now on, the container's end and its health are told. */
  #watch(running: RunningContainer): void {
    const { container, process } = running.options;
    running.startProbes(this.#stateOf(container).started, (health) =>
      detach(
        () => this.#onHealth(container, health),
        (error) =>
          this.#context.log.error("container's health not noted", {
            container: container.name,
            error: describeError(error),
          }),
      ),
    );
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

  #stateOf(container: Container): ContainerState {
    return this.#states.get(container.name) ?? NEW_CONTAINER;
  }

  async #setState(name: string, state: ContainerState): Promise<void> {
    this.#states.set(name, state);
    const process = this.#running.get(name)?.options.process.record;
    await this.#folder.writeContainer(name, { state, process });
  }
}
