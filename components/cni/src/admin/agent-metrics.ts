/** The agent's own metrics, under Istio's names (reference: protocol §6.6). */

import type { Registry } from "@meltemi/telemetry";

export interface AgentMetrics {
  readonly reconciled: (type: "add" | "del") => void;
  readonly ztunnelsConnected: (count: number) => void;
  readonly pluginRequested: () => void;
  readonly installed: (ready: boolean) => void;
}

export function createAgentMetrics(registry: Registry): AgentMetrics {
  const events = registry.counter({
    name: "nodeagent_reconcile_events_total",
    help: "Pods that joined or left the mesh",
    labels: ["type"],
  });
  const connected = registry.gauge({ name: "ztunnel_connected", help: "Number of ztunnels connected" });
  const requests = registry.counter({
    name: "istio_cni_plugin_requests_total",
    help: "Sandboxes the plugin asked about and was allowed",
  });
  const ready = registry.gauge({
    name: "istio_cni_install_ready",
    help: "Whether the CNI plugin is installed and the agent serves",
  });
  connected.labels().set(0);
  return {
    reconciled: (type) => events.labels({ type }).inc(),
    ztunnelsConnected: (count) => connected.labels().set(count),
    pluginRequested: () => requests.labels().inc(),
    installed: (is) => ready.labels().set(is ? 1 : 0),
  };
}
