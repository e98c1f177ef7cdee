/** `meltemi cluster down`: the cluster goes without a trace. */

import { type Clock, MeshError } from "@meltemi/runtime";
import type { ClusterArguments } from "./arguments.ts";
import { removeFromMachine, removeStateFolder, stopDaemon } from "./leftovers.ts";
import type { Say } from "./say.ts";
import { clusterFolder, readDescription } from "./state.ts";

export async function clusterDown(
  options: ClusterArguments,
  deps: { readonly clock: Clock; readonly say: Say },
): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new MeshError(
      "UNSUPPORTED",
      "taking a cluster down needs root: it removes network namespaces and mounts (try sudo)",
    );
  const folder = clusterFolder(options.state);
  const description = await readDescription(folder);
  if (description !== undefined && description.name !== options.name)
    throw new MeshError(
      "CONFLICT",
      `${folder.path} holds the cluster ${description.name}, not ${options.name}: say --name ${description.name}`,
    );
  await stopDaemon(folder, deps.clock);
  const problems = await removeFromMachine(
    options.name,
    folder,
    description?.mountedBpf === true,
    deps.clock,
  );
  if (problems.length > 0) throw new MeshError("KERNEL", problems.join("; "));
  // Only what `up` made: a folder without a cluster in it is somebody else's.
  if (description !== undefined && !options.keepState) await removeStateFolder(folder);
  if (description === undefined) deps.say(`there is no cluster ${options.name}`);
  else if (options.keepState)
    deps.say(`cluster ${options.name} is down; its state is kept in ${folder.path}`);
  else deps.say(`cluster ${options.name} is gone`);
}
