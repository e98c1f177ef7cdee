/** Spans as collectors take them: OTLP over HTTP in JSON, and Zipkin's version 2. Written piece by piece, without objects between. */

import { isIP } from "node:net";
import type { RequestRecord } from "../../proxy/request-record.ts";
import type { OwnSpan } from "./propagation.ts";

export interface FinishedSpan extends OwnSpan {
  readonly name: string;
  readonly traceState: string | undefined;
  readonly startMs: number;
  readonly durationMs: number;
  readonly isError: boolean;
  readonly caller: RequestRecord["context"]["caller"];
  /** As `tag` wrote them, joined by commas. */
  readonly tags: string;
}

export interface SpanEncoding {
  tag(name: string, value: string): string;
  span(span: FinishedSpan): string;
  batch(spans: readonly string[]): string;
}

/** OpenTelemetry Protocol, JSON mapping: ids are hexadecimal, 64-bit numbers are text. */
export function otlpEncoding(serviceName: string): SpanEncoding {
  const SERVER = 2;
  const ERROR = 2;
  const tag = (name: string, value: string): string =>
    `{"key":${JSON.stringify(name)},"value":{"stringValue":${JSON.stringify(value)}}}`;
  const head = `{"resourceSpans":[{"resource":{"attributes":[${tag("service.name", serviceName)}]},"scopeSpans":[{"scope":{"name":"meltemi"},"spans":[`;
  return {
    tag,
    span: (span) =>
      `{"traceId":"${span.traceId}","spanId":"${span.spanId}",${
        span.parentSpanId === undefined ? "" : `"parentSpanId":"${span.parentSpanId}",`
      }${span.traceState === undefined ? "" : `"traceState":${JSON.stringify(span.traceState)},`}"name":${JSON.stringify(
        span.name,
      )},"kind":${SERVER},"startTimeUnixNano":"${micros(span.startMs)}000","endTimeUnixNano":"${micros(
        span.startMs + span.durationMs,
      )}000","attributes":[${span.tags}],"status":{${span.isError ? `"code":${ERROR}` : ""}}}`,
    batch: (spans) => `${head}${spans.join(",")}]}]}]}`,
  };
}

/** Zipkin API v2: one array of spans. */
export function zipkinEncoding(serviceName: string): SpanEncoding {
  const local = JSON.stringify({ serviceName });
  return {
    tag: (name, value) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
    span: (span) =>
      `{"traceId":"${span.isShortId ? span.traceId.slice(16) : span.traceId}","id":"${span.spanId}",${
        span.parentSpanId === undefined ? "" : `"parentId":"${span.parentSpanId}",`
      }"kind":"SERVER","name":${JSON.stringify(span.name)},"timestamp":${micros(span.startMs)},"duration":${Math.max(
        1,
        Math.round(span.durationMs * 1000),
      )},"localEndpoint":${local},"remoteEndpoint":{"${isIP(span.caller.ip) === 6 ? "ipv6" : "ipv4"}":"${
        span.caller.ip
      }","port":${span.caller.port}},"tags":{${span.tags}}}`,
    batch: (spans) => `[${spans.join(",")}]`,
  };
}

function micros(epochMs: number): number {
  return Math.round(epochMs * 1000);
}
