/** The access log of ztunnel: one record per connection, under the scope `access` (reference: protocol §7.5). */

import type { LogFields, Logger } from "@meltemi/runtime";

/** One end of a connection. Absent values are left out of the line. */
export interface AccessLogPeer {
  /** `ip:port`. */
  readonly address: string;
  /** Name of the pod, else the canonical name. */
  readonly workload?: string | undefined;
  readonly namespace?: string | undefined;
  /** SPIFFE id; only when it was proved by mutual TLS. */
  readonly identity?: string | undefined;
  readonly cluster?: string | undefined;
}

export interface AccessLogRecord {
  readonly source: AccessLogPeer;
  readonly destination: AccessLogPeer & {
    /** Authority of the CONNECT request. */
    readonly hboneAddress?: string | undefined;
    /** Host name of the service that was meant. */
    readonly service?: string | undefined;
  };
  readonly direction: "inbound" | "outbound";
}

/** What is known when a connection has ended. Byte counts are from this proxy's own view of the peer it tunnels to. */
export interface AccessLogResult {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  /** Why it failed; absent when it ended well. */
  readonly error?: string | undefined;
}

export interface AccessLog {
  /** DEBUG `connection opened`. */
  opened(record: AccessLogRecord): void;
  /** `connection complete`: INFO, or ERROR when the result carries an error. */
  complete(record: AccessLogRecord, result: AccessLogResult): void;
  /** WARN `connection failed`: refused before anything but the addresses was known. */
  refused(
    source: string,
    destination: string | undefined,
    direction: "inbound" | "outbound",
    error: string,
  ): void;
}

export function createAccessLog(logger: Logger): AccessLog {
  const access = logger.scope("access");
  return {
    opened(record) {
      if (access.enabled("debug")) access.debug("connection opened", recordFields(record));
    },
    complete(record, result) {
      const level = result.error === undefined ? "info" : "error";
      if (access.enabled(level)) access[level]("connection complete", completeFields(record, result));
    },
    refused(source, destination, direction, error) {
      access.warn("connection failed", { "src.addr": source, "dst.addr": destination, direction, error });
    },
  };
}

/** Fields in the order in which Istio prints them. */
function recordFields(record: AccessLogRecord): LogFields {
  const { source, destination } = record;
  return {
    "src.addr": source.address,
    "src.workload": source.workload,
    "src.namespace": source.namespace,
    "src.identity": source.identity,
    "src.cluster": source.cluster,
    "dst.addr": destination.address,
    "dst.hbone_addr": destination.hboneAddress,
    "dst.service": destination.service,
    "dst.workload": destination.workload,
    "dst.namespace": destination.namespace,
    "dst.identity": destination.identity,
    "dst.cluster": destination.cluster,
    direction: record.direction,
  };
}

function completeFields(record: AccessLogRecord, result: AccessLogResult): LogFields {
  return {
    ...recordFields(record),
    bytes_sent: result.bytesSent,
    bytes_recv: result.bytesReceived,
    duration: `${Math.round(result.durationMs)}ms`,
    error: result.error,
  };
}
