/**
 * A connection around a demanded waypoint is refused where it begins, with a reason that its owner reads in the log of the own
 * node. This is a courtesy: what holds is the same policy at the destination, which no client can leave out.
 */

import {
  isWaypointGuard,
  type MeshSnapshot,
  type Path,
  parseSocketAddress,
  policiesOf,
  type SocketAddress,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import { decideAuthorization } from "./decide.ts";

/** Undefined: nothing that is known here forbids it. */
export function guardRefusal(snapshot: MeshSnapshot, source: Workload, path: Path): string | undefined {
  const destination = applicationOf(path);
  if (destination === undefined) return undefined;
  const { workload, address } = destination;
  // Most workloads have none, and no list is made for them.
  if (!workload.authorizationPolicies.some(isWaypointGuard)) return undefined;
  const applicable = policiesOf(snapshot, workload).policies.filter(({ namespace, name }) =>
    isWaypointGuard(`${namespace}/${name}`),
  );
  const sourceIp = source.addresses[0];
  if (sourceIp === undefined) return undefined;
  const connection = {
    sourceIp,
    destination: address,
    // Without a tunnel the far side would not learn who it is; here it is known.
    identity: workloadIdentity(source),
  };
  const verdict = decideAuthorization({ policies: applicable, missing: [] }, connection);
  if (verdict.kind !== "deny") return undefined;
  return `${workload.namespace}/${workload.name} is reached through its waypoint only: ${verdict.message}`;
}

/** The workload at the path's end, when the path ends at its application and at no waypoint or gateway before it. */
function applicationOf(
  path: Path,
): { readonly workload: Workload; readonly address: SocketAddress } | undefined {
  if (path.kind !== "hbone" && path.kind !== "tcp") return undefined;
  const { workload } = path.target;
  if (workload === undefined) return undefined;
  const address = path.kind === "tcp" ? path.address : parseSocketAddress(path.authority);
  return address === undefined ? undefined : { workload, address };
}
