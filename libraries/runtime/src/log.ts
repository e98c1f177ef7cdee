/**
 * Structured logs in the form of Istio's ztunnel (reference: protocol §7.5):
 * plain  `<RFC 3339, microseconds, Z>\t<level>\t<scope>\t<message>\t<k=v …>` with strings quoted,
 * json   `{"level","time","scope","message", …fields}`.
 */

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace" | "off";
export type LogFormat = "plain" | "json";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  trace(message: string, fields?: LogFields): void;
  /** True when a line of this level would be written: guards fields that are dear to compute. */
  enabled(level: LogLevel): boolean;
  /** The same sink under another scope, e.g. `access` or `xds::client`. */
  scope(name: string): Logger;
}

export interface LogSink {
  /** Levels by scope; shared by every logger of the process so that the admin port can change them. */
  readonly filter: LogFilter;
  readonly format: LogFormat;
  readonly nowMs: () => number;
  /** Receives whole lines, each ending in a newline. */
  readonly write: (line: string) => void;
}

const RANK: Readonly<Record<LogLevel, number>> = { off: 0, error: 1, warn: 2, info: 3, debug: 4, trace: 5 };

/** Mutable on purpose: `POST /logging` changes it while the process runs. */
export class LogFilter {
  #defaultLevel: LogLevel;
  readonly #byScope = new Map<string, LogLevel>();

  constructor(defaultLevel: LogLevel = "info") {
    this.#defaultLevel = defaultLevel;
  }

  /** Sets the level of one scope, or of all scopes that have none of their own. */
  set(level: LogLevel, scope?: string): void {
    if (scope === undefined) this.#defaultLevel = level;
    else this.#byScope.set(scope, level);
  }

  /** Back to one level for everything. */
  reset(level: LogLevel): void {
    this.#byScope.clear();
    this.#defaultLevel = level;
  }

  level(scope: string): LogLevel {
    let name = scope;
    for (;;) {
      const own = this.#byScope.get(name);
      if (own !== undefined) return own;
      const cut = name.lastIndexOf("::");
      if (cut < 0) return this.#defaultLevel;
      name = name.slice(0, cut);
    }
  }

  /** As ztunnel prints it: `scope=level,…,default`. */
  toString(): string {
    return [...[...this.#byScope].map(([scope, level]) => `${scope}=${level}`), this.#defaultLevel].join(",");
  }
}

export function isLogLevel(text: string): text is LogLevel {
  return Object.hasOwn(RANK, text);
}

export function createLogger(sink: LogSink, scope: string): Logger {
  const enabled = (level: LogLevel): boolean => RANK[level] <= RANK[sink.filter.level(scope)];
  const emit = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (enabled(level)) sink.write(formatLine(sink.format, sink.nowMs(), level, scope, message, fields));
  };
  return {
    error: (message, fields) => emit("error", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    info: (message, fields) => emit("info", message, fields),
    debug: (message, fields) => emit("debug", message, fields),
    trace: (message, fields) => emit("trace", message, fields),
    enabled,
    scope: (name) => createLogger(sink, name),
  };
}

/** One line, newline included. Fields that are undefined are left out. */
export function formatLine(
  format: LogFormat,
  nowMs: number,
  level: LogLevel,
  scope: string,
  message: string,
  fields: LogFields,
): string {
  const time = new Date(nowMs).toISOString().replace("Z", "000Z");
  if (format === "json") return `${JSON.stringify({ level, time, scope, message, ...fields })}\n`;
  let pairs = "";
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    if (value === undefined) continue;
    const quoted = typeof value === "string" && !isBareAddress(key);
    pairs += `${pairs === "" ? "\t" : " "}${key}=${quoted ? JSON.stringify(value) : value}`;
  }
  const text = message.replaceAll(/[\n\r\t]/g, " ");
  return `${time}\t${level}\t${scope}\t${text}${pairs}\n`;
}

/** ztunnel prints socket addresses without quotes. */
function isBareAddress(key: string): boolean {
  return key.endsWith(".addr") || key.endsWith(".hbone_addr");
}
