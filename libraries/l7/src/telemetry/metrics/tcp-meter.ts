/** Counts the connections of one service; what flows on those that live is added every five seconds (reference: protocol §7.4). */

import type { Counter } from "@meltemi/telemetry";
import type { LiveTcp, TcpRecord } from "../../tcp/tcp-site.ts";
import { TCP_ATTRIBUTES } from "../attributes/tcp-attributes.ts";
import { CellCache } from "./cell-cache.ts";
import type { LabelIndex, LabelPart, Target } from "./label-index.ts";
import { type MetricPlans, writeLabels } from "./label-plan.ts";
import type { MetricFamilies } from "./metric-families.ts";
import type { TcpMetric } from "./metric-names.ts";
import type { OutcomeLabel } from "./standard-labels.ts";

interface TcpCells {
  readonly kept: boolean;
  readonly opened: Counter | undefined;
  readonly closed: Counter | undefined;
  readonly sentBytes: Counter | undefined;
  readonly receivedBytes: Counter | undefined;
}

/** A connection that lives, and how much of it was counted. */
interface LiveEntry {
  readonly record: TcpRecord;
  readonly live: LiveTcp;
  sentBytes: number;
  receivedBytes: number;
}

type Bytes = Pick<TcpRecord, "sentBytes" | "receivedBytes">;

export class TcpMeter {
  readonly #index: LabelIndex;
  readonly #families: MetricFamilies;
  readonly #plans: MetricPlans;
  readonly #cache: CellCache<TcpRecord, TcpCells>;
  /** By what records of one connection have in common. */
  readonly #live = new Map<TcpRecord["connection"], LiveEntry>();

  constructor(index: LabelIndex, families: MetricFamilies, plans: MetricPlans) {
    this.#index = index;
    this.#families = families;
    this.#plans = plans;
    this.#cache = new CellCache(index, {
      cells: (record, source, destination, tags) => this.#cells(record, source, destination, tags),
      expressions: plans.expressions.map((expression) => expression.bind(TCP_ATTRIBUTES)),
    });
  }

  get hasLive(): boolean {
    return this.#live.size > 0;
  }

  opened(record: TcpRecord, live: LiveTcp): void {
    this.#find(record).opened?.inc();
    this.#live.set(record.connection, { record, live, sentBytes: 0, receivedBytes: 0 });
  }

  closed(record: TcpRecord): void {
    const entry = this.#live.get(record.connection);
    this.#live.delete(record.connection);
    const cells = this.#find(record);
    // One that never opened is opened and closed at once, so that the difference of both stays what lives.
    if (entry === undefined) cells.opened?.inc();
    cells.closed?.inc();
    count(cells, record, entry ?? { sentBytes: 0, receivedBytes: 0 });
  }

  flush(): void {
    for (const entry of this.#live.values()) {
      const { sentBytes, receivedBytes } = entry.live;
      if (sentBytes === entry.sentBytes && receivedBytes === entry.receivedBytes) continue;
      count(this.#find(entry.record), { sentBytes, receivedBytes }, entry);
      entry.sentBytes = sentBytes;
      entry.receivedBytes = receivedBytes;
    }
  }

  #find(record: TcpRecord): TcpCells {
    const index = this.#index;
    const source = index.source(record.connection.caller);
    return this.#cache.find(
      record,
      source,
      index.destination(targetOf(record)),
      0,
      index.flags(flagsOf(record)),
    );
  }

  #cells(record: TcpRecord, source: LabelPart, destination: LabelPart, tags: readonly string[]): TcpCells {
    const outcome: Partial<Record<OutcomeLabel, string>> = {
      request_protocol: "tcp",
      response_flags: flagsOf(record),
    };
    const standard = { reporter: "waypoint", ...source.labels, ...destination.labels, ...outcome };
    let kept = true;
    const cellOf = (
      metric: TcpMetric,
      family: { cell(labels: string): Counter | undefined },
    ): Counter | undefined => {
      const steps = this.#plans.labels.get(metric);
      if (steps === undefined) return undefined;
      const cell = family.cell(writeLabels(steps, standard, tags));
      kept &&= cell !== undefined;
      return cell;
    };
    const families = this.#families;
    return {
      opened: cellOf("istio_tcp_connections_opened_total", families.opened),
      closed: cellOf("istio_tcp_connections_closed_total", families.closed),
      sentBytes: cellOf("istio_tcp_sent_bytes_total", families.sentBytes),
      receivedBytes: cellOf("istio_tcp_received_bytes_total", families.receivedBytes),
      kept,
    };
  }
}

function count(cells: TcpCells, now: Bytes, counted: Bytes): void {
  cells.sentBytes?.inc(Math.max(0, now.sentBytes - counted.sentBytes));
  cells.receivedBytes?.inc(Math.max(0, now.receivedBytes - counted.receivedBytes));
}

function targetOf({ cluster, service, endpoint }: TcpRecord): Target {
  return { service: cluster?.service ?? service, endpoint };
}

function flagsOf({ responseFlags }: TcpRecord): string {
  return responseFlags.length === 0 ? "-" : responseFlags.join(",");
}
