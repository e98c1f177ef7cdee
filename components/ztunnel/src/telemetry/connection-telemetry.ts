/** Metrics and access log of one connection, from its decision to its end (reference: protocol §7.2, §7.5). */

import { PEER_REVOKED } from "@meltemi/identity";
import type { RelayResult, RelaySession } from "@meltemi/l4";
import { createRefusalLog } from "@meltemi/runtime";
import type { AccessLog, AccessLogRecord, Registry } from "@meltemi/telemetry";
import type { ConnectionSubject, ResponseFlag } from "./connection-labels.ts";
import { createSeriesCache, defineFamilies, type SubjectSeries } from "./subject-series.ts";

export interface ConnectionTelemetry {
  /** What one pod's connections are told to: its refusals, however many, leave those of other pods room in the log. */
  forPod(): PodTelemetry;
}

export interface PodTelemetry {
  /** The connection is decided upon and begins: counted and logged as opened. It lasts from `startedMs` on, default now. */
  open(subject: ConnectionSubject, record: AccessLogRecord, startedMs?: number): OpenConnection;
  /** Refused before anything but its addresses was known: counted, and logged as far as {@link createRefusalLog} permits. */
  refused(
    source: string,
    destination: string | undefined,
    direction: "inbound" | "outbound",
    error: string,
  ): void;
  /** A data socket was opened; returns how to say that it closed. */
  socketOpened(reporter: "source" | "destination"): () => void;
}

export interface OpenConnection {
  /** From now on the byte counters follow this relay. */
  carry(session: RelaySession): void;
  /** The end; once. `error` goes to the log, the flag to the metrics. */
  finish(flag: ResponseFlag, error?: string): void;
}

export interface ConnectionTelemetryDeps {
  readonly registry: Registry;
  readonly accessLog: AccessLog;
  readonly monotonicMs: () => number;
}

export function createConnectionTelemetry(deps: ConnectionTelemetryDeps): ConnectionTelemetry {
  const families = defineFamilies(deps.registry);
  const refusals = deps.registry.counter({
    name: "meltemi_connections_refused",
    help: "Connections refused before more than their addresses was known; the log may leave out some of them",
    labels: ["reporter"],
  });
  const live = new Set<Connection>();
  const seriesOf = createSeriesCache(families);
  // Bytes are read when somebody asks, so that a connection which carries them pays nothing for the metric.
  deps.registry.onCollect(() => {
    for (const connection of live) connection.countBytes();
  });
  const common: Omit<PodTelemetry, "refused"> = {
    open(subject, record, startedMs = deps.monotonicMs()) {
      const series = seriesOf(subject);
      series.opened.inc();
      deps.accessLog.opened(record);
      const connection = new Connection(series, record, startedMs, deps, () => live.delete(connection));
      live.add(connection);
      return connection;
    },
    socketOpened(reporter) {
      const gauge = families.sockets.labels({ reporter });
      gauge.add(1);
      return () => gauge.add(-1);
    },
  };
  return {
    forPod() {
      const log = createRefusalLog(deps);
      return {
        ...common,
        refused(source, destination, direction, error) {
          refusals.labels({ reporter: direction === "outbound" ? "source" : "destination" }).inc();
          const line = log.admit();
          if (line.kind === "suppress") return;
          const more = line.suppressed > 0 ? ` (${line.suppressed} refusals suppressed before this one)` : "";
          deps.accessLog.refused(source, destination, direction, error + more);
        },
      };
    },
  };
}

class Connection implements OpenConnection {
  readonly #series: SubjectSeries;
  readonly #record: AccessLogRecord;
  readonly #deps: ConnectionTelemetryDeps;
  readonly #forget: () => void;
  readonly #startMs: number;
  #session: RelaySession | undefined;
  #countedUp = 0;
  #countedDown = 0;

  constructor(
    series: SubjectSeries,
    record: AccessLogRecord,
    startedMs: number,
    deps: ConnectionTelemetryDeps,
    forget: () => void,
  ) {
    this.#series = series;
    this.#record = record;
    this.#deps = deps;
    this.#forget = forget;
    this.#startMs = startedMs;
  }

  carry(session: RelaySession): void {
    this.#session = session;
  }

  /** Both reporters count from the server's point of view: what the client sent is received. */
  countBytes(): void {
    const up = this.#session?.sentBytes ?? 0;
    const down = this.#session?.receivedBytes ?? 0;
    this.#series.received.inc(up - this.#countedUp);
    this.#series.sent.inc(down - this.#countedDown);
    this.#countedUp = up;
    this.#countedDown = down;
  }

  finish(flag: ResponseFlag, error?: string): void {
    this.countBytes();
    this.#forget();
    this.#series.countEnd(flag);
    // The log counts from this proxy's own point of view, so the directions swap at the server's side.
    const outbound = this.#record.direction === "outbound";
    this.#deps.accessLog.complete(this.#record, {
      bytesSent: outbound ? this.#countedUp : this.#countedDown,
      bytesReceived: outbound ? this.#countedDown : this.#countedUp,
      durationMs: this.#deps.monotonicMs() - this.#startMs,
      error,
    });
  }
}

/** Why this process ended a connection, in the words of the log. */
export const CLOSED_BY = {
  policy: "connection closed due to policy change",
  drain: "connection closed due to connection drain",
} as const;

/** How the end of a relay is told. A reset by a peer is how many programs end a connection: no error. */
export function relayEnding(result: RelayResult): { readonly flag: ResponseFlag; readonly error?: string } {
  const { end } = result;
  if (end.kind === "closed") return { flag: "-" };
  if (end.kind === "faulted") {
    if (end.fault.kind === "reset") return { flag: "-" };
    const { detail } = end.fault;
    // Last words of the tunnel itself, or of the one around it.
    if (detail.endsWith(PEER_REVOKED)) return { flag: "CERT_REVOKED", error: PEER_REVOKED };
    return { flag: "-", error: `${end.side === "downstream" ? "client" : "destination"}: ${detail}` };
  }
  switch (end.reason) {
    case "policy":
      return { flag: "DENY", error: CLOSED_BY.policy };
    case "drain":
      return { flag: "-", error: CLOSED_BY.drain };
    case "idle":
    case "half-open":
    case "limit":
    case "other-side-failed":
      return { flag: "-", error: `connection closed: ${end.reason}` };
  }
}
