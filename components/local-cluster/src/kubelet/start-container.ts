/** Starts one run of a container, or takes over one that an earlier kubelet started. */

import { rm } from "node:fs/promises";
import { describeError, MeshError } from "@meltemi/runtime";
import { makeCgroup, removeCgroup } from "./container/cgroup.ts";
import { type InputWriter, makeContainerInput, openInputWriter } from "./container/container-input.ts";
import { type ContainerProcess, launchContainer } from "./container/container-process.ts";
import {
  describeLaunch,
  environmentOf,
  type LaunchContext,
  userOf,
  workingDirOf,
} from "./container/describe-launch.ts";
import { renderLaunchScript } from "./container/launch-script.ts";
import type { Container } from "./container/types.ts";
import { openContainerLog } from "./logs/container-log.ts";
import type { ContainerFolder } from "./pod-folder.ts";
import { execContextOf, type RunningContainer, watchContainer } from "./running-container.ts";

/** Throws as `describeLaunch` and `launchContainer` do; nothing runs then. */
export async function startContainer(
  launch: LaunchContext,
  container: Container,
  folder: ContainerFolder,
  attempt: number,
): Promise<RunningContainer> {
  const { node, pod } = launch;
  const spec = await describeLaunch(launch, container, folder, attempt);
  node.events.record(pod, "Normal", "Created", `Created container ${container.name}`, container.name);
  await makeEmptyCgroup(spec.containerCgroup, launch);
  const log = await openContainerLog({ fifo: folder.fifo, path: folder.log(attempt) }, node);
  const input =
    container.stdin === true
      ? await makeContainerInput(folder.inputFifo, container.stdinOnce === true)
      : undefined;
  try {
    const process = await launchContainer(
      {
        folder: folder.path,
        cgroup: spec.containerCgroup,
        script: renderLaunchScript(spec),
        outputFifo: folder.fifo,
        inputFd: input?.childFd,
      },
      node.clock,
    );
    node.events.record(pod, "Normal", "Started", `Started container ${container.name}`, container.name);
    const podIp = launch.podIps[0] ?? "";
    const exec = execContextOf(spec);
    return watchContainer({ pod, container, podIp, process, log, input: input?.writer, exec }, node);
  } catch (error) {
    log.detach();
    input?.writer.close();
    throw error;
  }
}

export type AdoptContext = Pick<LaunchContext, "node" | "pod" | "data" | "podIps" | "podCgroup">;

/** Its output, which its pipe held back meanwhile, goes on in the same log. */
export async function adoptContainer(
  launch: AdoptContext,
  container: Container,
  folder: ContainerFolder,
  attempt: number,
  process: ContainerProcess,
): Promise<RunningContainer> {
  const { node, pod } = launch;
  const user = userOf(pod, container);
  const exec = {
    ...user,
    environment: knownEnvironment(launch, container, user.userId),
    containerCgroup: `${launch.podCgroup}/${container.name}`,
    workingDir: workingDirOf(node, container),
  };
  const log = await openContainerLog({ fifo: folder.fifo, path: folder.log(attempt) }, node);
  const [podIp = ""] = launch.podIps;
  const input = knownInput(launch, container, folder);
  return watchContainer({ pod, container, podIp, process, log, input, exec }, node);
}

/** A container that closed its input, or had it from a kubelet that is gone, has none any more. */
function knownInput(
  launch: AdoptContext,
  container: Container,
  folder: ContainerFolder,
): InputWriter | undefined {
  if (container.stdin !== true || container.stdinOnce === true) return undefined;
  try {
    return openInputWriter(folder.inputFifo, false);
  } catch (error) {
    launch.node.log.info("standard input of an adopted container is closed", {
      container: container.name,
      error: describeError(error),
    });
    return undefined;
  }
}

/** For probes of a container that runs already. A ConfigMap that was deleted since must not end it. */
function knownEnvironment(
  launch: AdoptContext,
  container: Container,
  userId: number | undefined,
): ReadonlyMap<string, string> {
  try {
    return environmentOf(launch, container, userId);
  } catch (error) {
    launch.node.log.warn("environment of an adopted container is incomplete", {
      container: container.name,
      error: describeError(error),
    });
    return new Map();
  }
}

/** The last run's log is what `kubectl logs --previous` shows; older ones and all old layers go. */
export async function forgetOldRuns(folder: ContainerFolder, attempt: number): Promise<void> {
  await rm(folder.layer(attempt - 1), { recursive: true, force: true });
  await rm(folder.log(attempt - 2), { force: true });
  await rm(`${folder.log(attempt - 2)}.1`, { force: true });
}

/** What a killed run may have left in it is ended first. */
async function makeEmptyCgroup(path: string, { node }: LaunchContext): Promise<void> {
  if (!(await removeCgroup(path, node.clock)))
    throw new MeshError("KERNEL", `processes of the last run do not end: ${path}`);
  await makeCgroup(path);
}
