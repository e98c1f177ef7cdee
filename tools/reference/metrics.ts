/** The page of metrics, from the functions that define them in each process. */

import { createCniMetrics } from "../../components/cni/src/metrics.ts";
import { createAuthorityMetrics } from "../../components/control-plane/src/certificate-authority/authority-metrics.ts";
import { createDistributionMetrics } from "../../components/control-plane/src/distribute/metrics.ts";
import { createBrokenWaypoints } from "../../components/control-plane/src/status/broken-waypoints.ts";
import { createValidationMetrics } from "../../components/control-plane/src/validation/validation-metrics.ts";
import { createFollowedNamesGauge } from "../../components/ztunnel/src/lookup/process-lookups.ts";
import { createOnDemandDns } from "../../components/ztunnel/src/outbound/on-demand-dns.ts";
import { CONNECTION_LABELS } from "../../components/ztunnel/src/telemetry/connection-labels.ts";
import { createConnectionTelemetry } from "../../components/ztunnel/src/telemetry/connection-telemetry.ts";
import { createDnsMetrics } from "../../components/ztunnel/src/telemetry/dns-metrics.ts";
import { createPodMetrics } from "../../components/ztunnel/src/telemetry/pod-metrics.ts";
import { FilterMeter } from "../../libraries/l7/src/filters/filter-meter.ts";
import { createMetricFamilies } from "../../libraries/l7/src/telemetry/metrics/metric-families.ts";
import { STANDARD_LABELS } from "../../libraries/l7/src/telemetry/metrics/standard-labels.ts";
import { Tracing, type TracingDeps } from "../../libraries/l7/src/telemetry/tracing/tracing.ts";
import { createInternalErrorReport } from "../../libraries/proxy-process/src/internal-errors.ts";
import { collectProcessMetrics, tellBuild } from "../../libraries/proxy-process/src/process-metrics.ts";
import { followCrlFile } from "../../libraries/proxy-process/src/revocation/crl-file.ts";
import { createPeerRevocation } from "../../libraries/proxy-process/src/revocation/peer-revocation.ts";
import { createXdsMetrics } from "../../libraries/proxy-process/src/xds-metrics.ts";
import { createLogger, LogFilter, systemClock } from "../../libraries/runtime/src/index.ts";
import { createAccessLog, type Registry } from "../../libraries/telemetry/src/index.ts";
import { code, page, table } from "./markdown.ts";
import { createRecorder, literalFamily, type MetricFamily } from "./record-families.ts";

export interface ProcessMetrics {
  readonly title: string;
  readonly where: string;
  readonly families: readonly MetricFamily[];
}

const logger = createLogger(
  { filter: new LogFilter("error"), format: "plain", nowMs: () => 0, write: () => undefined },
  "reference",
);

export function processMetrics(): readonly ProcessMetrics[] {
  return [
    {
      title: "ztunnel",
      where: "`:15020/metrics` and `/stats/prometheus` of each pod",
      families: ztunnelFamilies(),
    },
    {
      title: "waypoint",
      where: "`:15020/stats/prometheus` (`/metrics`) of each pod, and `:15090`, as Envoy's",
      families: waypointFamilies(),
    },
    { title: "control plane", where: "`:15014/metrics`", families: controlPlaneFamilies() },
    { title: "node agent", where: "`:15014/metrics` of each pod", families: nodeAgentFamilies() },
  ];
}

function proxyFamilies(registry: Registry, component: "ztunnel" | "proxy"): void {
  tellBuild(registry, component, "");
  collectProcessMetrics(registry);
  createInternalErrorReport({ registry, logger });
  createPeerRevocation({ registry, logger });
  createXdsMetrics(registry);
  // Only its metrics are wanted: what it would watch is not there, and it ends at once.
  const authorities = () => Promise.resolve([]);
  followCrlFile("/nonexistent/crl.pem", {
    clock: systemClock,
    logger,
    registry,
    authorities,
    onLists: () => undefined,
  })[Symbol.dispose]();
}

function ztunnelFamilies(): readonly MetricFamily[] {
  const { registry, families } = createRecorder();
  proxyFamilies(registry, "ztunnel");
  createPodMetrics(registry);
  const accessLog = createAccessLog(logger);
  createConnectionTelemetry({ registry, accessLog, monotonicMs: () => 0 });
  createDnsMetrics(registry);
  createFollowedNamesGauge(registry);
  createOnDemandDns({ registry, resolver: { resolve: () => Promise.resolve([]) } });
  return families;
}

function waypointFamilies(): readonly MetricFamily[] {
  const { registry, families } = createRecorder();
  proxyFamilies(registry, "proxy");
  createMetricFamilies(registry);
  new FilterMeter({ registry, onUnjudgedPass: () => undefined });
  new Tracing({ registry } as TracingDeps);
  return [
    ...families,
    literalFamily("components/waypoint/src/inbound/hbone-listener.ts", "meltemi_waypoint_tunnels_refused"),
  ];
}

function controlPlaneFamilies(): readonly MetricFamily[] {
  const { registry, families } = createRecorder();
  createDistributionMetrics(registry);
  createAuthorityMetrics(registry);
  createValidationMetrics(registry);
  createBrokenWaypoints(registry, logger);
  return [literalFamily("components/control-plane/src/run.ts", "pilot_info"), ...families];
}

function nodeAgentFamilies(): readonly MetricFamily[] {
  const { registry, families } = createRecorder();
  createCniMetrics(registry, () => 0);
  return families;
}

const STANDARD = CONNECTION_LABELS.join();

export function metricsPage(): string {
  return page(
    "Metrics",
    "the functions that define them",
    "OpenMetrics text. *Kept*: Istio promises the name, and so do we. *Istio's*: its name, which Istio may change. *ours*: not in Istio.",
    "`meltemi_metrics_label_sets_refused_total`, by `family`, is in every process: what was counted and not kept because a family had too many label sets.",
    ...processMetrics().map(({ title, where, families }) =>
      [
        `## ${title}`,
        `At ${where}.`,
        table(
          ["metric", "type", "labels", "meaning", ""],
          families
            .toSorted(byName)
            .map((family) => [
              code(family.name),
              family.type,
              labelsOf(family),
              family.help,
              standingOf(family),
            ]),
        ),
      ].join("\n\n"),
    ),
    "## The standard labels",
    "What is not known is `unknown`. In a waypoint, Telemetry adds, changes and removes labels; `response_code` and `grpc_response_status` are of requests only.",
    `In ztunnel: ${CONNECTION_LABELS.map(code).join(", ")}.`,
    `In a waypoint: ${STANDARD_LABELS.map(code).join(", ")}.`,
  );
}

function byName(a: MetricFamily, b: MetricFamily): number {
  return a.name < b.name ? -1 : 1;
}

function labelsOf(family: MetricFamily): string {
  if (family.shared) return "[standard](#the-standard-labels)";
  return family.labels.join() === STANDARD
    ? "[standard](#the-standard-labels)"
    : family.labels.map(code).join(", ");
}

function standingOf({ name, stable }: MetricFamily): string {
  if (name.startsWith("meltemi_")) return "ours";
  return stable ? "kept" : "Istio's";
}
