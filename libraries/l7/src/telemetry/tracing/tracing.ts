/** The tracers of a process: services that send to the same collector share its exporter. */

import type { TracingSettings } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import type { RequestTracer } from "../../proxy/request-record.ts";
import type { TelemetryNode } from "../telemetry-node.ts";
import { otlpEncoding, type SpanEncoding, zipkinEncoding } from "./span-encoding.ts";
import { type SpanCounts, SpanExporter } from "./span-exporter.ts";
import { nodeTags } from "./span-tags.ts";
import { createTracer } from "./tracer.ts";

export interface TracingDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly postSpans: PostSpans;
  readonly node: TelemetryNode;
}

/**
 * Sends one batch, which is JSON (`content-type: application/json`), to a cluster of the waypoint's settings. Resolves with the status
 * of the answer, and rejects when there was none within a time limit of its own: then the batch is lost.
 */
export type PostSpans = (cluster: string, path: string, body: string) => Promise<number>;

type Collector = NonNullable<TracingSettings["collector"]>;

interface Destination {
  readonly encoding: SpanEncoding;
  readonly nodeTags: string;
  readonly exporter: SpanExporter;
}

export class Tracing {
  readonly #deps: TracingDeps;
  readonly #counts: SpanCounts;
  /** As many as collectors were ever configured: a mesh has one or two. */
  readonly #destinations = new Map<string, Destination>();

  constructor(deps: TracingDeps) {
    this.#deps = deps;
    const { registry } = deps;
    this.#counts = {
      sent: registry
        .counter({ name: "meltemi_trace_spans_sent_total", help: "Spans that collectors took" })
        .labels(),
      dropped: registry.counter({
        name: "meltemi_trace_spans_dropped_total",
        help: "Spans that no collector took",
        labels: ["reason"],
      }),
    };
  }

  /** Undefined without a collector: headers pass as they came. */
  tracer(settings: TracingSettings): RequestTracer | undefined {
    const { collector } = settings;
    if (collector === undefined) return undefined;
    const { encoding, exporter, nodeTags: tags } = this.#destination(collector);
    return createTracer(settings, {
      random: this.#deps.random,
      encoding,
      nodeTags: tags,
      exporter,
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#destinations.values()].map(({ exporter }) => exporter.close()));
  }

  #destination({ protocol, cluster, path }: Collector): Destination {
    const key = `${protocol} ${cluster} ${path}`;
    const known = this.#destinations.get(key);
    if (known !== undefined) return known;
    const { clock, postSpans, node } = this.#deps;
    const serviceName = `${node.canonicalService}.${node.namespace}`;
    const encoding = protocol === "zipkin" ? zipkinEncoding(serviceName) : otlpEncoding(serviceName);
    const tags: string[] = [];
    nodeTags(node, (name, value) => tags.push(encoding.tag(name, value)));
    const made: Destination = {
      encoding,
      nodeTags: tags.join(","),
      exporter: new SpanExporter({
        clock,
        post: (body) => postSpans(cluster, path, body),
        batch: encoding.batch,
        counts: this.#counts,
      }),
    };
    this.#destinations.set(key, made);
    return made;
  }
}
