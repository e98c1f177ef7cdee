/** Telemetry resources that apply to a service, merged over the mesh's defaults (reference: l7-and-cli §2.9). */

import type {
  AccessLogSettings,
  MetricOverride,
  TelemetrySettings,
  TracingSettings,
} from "@meltemi/model/l7";
import type { AccessLoggingSpec, MetricOverrideSpec, TracingSpec } from "@meltemi/resources";
import type { Compilation } from "../workload-parts.ts";
import type { TelemetryFacts } from "./facts.ts";
import { byAge } from "./hosts.ts";
import { serviceClusterName } from "./policies.ts";
import type { TrafficSettings } from "./traffic-settings.ts";

/**
 * The widest first: root namespace, namespace, then targets in the order of `targets`. `namespace`: of the service, which may be
 * another than its waypoint's; of the waypoint for traffic that is not for a service.
 */
export function telemetryFor(
  namespace: string,
  targets: readonly string[],
  { inputs, read, settings }: Compilation,
): TelemetrySettings {
  const scopes = [...new Set([settings.rootNamespace, namespace])];
  const layers = [
    ...scopes.map((scope) => read.by(inputs.telemetries, "namespace", scope)),
    ...targets.map((target) => read.by(inputs.telemetries, "target", target)),
  ].flatMap((found) => found.toSorted(byAge).slice(0, 1));
  return merge(layers, settings.traffic);
}

/** For a waypoint, which reports once for both sides, CLIENT and SERVER are the same. */
function merge(layers: readonly TelemetryFacts[], mesh: TrafficSettings): TelemetrySettings {
  return {
    accessLog: accessLogOf(
      lastOf(layers, ({ spec }) => spec.accessLogging),
      mesh,
    ),
    metrics: layers.flatMap(({ spec }) =>
      (spec.metrics ?? []).flatMap(({ overrides }) => (overrides ?? []).map(overrideOf)),
    ),
    tracing: tracingOf(
      layers.flatMap(({ spec }) => spec.tracing ?? []),
      mesh,
    ),
  };
}

/** The narrowest that says anything says all. */
function lastOf<T>(
  layers: readonly TelemetryFacts[],
  pick: (layer: TelemetryFacts) => readonly T[] | undefined,
): readonly T[] | undefined {
  return layers.map(pick).findLast((found) => found !== undefined && found.length > 0);
}

/** Istio's own provider, which writes to standard output. */
const BUILT_IN = "envoy";

function accessLogOf(
  entries: readonly AccessLoggingSpec[] | undefined,
  mesh: TrafficSettings,
): AccessLogSettings {
  const { defaultAccessLogging, accessLog, accessLogFormat } = mesh;
  if (entries === undefined) {
    if (defaultAccessLogging.length > 0) return logThrough(defaultAccessLogging, undefined, mesh);
    return accessLog ? { kind: "on", format: accessLogFormat } : { kind: "off" };
  }
  const entry = entries.findLast(({ disabled }) => disabled !== true);
  if (entry === undefined) return { kind: "off" };
  const named = entry.providers?.map(({ name }) => name) ?? [];
  const providers = named.length > 0 ? named : defaultAccessLogging;
  return logThrough(providers.length > 0 ? providers : [BUILT_IN], entry.filter?.expression, mesh);
}

/** Through the first that a waypoint can write to; none: nothing is logged, for no one asked for standard output. */
function logThrough(
  names: readonly string[],
  filter: string | undefined,
  { providers, accessLogFormat }: TrafficSettings,
): AccessLogSettings {
  const filtered = filter ? { filter } : {};
  for (const name of names) {
    const provider = providers.find((each) => each.name === name);
    if (provider?.kind === "accessLog")
      return { kind: "on", format: provider.format ?? accessLogFormat, ...filtered };
    if (provider === undefined && name === BUILT_IN)
      return { kind: "on", format: accessLogFormat, ...filtered };
  }
  return { kind: "off" };
}

const METRIC_NAMES: Readonly<Record<string, string>> = {
  REQUEST_COUNT: "istio_requests_total",
  REQUEST_DURATION: "istio_request_duration_milliseconds",
  REQUEST_SIZE: "istio_request_bytes",
  RESPONSE_SIZE: "istio_response_bytes",
  TCP_OPENED_CONNECTIONS: "istio_tcp_connections_opened_total",
  TCP_CLOSED_CONNECTIONS: "istio_tcp_connections_closed_total",
  TCP_SENT_BYTES: "istio_tcp_sent_bytes_total",
  TCP_RECEIVED_BYTES: "istio_tcp_received_bytes_total",
  GRPC_REQUEST_MESSAGES: "istio_request_messages_total",
  GRPC_RESPONSE_MESSAGES: "istio_response_messages_total",
};

function overrideOf({ match, disabled, tagOverrides }: MetricOverrideSpec): MetricOverride {
  const metric = match?.customMetric ?? METRIC_NAMES[match?.metric ?? ""];
  return {
    ...(metric && { metric }),
    ...(disabled !== undefined && { disabled }),
    tags: Object.entries(tagOverrides ?? {}).map(([name, { operation, value }]) => ({
      name,
      ...(operation !== "REMOVE" && value !== undefined && { value }),
    })),
  };
}

/** Field by field, the narrower over the wider. */
function tracingOf(specs: readonly TracingSpec[], mesh: TrafficSettings): TracingSettings {
  const merged: TracingSpec = Object.assign({}, ...specs);
  const customTags: Readonly<Record<string, TagSpec>> = Object.assign(
    {},
    ...specs.map((spec) => spec.customTags),
  );
  const names = merged.providers?.map(({ name }) => name) ?? mesh.defaultTracing;
  const provider =
    merged.disableSpanReporting === true
      ? undefined
      : mesh.providers.find((each) => each.kind === "tracing" && names.includes(each.name));
  return {
    ...(provider?.kind === "tracing" && {
      collector: {
        protocol: provider.protocol,
        cluster: serviceClusterName(provider.service.host, provider.service.port),
        path: provider.path,
      },
    }),
    samplingPercent: merged.randomSamplingPercentage ?? mesh.traceSamplingPercent,
    customTags: Object.entries(customTags).flatMap(([name, tag]) => customTag(name, tag)),
  };
}

type TagSpec = NonNullable<TracingSpec["customTags"]>[string];

/** A variable of the environment is the waypoint's own affair: its default is what the user can know. */
function customTag(name: string, tag: TagSpec): TracingSettings["customTags"] {
  if (tag.literal !== undefined) return [{ name, from: { kind: "literal", value: tag.literal.value } }];
  if (tag.header !== undefined) {
    const { defaultValue } = tag.header;
    const header = tag.header.name.toLowerCase();
    return [
      { name, from: { kind: "header", name: header, ...(defaultValue && { fallback: defaultValue }) } },
    ];
  }
  const value = tag.environment?.defaultValue;
  return value ? [{ name, from: { kind: "literal", value } }] : [];
}
