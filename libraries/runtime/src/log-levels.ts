/** Log levels by text: `RUST_LOG` and `POST /logging` (reference: protocol §8.1). */

import { isLogLevel, type LogFilter, type LogLevel } from "./log.ts";

/** A filter has a clause per scope; nobody sets more by hand. */
const MAX_CLAUSES = 64;

type Clause = { readonly level: LogLevel; readonly scope: string | undefined };

/** Reads `level` and `scope=level`, comma separated; undefined when any clause is neither. */
export function parseLogClauses(text: string): readonly Clause[] | undefined {
  const clauses: Clause[] = [];
  for (const part of text.split(",", MAX_CLAUSES).map((one) => one.trim())) {
    if (part === "") continue;
    const [first = "", second, more] = part.split("=");
    const level = (second ?? first).toLowerCase();
    if (more !== undefined || !isLogLevel(level) || (second !== undefined && first === "")) return undefined;
    // Istio's own scopes are printed without the crate's name, and so are they here.
    clauses.push({ level, scope: second === undefined ? undefined : first.replace(/^ztunnel::/, "") });
  }
  return clauses;
}

export function applyLogClauses(filter: LogFilter, clauses: readonly Clause[]): void {
  for (const { level, scope } of clauses) filter.set(level, scope);
}

const HELP = `
usage: POST /logging                                 (To list current level)
usage: POST /logging?level=<level>                   (To change global levels)
usage: POST /logging?level={mod1}={level1},{mod2}={level2}  (To change specific levels)
usage: POST /logging?reset                           (To reset levels)
level is one of off, error, warn, info, debug, trace
`;

/** Answer of `/logging`; changes the filter. `initial` is what a reset goes back to. */
export function changeLogLevels(
  filter: LogFilter,
  initial: string,
  method: string,
  query: URLSearchParams,
): { readonly status: number; readonly body: string } {
  if (method !== "POST") return { status: 405, body: `Invalid HTTP method${HELP}` };
  const unknown = [...query.keys()].filter((key) => key !== "level" && key !== "reset");
  const clauses = parseLogClauses(query.get("level") ?? "");
  if (unknown.length > 0 || clauses === undefined)
    return { status: 400, body: `Invalid level or parameter${HELP}` };
  if (query.has("reset")) {
    filter.reset("info");
    applyLogClauses(filter, parseLogClauses(initial) ?? []);
  }
  applyLogClauses(filter, clauses);
  return { status: 200, body: `current log level is ${filter.toString()}\n` };
}
