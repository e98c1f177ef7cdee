/** Metrics and access log of one connection, from its decision to its end (reference: protocol §7.2, §7.5). */

import type { RelayResult, RelaySession } from "@meltemi/l4";
import type { AccessLog, AccessLogRecord, Counter, Family, Registry } from "@meltemi/telemetry";
import {
  CONNECTION_LABELS,
  type ConnectionLabel,
  type ConnectionSubject,
  connectionLabels,
  type ResponseFlag,
} from "./connection-labels.ts";

export interface ConnectionTelemetry {
  /** The connection is decided upon and begins: counted and logged as opened. It lasts from `startedMs` on, default now. */
  open(subject: ConnectionSubject, record: AccessLogRecord, startedMs?: number): OpenConnection;
  /** Refused before anything but its addresses was known: one log line, no metric. */
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
  const live = new Set<Connection>();
  // Bytes are read when somebody asks, so that a connection which carries them pays nothing for the metric.
  deps.registry.onCollect(() => {
    for (const connection of live) connection.countBytes();
  });
  return {
    open(subject, record, startedMs = deps.monotonicMs()) {
      families.opened.labels(connectionLabels(subject, "-")).inc();
      deps.accessLog.opened(record);
      const connection = new Connection(subject, record, startedMs, families, deps, () =>
        live.delete(connection),
      );
      live.add(connection);
      return connection;
    },
    refused: (source, destination, direction, error) =>
      deps.accessLog.refused(source, destination, direction, error),
    socketOpened(reporter) {
      const gauge = families.sockets.labels({ reporter });
      gauge.add(1);
      return () => gauge.add(-1);
    },
  };
}

type Families = ReturnType<typeof defineFamilies>;

function defineFamilies(registry: Registry) {
  const counter = (name: string, help: string, stable: boolean): Family<ConnectionLabel, Counter> =>
    registry.counter({ name: `istio_tcp_${name}`, help, stable, labels: CONNECTION_LABELS });
  return {
    opened: counter("connections_opened", "The total number of TCP connections opened", true),
    closed: counter("connections_closed", "The total number of TCP connections closed", true),
    received: counter(
      "received_bytes",
      "The size of total bytes received during request in case of a TCP connection",
      true,
    ),
    sent: counter(
      "sent_bytes",
      "The size of total bytes sent during response in case of a TCP connection",
      true,
    ),
    failed: counter(
      "connections_failed",
      "The total number of TCP connections that failed to establish",
      false,
    ),
    sockets: registry.gauge({
      name: "istio_tcp_sockets_open",
      help: "The current number of open TCP sockets",
      labels: ["reporter"],
    }),
  };
}

class Connection implements OpenConnection {
  readonly #subject: ConnectionSubject;
  readonly #record: AccessLogRecord;
  readonly #families: Families;
  readonly #deps: ConnectionTelemetryDeps;
  readonly #forget: () => void;
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #startMs: number;
  #session: RelaySession | undefined;
  #countedUp = 0;
  #countedDown = 0;

  constructor(
    subject: ConnectionSubject,
    record: AccessLogRecord,
    startedMs: number,
    families: Families,
    deps: ConnectionTelemetryDeps,
    forget: () => void,
  ) {
    this.#subject = subject;
    this.#record = record;
    this.#families = families;
    this.#deps = deps;
    this.#forget = forget;
    const labels = connectionLabels(subject, "-");
    this.#received = families.received.labels(labels);
    this.#sent = families.sent.labels(labels);
    this.#startMs = startedMs;
  }

  carry(session: RelaySession): void {
    this.#session = session;
  }

  /** Both reporters count from the server's point of view: what the client sent is received. */
  countBytes(): void {
    const up = this.#session?.sentBytes ?? 0;
    const down = this.#session?.receivedBytes ?? 0;
    this.#received.inc(up - this.#countedUp);
    this.#sent.inc(down - this.#countedDown);
    this.#countedUp = up;
    this.#countedDown = down;
  }

  finish(flag: ResponseFlag, error?: string): void {
    this.countBytes();
    this.#forget();
    const labels = connectionLabels(this.#subject, flag);
    this.#families.closed.labels(labels).inc();
    if (flag !== "-") this.#families.failed.labels(labels).inc();
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

/** How the end of a relay is told. A reset by a peer is how many programs end a connection: no error. */
export function relayEnding(result: RelayResult): { readonly flag: ResponseFlag; readonly error?: string } {
  const { end } = result;
  if (end.kind === "closed") return { flag: "-" };
  if (end.kind === "faulted")
    return end.fault.kind === "reset"
      ? { flag: "-" }
      : { flag: "-", error: `${end.side === "downstream" ? "client" : "destination"}: ${end.fault.detail}` };
  switch (end.reason) {
    case "policy":
      return { flag: "DENY", error: "connection closed due to policy change" };
    case "drain":
      return { flag: "-", error: "connection closed due to connection drain" };
    case "idle":
    case "half-open":
    case "limit":
    case "other-side-failed":
      return { flag: "-", error: `connection closed: ${end.reason}` };
  }
}
