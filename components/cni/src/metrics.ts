/** The agent's metrics, under Istio's names where it has them (reference: l7-and-cli §5.4). */

import type { Registry } from "@meltemi/telemetry";

export interface CniMetrics {
  reconciled(type: "add" | "del"): void;
  ztunnels(connected: number): void;
  pluginRequest(accepted: boolean): void;
  installed(succeeded: boolean): void;
  ready(isReady: boolean): void;
}

export function createCniMetrics(registry: Registry, enrolledPods: () => number): CniMetrics {
  const events = registry.counter<"type">({
    name: "nodeagent_reconcile_events_total",
    help: "Pods that joined (add) or left (del) the mesh on this node",
    labels: ["type"],
  });
  const connected = registry.gauge({
    name: "ztunnel_connected",
    help: "Whether a ztunnel is connected: 1 or 0",
  });
  const requests = registry.counter<"result">({
    name: "istio_cni_plugin_requests_total",
    help: "New pods that the plugin asked to enrol",
    labels: ["result"],
  });
  const installs = registry.counter<"result">({
    name: "istio_cni_installs_total",
    help: "Times the plugin was put into the node's network configuration",
    labels: ["result"],
  });
  const ready = registry.gauge({
    name: "istio_cni_install_ready",
    help: "Whether the agent is ready: 1 or 0",
  });
  const enrolled = registry.gauge({
    name: "meltemi_cni_enrolled_pods",
    help: "Pods of this node that are in the mesh",
  });
  registry.onCollect(() => enrolled.labels().set(enrolledPods()));
  connected.labels().set(0);
  ready.labels().set(0);
  const resultOf = (succeeded: boolean): string => (succeeded ? "SUCCESS" : "FAILURE");
  return {
    reconciled: (type) => events.labels({ type }).inc(),
    ztunnels: (count) => connected.labels().set(count > 0 ? 1 : 0),
    pluginRequest: (accepted) => requests.labels({ result: resultOf(accepted) }).inc(),
    installed: (succeeded) => installs.labels({ result: resultOf(succeeded) }).inc(),
    ready: (isReady) => ready.labels().set(isReady ? 1 : 0),
  };
}
