/** Continues or begins the trace of each request, and makes a span of it when it is sampled. */

import type { Workload } from "@meltemi/model";
import type { TracingSettings } from "@meltemi/model/l7";
import type { RequestRecord, RequestSpan, RequestTracer } from "../../proxy/request-record.ts";
import type { RequestContext } from "../../request-context.ts";
import { type IncomingTrace, type OwnSpan, readTrace, writeTrace } from "./propagation.ts";
import type { SpanEncoding } from "./span-encoding.ts";
import type { SpanExporter } from "./span-exporter.ts";
import { customTags, isError, requestTags, type Tag, workloadTags } from "./span-tags.ts";

export interface TracerDeps {
  readonly random: () => number;
  readonly encoding: SpanEncoding;
  /** Written already; the same for every span. */
  readonly nodeTags: string;
  readonly exporter: Pick<SpanExporter, "takesOne" | "add">;
}

export function createTracer(settings: TracingSettings, deps: TracerDeps): RequestTracer {
  return new Tracer(settings, deps);
}

class Tracer implements RequestTracer {
  readonly #settings: TracingSettings;
  readonly #deps: TracerDeps;
  readonly #form: "w3c" | "b3";
  readonly #sources = new WeakMap<Workload, string>();
  readonly #destinations = new WeakMap<Workload, string>();

  constructor(settings: TracingSettings, deps: TracerDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#form = settings.collector?.protocol === "zipkin" ? "b3" : "w3c";
  }

  begin(context: RequestContext): RequestSpan | undefined {
    const { headers } = context.request;
    const { random } = this.#deps;
    const incoming = readTrace(headers);
    const { parent } = incoming;
    const span: OwnSpan = {
      traceId: parent?.traceId ?? randomHex(random, 32),
      isShortId: parent?.isShortId ?? false,
      spanId: randomHex(random, 16),
      parentSpanId: parent?.spanId,
      sampled: incoming.sampled ?? random() * 100 < this.#settings.samplingPercent,
    };
    writeTrace(headers, incoming, span, this.#form);
    return span.sampled ? { end: (record) => this.#end(span, incoming, record) } : undefined;
  }

  #end(span: OwnSpan, { traceState }: IncomingTrace, record: RequestRecord): void {
    const { encoding, exporter } = this.#deps;
    if (!exporter.takesOne()) return;
    exporter.add(
      encoding.span({
        ...span,
        name: spanName(record),
        traceState,
        startMs: record.startedAtMs,
        durationMs: record.durationMs,
        isError: isError(record),
        caller: record.context.caller,
        tags: this.#tags(record),
      }),
    );
  }

  #tags(record: RequestRecord): string {
    let text = this.#deps.nodeTags;
    const source = record.context.caller.workload;
    const destination = record.upstream?.endpoint?.workload;
    if (source !== undefined) text += `,${this.#workload("source", source, this.#sources)}`;
    if (destination !== undefined)
      text += `,${this.#workload("destination", destination, this.#destinations)}`;
    const tag: Tag = (name, value) => {
      text += `,${this.#deps.encoding.tag(name, value)}`;
    };
    requestTags(record, tag);
    customTags(this.#settings.customTags, record, tag);
    return text;
  }

  #workload(end: "source" | "destination", workload: Workload, cache: WeakMap<Workload, string>): string {
    const known = cache.get(workload);
    if (known !== undefined) return known;
    const tags: string[] = [];
    workloadTags(end, workload, (name, value) => tags.push(this.#deps.encoding.tag(name, value)));
    const text = tags.join(",");
    cache.set(workload, text);
    return text;
  }
}

/** What Istio calls the operation: the service and its port, whatever the path. */
function spanName({ context, service }: RequestRecord): string {
  const { ip, port } = context.destination;
  return `${service?.hostname ?? ip}:${port}/*`;
}

/** Of each byte; `toString(16)` of numbers beyond 31 bits takes ten times as long. */
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** `digits`: a multiple of eight. Never all zeros, which would mean that there is none. */
function randomHex(random: () => number, digits: number): string {
  let text = "";
  let any = 0;
  while (text.length < digits) {
    const bits = Math.floor(random() * 2 ** 32);
    any |= bits;
    text += `${HEX[bits >>> 24]}${HEX[(bits >>> 16) & 0xff]}${HEX[(bits >>> 8) & 0xff]}${HEX[bits & 0xff]}`;
  }
  return any === 0 ? `${text.slice(1)}1` : text;
}
