/** Where the client's ztunnel would send a connection: `findPath`, asked with every chance that a connection may have. Pure. */

import { guardRefusal } from "@meltemi/authorization";
import {
  findPath,
  formatIdentity,
  formatSocketAddress,
  type MeshSnapshot,
  type Path,
  type SocketAddress,
  type Workload,
} from "@meltemi/model";
import type { Verdict } from "./explanation.ts";

const HBONE_PORT = 15_008;
/** Enough to meet every endpoint of a service of some dozens, and every waypoint of a canary. */
const ENDPOINT_DRAWS = 128;
const WAYPOINT_DRAWS = 20;

export interface PossiblePath {
  readonly path: Path;
  /** Of all connections, 0 to 1. */
  readonly share: number;
  /** Why it is refused where it begins. */
  readonly refusal: string | undefined;
}

/** The different paths that a connection may take, the most likely one first. */
export function possiblePaths(
  snapshot: MeshSnapshot,
  source: Workload,
  destination: SocketAddress,
): readonly PossiblePath[] {
  const counts = new Map<string, { readonly path: Path; count: number }>();
  for (let waypoint = 0; waypoint < WAYPOINT_DRAWS; waypoint++) {
    for (let endpoint = 0; endpoint < ENDPOINT_DRAWS; endpoint++) {
      const path = findPath(snapshot, {
        source,
        network: source.network,
        destination,
        hbonePort: HBONE_PORT,
        draws: { waypoint: (waypoint + 0.5) / WAYPOINT_DRAWS, endpoint: (endpoint + 0.5) / ENDPOINT_DRAWS },
        resolved: () => undefined,
      });
      const key = `${pathText(path)} ${path.kind === "refuse" || path.kind === "resolve" ? "" : path.target.workload?.uid}`;
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { path, count: 1 });
      else known.count++;
    }
  }
  return [...counts.values()]
    .sort((a, b) => b.count - a.count)
    .map(({ path, count }) => ({
      path,
      share: count / (WAYPOINT_DRAWS * ENDPOINT_DRAWS),
      refusal: guardRefusal(snapshot, source, path),
    }));
}

export function pathText(path: Path): string {
  switch (path.kind) {
    case "refuse":
      return `refuses the connection: ${path.message}`;
    case "resolve":
      return `resolves ${path.hostname}, and connects to what it finds`;
    case "passthrough":
      return `passes it on untouched, in plaintext, to ${formatSocketAddress(path.address)}`;
    case "tcp":
      return `connects in plaintext to ${targetText(path)} at ${formatSocketAddress(path.address)}`;
    case "hbone":
      return `opens a tunnel (HBONE, mutual TLS) to ${targetText(path)} at ${formatSocketAddress(path.address)}, for ${path.authority}`;
    case "doubleHbone":
      return `opens a tunnel within a tunnel through the network gateway at ${formatSocketAddress(path.address)}, for ${path.authority}`;
  }
}

function targetText({ target }: Extract<Path, { readonly kind: "tcp" | "hbone" }>): string {
  return target.workload === undefined
    ? "an unknown workload"
    : `${target.workload.name}.${target.workload.namespace}`;
}

/** Whom the far end has to prove to be. */
export function expectedText(path: Path): string | undefined {
  const expected =
    path.kind === "hbone" ? path.expected : path.kind === "doubleHbone" ? path.outerExpected : [];
  return expected.length === 0 ? undefined : expected.map(formatIdentity).join(" or ");
}

export function pathVerdict({ path, refusal }: PossiblePath): Verdict {
  if (path.kind === "refuse") return { kind: "denied", reason: path.message };
  if (refusal !== undefined) return { kind: "denied", reason: refusal };
  return { kind: "allowed", reason: "ztunnel judges no policy where a connection begins" };
}
