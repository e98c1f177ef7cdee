/** Questions to a global rate limit service and its answers, `envoy.service.ratelimit.v3`. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { rateLimit as wire } from "@meltemi/wire";
import { isWritable } from "../external-authorization/verdict.ts";
import type { GrpcAnswer } from "../proxy/call-grpc.ts";
import type { FilterVerdict } from "../request-context.ts";
import { toWireText } from "../text/wire-text.ts";
import type { DescriptorEntry } from "./descriptor.ts";

export const SHOULD_RATE_LIMIT_PATH = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

type Fields = readonly (readonly [name: string, value: string])[];

export type GlobalVerdict =
  | { readonly kind: "within"; readonly requestFields: Fields; readonly responseFields: Fields }
  | {
      readonly kind: "over";
      readonly body: string;
      readonly responseFields: Fields;
      /** Whether it is the descriptor of this index that is over; each may be where the service does not say. */
      readonly isOver: (index: number) => boolean;
    }
  /** It did not say; `why` is for the log. */
  | { readonly kind: "error"; readonly why: string };

export function globalQuestion(
  domain: string,
  descriptors: readonly (readonly DescriptorEntry[])[],
): Uint8Array {
  const request = create(wire.RateLimitRequestSchema, {
    domain,
    hitsAddend: 1,
    descriptors: descriptors.map((entries) => ({
      entries: entries.map(([key, value]) => ({ key, value: unicode(value) })),
    })),
  });
  return toBinary(wire.RateLimitRequestSchema, request);
}

export function globalVerdict(answer: GrpcAnswer): GlobalVerdict {
  if (answer.kind === "failed") return { kind: "error", why: answer.why };
  let response: wire.RateLimitResponse;
  try {
    response = fromBinary(wire.RateLimitResponseSchema, answer.message);
  } catch {
    return { kind: "error", why: `${answer.message.length} bytes that are no RateLimitResponse` };
  }
  const responseFields = fieldsOf(response.responseHeadersToAdd);
  switch (response.overallCode) {
    case wire.RateLimitResponse_Code.OK:
      return { kind: "within", requestFields: fieldsOf(response.requestHeadersToAdd), responseFields };
    case wire.RateLimitResponse_Code.OVER_LIMIT:
      return {
        kind: "over",
        body: Buffer.from(response.rawBody).toString(),
        responseFields,
        isOver: (index) => response.statuses[index]?.code !== wire.RateLimitResponse_Code.OK,
      };
    default:
      return { kind: "error", why: `overall code ${response.overallCode}, expected OK or OVER_LIMIT` };
  }
}

export function overGlobalLimit(verdict: Extract<GlobalVerdict, { kind: "over" }>): FilterVerdict {
  return {
    kind: "reply",
    reply: {
      status: 429,
      body: verdict.body,
      headers: [...verdict.responseFields, ["x-envoy-ratelimited", "true"]],
      flag: "RL",
      details: "request_rate_limited",
    },
  };
}

export function unknownGlobalLimit(why: string): FilterVerdict {
  return {
    kind: "reply",
    reply: { status: 500, body: "", headers: [], flag: "RLSE", details: "rate_limiter_error" },
    upstreamFailure: why,
  };
}

function fieldsOf(headers: readonly wire.RateLimitResponse_HeaderValue[]): Fields {
  return headers
    .map(({ key, value, rawValue }) => {
      const text = rawValue.length > 0 ? Buffer.from(rawValue).toString("latin1") : toWireText(value);
      return [key.toLowerCase(), text] as const;
    })
    .filter(([name, value]) => isWritable(name, value));
}

/** A head's bytes as protobuf's text. */
function unicode(text: string): string {
  return /[^\x20-\x7e]/.test(text) ? Buffer.from(text, "latin1").toString() : text;
}
