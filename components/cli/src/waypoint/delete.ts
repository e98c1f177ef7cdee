/** `waypoint delete`: by name, all of a namespace, or those of a revision. */

import { GATEWAYS, type Gateway, refOf } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { type ClusterDependencies, findWaypoints } from "./cluster.ts";
import { formatWaypoint, REVISION_LABEL } from "./gateway.ts";

export interface DeleteOptions {
  readonly names: readonly string[];
  readonly all: boolean;
  readonly revision: string | undefined;
}

/** Throws INPUT_INVALID, in Istio's words, when it is not clear what is meant. */
export function checkDelete({ names, all, revision }: DeleteOptions): void {
  if (names.length > 0 && (all || revision !== undefined))
    throw new MeshError("INPUT_INVALID", "cannot specify waypoint names when deleting all waypoints");
  if (names.length === 0 && !all && revision === undefined)
    throw new MeshError(
      "INPUT_INVALID",
      "must specify a waypoint name or delete all using --all or delete specific revision using --revision",
    );
}

/** Gateways of other classes are not waypoints, whatever they are called, and stay. */
export async function deleteWaypoints(
  options: DeleteOptions,
  namespace: string,
  deps: ClusterDependencies,
): Promise<void> {
  const { client, terminal, signal } = deps;
  const waypoints = await findWaypoints(namespace, deps);
  const found = waypoints.filter((gateway) => isMeant(gateway, options));
  for (const name of options.names)
    if (!found.some(({ metadata }) => metadata?.name === name))
      terminal.line(`waypoint ${namespace}/${name} not found`);
  for (const gateway of found) {
    const uid = gateway.metadata?.uid;
    await client.delete(GATEWAYS, refOf(gateway), {
      signal,
      ...(uid !== undefined && { preconditions: { uid } }),
    });
    terminal.line(`waypoint ${formatWaypoint(gateway)} deleted`);
  }
}

function isMeant({ metadata }: Gateway, { names, revision }: DeleteOptions): boolean {
  if (names.length > 0) return names.includes(metadata?.name ?? "");
  return revision === undefined || metadata?.labels?.[REVISION_LABEL] === revision;
}
