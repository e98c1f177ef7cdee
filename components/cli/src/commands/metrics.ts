/** `istioctl experimental metrics` (alias `m`; reference: l7-and-cli §3.6): what a Prometheus in the cluster knows of workloads. */

import { nameOf, type Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import {
  type MetricName,
  metricQueries,
  metricsTable,
  readQueryValue,
  type WorkloadMetrics,
  type WorkloadName,
} from "../metrics/workload-metrics.ts";
import { type OutputFormat, outputOption, renderStructured } from "../output/structured.ts";
import { podsWith } from "../reach/find-pods.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { readDuration } from "./flag-values.ts";

interface MetricsFlags extends MeshFlags {
  readonly duration: number;
  readonly output: OutputFormat;
}

const WINDOW_MS = 60_000;
const PROMETHEUS_PORT = 9090;
/** Of its chart, and of Istio's sample. */
const PROMETHEUS_SELECTORS = ["app.kubernetes.io/name=prometheus", "app=prometheus"];

export function addMetricsCommand(parent: Command, program: Command, context: CommandContext): void {
  const command = outputOption(meshOptions(parent.command("metrics").alias("m")))
    .description(
      "rates, errors and latencies of workloads, from the Prometheus of the cluster (the mesh installs none)",
    )
    .argument("<workloads...>", "[<type>/]<name>[.<namespace>]")
    .addOption(
      new Option("-d, --duration <duration>", "over which rates are taken")
        .argParser(readDuration)
        .default(WINDOW_MS, "1m"),
    )
    .action((names: readonly string[], flags: MetricsFlags) => show(names, flags, context));
  withExamples(command, program, [
    "$0 x metrics deploy/server.shop",
    "$0 x metrics server.shop client.shop -d 5m",
  ]);
}

async function show(names: readonly string[], flags: MetricsFlags, context: CommandContext): Promise<void> {
  const metrics = await withMeshCluster(flags, context, async (cluster) => {
    const namespace = flags.namespace ?? cluster.client.defaultNamespace;
    const prometheus = await findPrometheus(flags.istioNamespace, cluster);
    const found: WorkloadMetrics[] = [];
    for (const name of names)
      found.push(await metricsOf(parseTarget(name, namespace), flags.duration, prometheus, cluster));
    return found;
  });
  const { terminal } = context;
  if (flags.output !== "short") terminal.line(renderStructured(metrics, flags.output));
  else for (const line of metricsTable(metrics)) terminal.line(line);
}

async function findPrometheus(namespace: string, cluster: MeshCluster): Promise<Pod> {
  for (const labelSelector of PROMETHEUS_SELECTORS) {
    const [pod] = await podsWith({ namespace, labelSelector }, cluster);
    if (pod !== undefined) return pod;
  }
  throw new MeshError(
    "NOT_FOUND",
    `no Prometheus found in namespace ${namespace} (labels ${PROMETHEUS_SELECTORS.join(" or ")}): the mesh installs none; ` +
      "with -i <namespace> it is looked for elsewhere",
  );
}

async function metricsOf(
  { name, namespace }: WorkloadName,
  durationMs: number,
  prometheus: Pod,
  cluster: MeshCluster,
): Promise<WorkloadMetrics> {
  const queries = metricQueries({ name, namespace }, Math.max(1, Math.round(durationMs / 1000)));
  const values: Partial<Record<MetricName, number>> = {};
  for (const [metric, query] of Object.entries(queries) as readonly (readonly [MetricName, string])[]) {
    const value = await ask(query, prometheus, cluster);
    if (value !== undefined) values[metric] = value;
  }
  const { totalRps, errorRps, p50Ms, p90Ms, p99Ms } = values;
  return { name, namespace, totalRps, errorRps, p50Ms, p90Ms, p99Ms };
}

async function ask(query: string, prometheus: Pod, cluster: MeshCluster): Promise<number | undefined> {
  const path = `/api/v1/query?query=${encodeURIComponent(query)}`;
  const { status, body } = await cluster.request(prometheus, PROMETHEUS_PORT, { method: "GET", path });
  const what = `query Prometheus ${nameOf(prometheus)}`;
  if (status !== 200)
    throw new MeshError("PEER_REFUSED", `${what}: HTTP ${status} ${body.slice(0, 200).trim()}`);
  try {
    return readQueryValue(JSON.parse(body));
  } catch (cause) {
    throw new MeshError("PROTOCOL_VIOLATION", `${what}: expected JSON`, { cause });
  }
}
