/** The metrics of connections, and the series that connections of one subject share. */

import { formatIdentity, type Workload } from "@meltemi/model";
import type { Counter, Family, Gauge, Registry } from "@meltemi/telemetry";
import {
  CONNECTION_LABELS,
  type ConnectionLabel,
  type ConnectionSubject,
  connectionLabels,
  type ResponseFlag,
} from "./connection-labels.ts";

export interface ConnectionFamilies {
  readonly opened: Family<ConnectionLabel, Counter>;
  readonly closed: Family<ConnectionLabel, Counter>;
  readonly received: Family<ConnectionLabel, Counter>;
  readonly sent: Family<ConnectionLabel, Counter>;
  readonly failed: Family<ConnectionLabel, Counter>;
  readonly sockets: Family<"reporter", Gauge>;
}

export function defineFamilies(registry: Registry): ConnectionFamilies {
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

/** The counters of all connections of one subject. */
export interface SubjectSeries {
  readonly opened: Counter;
  readonly received: Counter;
  readonly sent: Counter;
  countEnd(flag: ResponseFlag): void;
}

function seriesFor(subject: ConnectionSubject, families: ConnectionFamilies): SubjectSeries {
  const labels = connectionLabels(subject, "-");
  const closed = families.closed.labels(labels);
  return {
    opened: families.opened.labels(labels),
    received: families.received.labels(labels),
    sent: families.sent.labels(labels),
    countEnd(flag) {
      if (flag === "-") return closed.inc();
      const ended = connectionLabels(subject, flag);
      families.closed.labels(ended).inc();
      families.failed.labels(ended).inc();
    },
  };
}

/**
 * Counters by the two workloads, as long as these live: making the 27 labels and finding their series five times was a tenth of
 * the CPU time of a short connection. What is known from baggage alone is not kept: peers choose it.
 */
export function createSeriesCache(
  families: ConnectionFamilies,
): (subject: ConnectionSubject) => SubjectSeries {
  const bySource = new WeakMap<Workload, WeakMap<Workload, Map<string, SubjectSeries>>>();
  return (subject) => {
    const { source, destination, destinationService: service, mutualTls, reporter } = subject;
    if (source === undefined || destination === undefined) return seriesFor(subject, families);
    let byDestination = bySource.get(source);
    if (byDestination === undefined) {
      byDestination = new WeakMap();
      bySource.set(source, byDestination);
    }
    let byRest = byDestination.get(destination);
    if (byRest === undefined) {
      byRest = new Map();
      byDestination.set(destination, byRest);
    }
    const identities = [subject.sourceIdentity, subject.destinationIdentity].map(
      (identity) => identity && formatIdentity(identity),
    );
    const key = [
      reporter,
      mutualTls,
      service?.namespace,
      service?.name,
      service?.hostname,
      ...identities,
    ].join(" ");
    let series = byRest.get(key);
    if (series === undefined) {
      // Without what the first peer said of itself, which the labels of known workloads do not need.
      series = seriesFor({ ...subject, sourceBaggage: undefined, destinationBaggage: undefined }, families);
      if (byRest.size < MAX_SERIES_OF_PAIR) byRest.set(key, series);
    }
    return series;
  };
}

/** Services and identities under which one workload can be known to another; the identity is a peer's, though a proved one. */
const MAX_SERIES_OF_PAIR = 64;
