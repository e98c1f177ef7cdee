/** A container while it runs: its processes, its log, its probes, and how it is stopped. */

import type { Pod } from "@meltemi/kubernetes";
import { delay, describeError } from "@meltemi/runtime";
import type { ExecRequest } from "../streaming/channel-protocol.ts";
import type { ContainerProcess as OpenProcess } from "../streaming/exec-session.ts";
import { attachContainer } from "./attach-container.ts";
import type { InputWriter } from "./container/container-input.ts";
import type { ContainerProcess } from "./container/container-process.ts";
import { execInContainer } from "./container/exec.ts";
import type { LaunchSpec } from "./container/launch-script.ts";
import { openExec } from "./container/open-exec.ts";
import type { Container, Probe } from "./container/types.ts";
import type { ContainerLog } from "./logs/container-log.ts";
import type { NodeContext } from "./node-context.ts";
import { probeTiming } from "./probes/probe-state.ts";
import { probeTarget } from "./probes/probe-target.ts";
import { type Prober, startProber } from "./probes/prober.ts";
import { type ProbeOutcome, runProbe } from "./probes/run-probe.ts";

/** What is needed to run another command in it. */
export type ExecContext = Pick<
  LaunchSpec,
  "workingDir" | "userId" | "groupId" | "environment" | "containerCgroup"
>;

export interface RunningContainerOptions {
  readonly pod: Pod;
  readonly container: Container;
  readonly podIp: string;
  readonly process: ContainerProcess;
  readonly log: ContainerLog;
  /** For a container with `stdin: true`. */
  readonly input: InputWriter | undefined;
  readonly exec: ExecContext;
}

export type Health =
  | { readonly kind: "started" }
  | { readonly kind: "ready"; readonly ready: boolean }
  | { readonly kind: "unhealthy"; readonly why: string };

export interface RunningContainer {
  readonly options: RunningContainerOptions;
  /** Begins to probe. `started` says that the startup probe succeeded in an earlier life of the kubelet. */
  startProbes(started: boolean, onHealth: (health: Health) => void): void;
  /** preStop, SIGTERM, and SIGKILL after `graceMs`. Resolves when the processes are gone. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL now. */
  kill(): Promise<void>;
  /** Starts one more command in it, with its input and output open. */
  open(command: readonly string[], tty: boolean): OpenProcess;
  /** Joins its own process: output from now on, and its input when it has one. */
  attach(request: Pick<ExecRequest, "stdin">): OpenProcess;
  /** It has ended: no more probes. */
  detachProbes(): void;
  /** Stops watching, and leaves the container alone. */
  detach(): void;
}

type ProbeKind = "Startup" | "Liveness" | "Readiness";

export function watchContainer(options: RunningContainerOptions, context: NodeContext): RunningContainer {
  const probers: Prober[] = [];
  const { container, pod, process } = options;

  const exec = (command: readonly string[], timeoutMs: number): Promise<{ code: number; output: string }> =>
    execInContainer({ ...options.exec, processId: process.record.program.pid, command }, timeoutMs);

  async function ask(probe: Probe, timeoutMs: number): Promise<ProbeOutcome> {
    try {
      const target = probeTarget(probe, container, options.podIp);
      return await runProbe(target, timeoutMs, { netns: context.netns, exec });
    } catch (error) {
      return { kind: "failure", message: describeError(error) };
    }
  }

  function startProbe(kind: ProbeKind, probe: Probe | undefined, onVerdict: (good: boolean) => void): void {
    if (probe === undefined) return;
    const timing = probeTiming(probe);
    probers.push(
      startProber(
        { ...timing, eager: kind === "Readiness" },
        {
          clock: context.clock,
          probe: () => ask(probe, timing.timeoutMs),
          onVerdict: (verdict) => onVerdict(verdict === "success"),
          onFailure: (message) =>
            context.events.record(
              pod,
              "Warning",
              "Unhealthy",
              `${kind} probe failed: ${message}`,
              container.name,
            ),
        },
      ),
    );
  }

  function stopProbes(): void {
    for (const prober of probers.splice(0)) prober.stop();
  }

  function startSteadyProbes(onHealth: (health: Health) => void): void {
    startProbe("Readiness", container.readinessProbe, (ready) => onHealth({ kind: "ready", ready }));
    startProbe("Liveness", container.livenessProbe, (good) => {
      if (!good) onHealth({ kind: "unhealthy", why: "failed liveness probe, will be restarted" });
    });
  }

  async function preStop(graceMs: number): Promise<void> {
    const hook = container.lifecycle?.preStop;
    const sleepSeconds = (hook as { readonly sleep?: { readonly seconds: number } } | undefined)?.sleep
      ?.seconds;
    if (hook === undefined) return;
    if (sleepSeconds !== undefined) {
      await Promise.race([delay(context.clock, Math.min(sleepSeconds * 1000, graceMs)), process.exited]);
      return;
    }
    const outcome = await ask(hook as Probe, graceMs);
    if (outcome.kind === "failure")
      context.events.record(pod, "Warning", "FailedPreStopHook", outcome.message, container.name);
  }

  return {
    options,
    open: (command, tty) =>
      openExec({ ...options.exec, processId: process.record.program.pid, command }, tty),
    attach: (request) => attachContainer(options.log, options.input, request),
    startProbes(started, onHealth) {
      if (container.startupProbe === undefined || started) {
        startSteadyProbes(onHealth);
        return;
      }
      startProbe("Startup", container.startupProbe, (good) => {
        if (!good) {
          onHealth({ kind: "unhealthy", why: "failed startup probe, will be restarted" });
          return;
        }
        stopProbes();
        onHealth({ kind: "started" });
        startSteadyProbes(onHealth);
      });
    },
    async stop(graceMs) {
      stopProbes();
      const startedAtMs = context.clock.monotonicMs();
      await preStop(graceMs);
      process.signal("SIGTERM");
      const leftMs = Math.max(0, graceMs - (context.clock.monotonicMs() - startedAtMs));
      await Promise.race([process.exited, delay(context.clock, leftMs)]);
      // Also after a clean end: with hostPID a program may leave others behind.
      await process.kill();
      await process.exited;
    },
    async kill() {
      stopProbes();
      await process.kill();
    },
    detachProbes() {
      stopProbes();
      options.input?.close();
    },
    detach() {
      stopProbes();
      options.input?.close();
      options.log.detach();
    },
  };
}

/** Where the run's exec context comes from. */
export function execContextOf(spec: LaunchSpec): ExecContext {
  const { workingDir, userId, groupId, environment, containerCgroup } = spec;
  return { workingDir, userId, groupId, environment, containerCgroup };
}
