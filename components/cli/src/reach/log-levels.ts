/** Asks a proxy for its log levels, or changes them: `POST /logging` (reference: protocol §8.1). */

import { keyOf, type Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import type { MeshCluster } from "./mesh-cluster.ts";

export interface LevelChange {
  /** `<level>` and `<scope>:<level>`, with commas; undefined: none. */
  readonly level: string | undefined;
  readonly reset: boolean;
}

const CLAUSE = /^(?:[\w:.-]+[:=])?(?:off|none|error|warn|warning|info|debug|trace)$/i;

/** Throws INPUT_INVALID for what is no list of levels. */
export function loggingPath({ level, reset }: LevelChange): string {
  const clauses = (level ?? "").split(",").filter((clause) => clause !== "");
  for (const clause of clauses)
    if (!CLAUSE.test(clause))
      throw new MeshError(
        "INPUT_INVALID",
        `--level ${JSON.stringify(clause)}: expected <level> or <scope>:<level>, the level one of off, error, warn, info, debug, trace`,
      );
  const query = new URLSearchParams();
  if (reset) query.set("reset", "");
  if (clauses.length > 0) query.set("level", clauses.map(normalized).join(","));
  const text = query.toString();
  return text === "" ? "/logging" : `/logging?${text}`;
}

/** Proxies take `scope=level` only, and know no `warning`. */
function normalized(clause: string): string {
  const at = Math.max(clause.lastIndexOf(":"), clause.lastIndexOf("="));
  const level = clause.slice(at + 1).toLowerCase();
  const known = level === "warning" ? "warn" : level === "none" ? "off" : level;
  return at < 0 ? known : `${clause.slice(0, at)}=${known}`;
}

/** The proxy's answer: its levels now. */
export async function changeLevels(
  cluster: MeshCluster,
  pod: Pod,
  port: number,
  change: LevelChange,
): Promise<string> {
  const path = loggingPath(change);
  const { status, body } = await cluster.request(pod, port, { method: "POST", path });
  if (status !== 200)
    throw new MeshError("PEER_REFUSED", `POST ${path} of pod ${keyOf(pod)}: HTTP ${status} ${body.trim()}`);
  return body.trimEnd();
}
