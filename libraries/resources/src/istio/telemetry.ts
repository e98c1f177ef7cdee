/** Telemetry, telemetry.istio.io/v1 (reference: l7-and-cli §2.9). */

import { parseObject, type Stored } from "../parse-object.ts";
import type { Parsed } from "../problem.ts";
import { decimal, flag, list, map, type ObjectSchema, object, oneOf, text } from "../schema/schema.ts";
import { atMostOne, DURATION, FIELD_NAME, NAME } from "./routing-parts.ts";
import { ONE_TARGET, type PolicyTarget, readTarget, TARGET_PROPERTIES } from "./target.ts";

type Mode = "CLIENT_AND_SERVER" | "CLIENT" | "SERVER";
type Providers = readonly { readonly name: string }[];

export interface TracingSpec {
  readonly match?: { readonly mode?: Mode };
  readonly providers?: Providers;
  readonly randomSamplingPercentage?: number;
  readonly disableSpanReporting?: boolean;
  readonly customTags?: Readonly<
    Record<
      string,
      {
        readonly literal?: { readonly value: string };
        readonly environment?: { readonly name: string; readonly defaultValue?: string };
        readonly header?: { readonly name: string; readonly defaultValue?: string };
      }
    >
  >;
}

export interface MetricOverrideSpec {
  readonly match?: { readonly metric?: string; readonly customMetric?: string; readonly mode?: Mode };
  readonly disabled?: boolean;
  readonly tagOverrides?: Readonly<
    Record<string, { readonly operation?: "UPSERT" | "REMOVE"; readonly value?: string }>
  >;
}

export interface MetricsSpec {
  readonly providers?: Providers;
  readonly overrides?: readonly MetricOverrideSpec[];
}

export interface AccessLoggingSpec {
  readonly match?: { readonly mode?: Mode };
  readonly providers?: Providers;
  readonly disabled?: boolean;
  readonly filter?: { readonly expression?: string };
}

export interface TelemetrySpec {
  readonly tracing?: readonly TracingSpec[];
  readonly metrics?: readonly MetricsSpec[];
  readonly accessLogging?: readonly AccessLoggingSpec[];
}

export interface Telemetry extends Stored<TelemetrySpec> {
  readonly target: PolicyTarget;
}

const MODE = oneOf("CLIENT_AND_SERVER", "CLIENT", "SERVER");
const PROVIDERS = list(object({ name: NAME }, { required: ["name"] }), { maxItems: 64 });
const EXPRESSION = text({ maxLength: 4096 });

const METRICS = [
  "ALL_METRICS",
  "REQUEST_COUNT",
  "REQUEST_DURATION",
  "REQUEST_SIZE",
  "RESPONSE_SIZE",
  "TCP_OPENED_CONNECTIONS",
  "TCP_CLOSED_CONNECTIONS",
  "TCP_SENT_BYTES",
  "TCP_RECEIVED_BYTES",
  "GRPC_REQUEST_MESSAGES",
  "GRPC_RESPONSE_MESSAGES",
];

const CUSTOM_TAG: ObjectSchema = object(
  {
    literal: object({ value: text({ minLength: 1, maxLength: 4096 }) }, { required: ["value"] }),
    environment: object({ name: NAME, defaultValue: text({ maxLength: 4096 }) }, { required: ["name"] }),
    header: object({ name: FIELD_NAME, defaultValue: text({ maxLength: 4096 }) }, { required: ["name"] }),
    formatter: object({ value: text({ maxLength: 4096 }) }),
  },
  { rules: [atMostOne("literal", "environment", "header", "formatter")] },
);

const OVERRIDE: ObjectSchema = object({
  match: object(
    { metric: oneOf(...METRICS), customMetric: NAME, mode: MODE },
    {
      rules: [atMostOne("metric", "customMetric")],
    },
  ),
  disabled: flag(),
  tagOverrides: map(object({ operation: oneOf("UPSERT", "REMOVE"), value: EXPRESSION }), {
    maxProperties: 256,
  }),
});

export const TELEMETRY_SPEC: ObjectSchema = object(
  {
    ...TARGET_PROPERTIES,
    tracing: list(
      object({
        match: object({ mode: MODE }),
        providers: PROVIDERS,
        randomSamplingPercentage: decimal(0, 100),
        disableSpanReporting: flag(),
        disableContextPropagation: flag(),
        enableIstioTags: flag(),
        useRequestIdForTraceSampling: flag(),
        customTags: map(CUSTOM_TAG, { maxProperties: 256 }),
      }),
      { maxItems: 64 },
    ),
    metrics: list(
      object({
        providers: PROVIDERS,
        overrides: list(OVERRIDE, { maxItems: 256 }),
        reportingInterval: DURATION,
      }),
      { maxItems: 64 },
    ),
    accessLogging: list(
      object({
        match: object({ mode: MODE }),
        providers: PROVIDERS,
        disabled: flag(),
        filter: object({ expression: EXPRESSION }),
      }),
      { maxItems: 64 },
    ),
  },
  { rules: [ONE_TARGET] },
);

export function parseTelemetry(value: unknown): Parsed<Telemetry> {
  return parseObject("Telemetry", TELEMETRY_SPEC, value, (spec, metadata) => {
    const { tracing, metrics, accessLogging } = spec as TelemetrySpec;
    return {
      metadata,
      target: readTarget(spec),
      spec: {
        ...(tracing && { tracing }),
        ...(metrics && { metrics }),
        ...(accessLogging && { accessLogging }),
      },
    };
  });
}
