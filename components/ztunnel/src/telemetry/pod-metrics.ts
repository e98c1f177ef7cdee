/** Metrics of the pods served; the prefix is Istio's and not `istio_` (reference: protocol §7.3). */

import type { Registry } from "@meltemi/telemetry";

export interface PodMetrics {
  readonly counts: (counts: { readonly up: number; readonly pending: number }) => void;
  readonly started: () => void;
  readonly stopped: () => void;
}

export function createPodMetrics(registry: Registry): PodMetrics {
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `workload_manager_${name}`, help }).labels();
  const counter = (name: string, help: string) =>
    registry.counter({ name: `workload_manager_${name}`, help }).labels();
  const active = gauge("active_proxy_count", "The total number current workloads with active proxies");
  const pending = gauge("pending_proxy_count", "The total number current workloads with pending proxies");
  const started = counter("proxies_started", "The total number of proxies that were started");
  const stopped = counter("proxies_stopped", "The total number of proxies that were stopped");
  return {
    counts(counts) {
      active.set(counts.up);
      pending.set(counts.pending);
    },
    started: () => started.inc(),
    stopped: () => stopped.inc(),
  };
}
