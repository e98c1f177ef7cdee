/** Counts the requests of one service: one look-up per request, no text and no object once its series is known. */

import type { Counter, Histogram } from "@meltemi/telemetry";
import type { RequestRecord } from "../../proxy/request-record.ts";
import { grpcStatusOf } from "../../routing/grpc-reply.ts";
import { REQUEST_ATTRIBUTES } from "../attributes/request-attributes.ts";
import { CellCache } from "./cell-cache.ts";
import type { LabelIndex, LabelPart, Target } from "./label-index.ts";
import { type MetricPlans, writeLabels } from "./label-plan.ts";
import type { MetricFamilies } from "./metric-families.ts";
import type { RequestMetric } from "./metric-names.ts";
import type { OutcomeLabel } from "./standard-labels.ts";

/** A cell is undefined where its metric is disabled, or the group is full. */
interface RequestCells {
  readonly kept: boolean;
  readonly requests: Counter | undefined;
  readonly duration: Histogram | undefined;
  readonly requestBytes: Histogram | undefined;
  readonly responseBytes: Histogram | undefined;
  /** Of gRPC. */
  readonly requestMessages: Counter | undefined;
  readonly responseMessages: Counter | undefined;
}

/** Statuses have three digits. */
const MAX_STATUS = 1023;
const GRPC_STATUSES = 17;
const GRPC_UNKNOWN = 2;

export class RequestMeter {
  readonly #index: LabelIndex;
  readonly #families: MetricFamilies;
  readonly #plans: MetricPlans;
  readonly #cache: CellCache<RequestRecord, RequestCells>;

  constructor(index: LabelIndex, families: MetricFamilies, plans: MetricPlans) {
    this.#index = index;
    this.#families = families;
    this.#plans = plans;
    this.#cache = new CellCache(index, {
      cells: (record, source, destination, tags) => this.#cells(record, source, destination, tags),
      expressions: plans.expressions.map((expression) => expression.bind(REQUEST_ATTRIBUTES)),
    });
  }

  count(record: RequestRecord): void {
    const index = this.#index;
    const { grpc } = record;
    const flags = record.responseFlags;
    const cells = this.#cache.find(
      record,
      index.source(record.context.caller),
      index.destination(targetOf(record)),
      (grpcCode(record) << 10) | Math.min(record.responseCode, MAX_STATUS),
      index.flags(flags.length === 0 ? "-" : flags.join(",")),
    );
    cells.requests?.inc();
    cells.duration?.observe(record.durationMs);
    cells.requestBytes?.observe(record.requestBytes);
    cells.responseBytes?.observe(record.responseBytes);
    if (grpc === undefined) return;
    cells.requestMessages?.inc(grpc.requestMessages);
    cells.responseMessages?.inc(grpc.responseMessages);
  }

  #cells(
    record: RequestRecord,
    source: LabelPart,
    destination: LabelPart,
    tags: readonly string[],
  ): RequestCells {
    const standard = {
      reporter: "waypoint",
      ...source.labels,
      ...destination.labels,
      ...outcomeLabels(record),
    };
    let kept = true;
    const cellOf = <C>(
      metric: RequestMetric,
      family: { cell(labels: string): C | undefined },
    ): C | undefined => {
      const steps = this.#plans.labels.get(metric);
      if (steps === undefined) return undefined;
      const cell = family.cell(writeLabels(steps, standard, tags));
      kept &&= cell !== undefined;
      return cell;
    };
    const families = this.#families;
    const isGrpc = record.grpc !== undefined;
    return {
      requests: cellOf("istio_requests_total", families.requests),
      duration: cellOf("istio_request_duration_milliseconds", families.duration),
      requestBytes: cellOf("istio_request_bytes", families.requestBytes),
      responseBytes: cellOf("istio_response_bytes", families.responseBytes),
      requestMessages: isGrpc ? cellOf("istio_request_messages_total", families.requestMessages) : undefined,
      responseMessages: isGrpc
        ? cellOf("istio_response_messages_total", families.responseMessages)
        : undefined,
      kept,
    };
  }
}

const ASKED_FOR = { service: undefined, endpoint: undefined };

function targetOf({ upstream, service }: RequestRecord): Target {
  if (upstream !== undefined) return upstream;
  return service === undefined ? ASKED_FOR : { service, endpoint: undefined };
}

function outcomeLabels(record: RequestRecord): Readonly<Record<OutcomeLabel, string>> {
  const status = grpcStatus(record);
  return {
    request_protocol: record.grpc === undefined ? "http" : "grpc",
    response_code: String(record.responseCode),
    // Empty, which is absent for Prometheus: Kiali takes a status that is there for the outcome, whatever the protocol.
    grpc_response_status: status === undefined ? "" : String(status),
    response_flags: record.responseFlags.length === 0 ? "-" : record.responseFlags.join(","),
  };
}

/** 0: not gRPC; 1: gRPC that was not answered; else the status and 2. */
function grpcCode(record: RequestRecord): number {
  if (record.grpc === undefined) return 0;
  const status = grpcStatus(record);
  return status === undefined ? 1 : status + 2;
}

/** What the server said, else what its HTTP status means for gRPC. */
export function grpcStatus({ grpc, responseCode }: RequestRecord): number | undefined {
  if (grpc === undefined) return undefined;
  const { status } = grpc;
  if (status === undefined) return responseCode === 0 ? undefined : grpcStatusOf(responseCode);
  return status >= 0 && status < GRPC_STATUSES ? status : GRPC_UNKNOWN;
}
