/** What `meltemi cluster up` is about to make, or why it cannot. */

import { readdir } from "node:fs/promises";
import { MeshError } from "@meltemi/runtime";
import { isRunning } from "../kubelet/container/process-identity.ts";
import { listNamespaces } from "../network/build.ts";
import type { ClusterArguments } from "./arguments.ts";
import { ensureBpf } from "./bpf.ts";
import { inspectMachine, isPortFree, judgeMachine } from "./preflight.ts";
import { spaceFault } from "./space.ts";
import {
  type ClusterDescription,
  type ClusterFolder,
  clusterFolder,
  readDaemon,
  readDescription,
} from "./state.ts";
import { DEFAULT_API_PORT } from "./usage.ts";

const DEFAULT_NODES = 2;

interface ClusterPlan {
  readonly description: ClusterDescription;
  /** Nothing of the cluster was there before: when it does not come up, nothing of it stays. */
  readonly isNew: boolean;
}

/** Looks, and changes nothing but a missing mount of the bpffs. Throws with every fault of the machine, or with what stands in the way. */
export async function planCluster(options: ClusterArguments): Promise<ClusterPlan> {
  const faults = judgeMachine(inspectMachine());
  if (faults.length > 0) throw new MeshError("UNSUPPORTED", faults.join("\n"));
  const folder = clusterFolder(options.state);
  const existing = await readDescription(folder);
  if (existing !== undefined && existing.name !== options.name)
    throw new MeshError(
      "CONFLICT",
      `${folder.path} holds another cluster, ${existing.name}: choose another --state`,
    );
  if (existing === undefined && (await listNamespaces(options.name)).length > 0)
    throw new MeshError(
      "CONFLICT",
      `a cluster ${options.name} with another state folder is up: \`meltemi cluster down --name ${options.name} --state …\` first, or choose another --name`,
    );
  if (existing === undefined) await refuseForeignFolder(folder);
  const running = await isUp(folder);
  const nodes = options.nodes ?? existing?.nodes ?? DEFAULT_NODES;
  if (existing !== undefined) refuseChanges(existing, nodes, options.apiPort, running);
  const apiPort = (running ? existing?.apiPort : undefined) ?? options.apiPort ?? existing?.apiPort;
  const description = {
    name: options.name,
    nodes,
    apiPort: apiPort ?? DEFAULT_API_PORT,
    zones: options.zones.length > 0 ? options.zones : (existing?.zones ?? []),
  };
  if (!running) {
    if (!(await isPortFree(description.apiPort)))
      throw new MeshError(
        "CONFLICT",
        `port ${description.apiPort} of 127.0.0.1 is taken: choose another --api-port`,
      );
    const fault = await spaceFault(folder.path);
    if (fault !== undefined) throw new MeshError("UNSUPPORTED", fault);
  }
  const mountedBpf = ensureBpf() || existing?.mountedBpf === true;
  return { description: { ...description, mountedBpf }, isNew: existing === undefined };
}

function refuseChanges(
  existing: ClusterDescription,
  nodes: number,
  apiPort: number | undefined,
  running: boolean,
): void {
  refuseOtherSize(existing, nodes, running);
  if (running) refuseOtherPort(existing, apiPort);
}

function refuseOtherSize({ name, nodes }: ClusterDescription, wanted: number, running: boolean): void {
  if (wanted < nodes)
    throw new MeshError("CONFLICT", `cluster ${name} has ${nodes} nodes and cannot shrink: down first`);
  if (running && wanted > nodes)
    throw new MeshError("CONFLICT", `cluster ${name} is up with ${nodes} nodes: down --keep-state first`);
}

function refuseOtherPort({ name, apiPort }: ClusterDescription, wanted: number | undefined): void {
  if (wanted !== undefined && wanted !== apiPort)
    throw new MeshError(
      "CONFLICT",
      `--api-port ${wanted}: cluster ${name} is up, and its API server listens on port ${apiPort}: \`meltemi cluster down --keep-state --name ${name}\` first`,
    );
}

/** `down` removes the folder with all that is in it. */
async function refuseForeignFolder({ path }: ClusterFolder): Promise<void> {
  const found = (await readdir(path).catch(() => [])).filter((name) => name !== "lost+found");
  if (found.length > 0)
    throw new MeshError(
      "CONFLICT",
      `${path} holds other things (${found.slice(0, 3).join(", ")}): expected an empty folder for --state, or one that is not there yet`,
    );
}

export async function isUp(folder: ClusterFolder): Promise<boolean> {
  const daemon = await readDaemon(folder);
  return daemon !== undefined && isRunning(daemon);
}
