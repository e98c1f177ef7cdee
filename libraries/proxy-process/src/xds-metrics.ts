/** Metrics of the xDS client (reference: protocol §7.3). */

import type { Registry } from "@meltemi/telemetry";
import type { XdsClientMetrics } from "@meltemi/xds";

export function createXdsMetrics(registry: Registry): XdsClientMetrics {
  const messages = registry.counter({
    name: "istio_xds_message",
    help: "Total number of messages received",
    labels: ["url"],
  });
  const bytes = registry.counter({
    name: "istio_xds_message_bytes",
    help: "Total number of bytes received",
    labels: ["url"],
  });
  const terminations = registry.counter({
    name: "istio_xds_connection_terminations",
    help: "The total number of completed connections to xds server",
    labels: ["reason"],
  });
  return {
    message(typeUrl, size) {
      messages.labels({ url: typeUrl }).inc();
      bytes.labels({ url: typeUrl }).inc(size);
    },
    terminated: (reason) => terminations.labels({ reason }).inc(),
  };
}
