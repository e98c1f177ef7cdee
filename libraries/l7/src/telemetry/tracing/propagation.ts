/** Reads the trace of a request from its head, and writes ours into it for whoever is next. */

import type { HeaderFields } from "@meltemi/http";
import {
  formatTraceparent,
  parseB3Multi,
  parseB3Single,
  parseTraceparent,
  type TraceParent,
} from "./trace-parent.ts";

export interface IncomingTrace {
  /** Undefined: the trace begins here. */
  readonly parent: TraceParent | undefined;
  /** The decision of whoever was before us, if there is one. */
  readonly sampled: boolean | undefined;
  /** Of the parent, as it came; undefined for one that was not told by W3C's headers. */
  readonly traceState: string | undefined;
  /** Forms that came, valid or not: each of them goes on with our span in it. */
  readonly hasW3c: boolean;
  readonly hasB3Single: boolean;
  readonly hasB3Multi: boolean;
}

export interface OwnSpan {
  readonly traceId: string;
  readonly isShortId: boolean;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly sampled: boolean;
}

/** One pass over the head; W3C's word goes before B3's. */
export function readTrace(headers: HeaderFields): IncomingTrace {
  const found = new FoundHeaders();
  const { flat } = headers;
  for (let at = 0; at < flat.length; at += 2) found.take(flat[at] ?? "", flat[at + 1] ?? "");
  return found.trace();
}

class FoundHeaders {
  #traceparent: string | undefined;
  #traceparents = 0;
  #traceState: string | undefined;
  #b3: string | undefined;
  #hasB3Multi = false;
  #traceId: string | undefined;
  #spanId: string | undefined;
  #sampled: string | undefined;
  #flags: string | undefined;

  take(name: string, value: string): void {
    switch (name) {
      case "traceparent":
        this.#traceparent = value;
        this.#traceparents++;
        return;
      case "tracestate":
        this.#traceState = this.#traceState === undefined ? value : `${this.#traceState},${value}`;
        return;
      case "b3":
        this.#b3 = value;
        return;
      default:
        if (name.startsWith("x-b3-")) this.#takeB3(name, value);
    }
  }

  trace(): IncomingTrace {
    const forms = {
      hasW3c: this.#traceparents > 0,
      hasB3Single: this.#b3 !== undefined,
      hasB3Multi: this.#hasB3Multi,
    };
    // Two of them: nobody knows which is meant (W3C Trace Context §3.2).
    const parent =
      this.#traceparent === undefined || this.#traceparents > 1
        ? undefined
        : parseTraceparent(this.#traceparent);
    if (parent !== undefined)
      return { parent, sampled: parent.sampled, traceState: this.#traceState, ...forms };
    if (!forms.hasB3Single && !forms.hasB3Multi) return { ...NONE, ...forms };
    const single = this.#b3 === undefined ? undefined : parseB3Single(this.#b3);
    const b3 =
      single?.parent === undefined && single?.sampled === undefined
        ? parseB3Multi(this.#traceId, this.#spanId, this.#sampled, this.#flags)
        : single;
    return { ...b3, traceState: undefined, ...forms };
  }

  #takeB3(name: string, value: string): void {
    this.#hasB3Multi = true;
    switch (name) {
      case "x-b3-traceid":
        this.#traceId = value;
        break;
      case "x-b3-spanid":
        this.#spanId = value;
        break;
      case "x-b3-sampled":
        this.#sampled = value;
        break;
      case "x-b3-flags":
        this.#flags = value;
        break;
      default:
    }
  }
}

const NONE = { parent: undefined, sampled: undefined, traceState: undefined };

/** `own`: the form that is written even when none came. */
export function writeTrace(
  headers: HeaderFields,
  incoming: IncomingTrace,
  span: OwnSpan,
  own: "w3c" | "b3",
): void {
  if (own === "w3c" || incoming.hasW3c) {
    headers.set("traceparent", formatTraceparent(span.traceId, span.spanId, span.sampled));
    // What vendors noted of another trace is not for this one.
    if (incoming.traceState === undefined) headers.delete("tracestate");
  }
  const b3TraceId = span.isShortId ? span.traceId.slice(16) : span.traceId;
  const decision = span.sampled ? "1" : "0";
  if (incoming.hasB3Single) {
    const parent = span.parentSpanId === undefined ? "" : `-${span.parentSpanId}`;
    headers.set("b3", `${b3TraceId}-${span.spanId}-${decision}${parent}`);
  }
  if (own !== "b3" && !incoming.hasB3Multi) return;
  headers.set("x-b3-traceid", b3TraceId);
  headers.set("x-b3-spanid", span.spanId);
  headers.set("x-b3-sampled", decision);
  if (span.parentSpanId === undefined) headers.delete("x-b3-parentspanid");
  else headers.set("x-b3-parentspanid", span.parentSpanId);
}
