/** Metrics of validation under Istio's names (reference: l7-and-cli §5.4); gauges as in `createDistributionMetrics`, for their names' sake. */

import type { Registry } from "@meltemi/telemetry";
import type { KnownKind } from "@meltemi/validation";

export interface ValidationMetrics {
  passed(kind: KnownKind | undefined): void;
  failed(kind: KnownKind | undefined): void;
  httpError(status: number): void;
  configurationUpdated(): void;
  configurationNotUpdated(reason: string): void;
}

export function createValidationMetrics(registry: Registry): ValidationMetrics {
  const counter = <L extends string = never>(name: string, help: string, labels: readonly L[]) =>
    registry.gauge<L>({ name, help, labels });
  const labels = ["group", "version", "resource"] as const;
  const passed = counter("galley_validation_passed", "Objects that validation took", labels);
  const failed = counter("galley_validation_failed", "Objects that validation refused", [
    ...labels,
    "reason",
  ]);
  const httpErrors = counter("galley_validation_http_error", "Requests that were no review", ["status"]);
  const updates = registry.gauge({
    name: "galley_validation_config_updates",
    help: "ValidatingWebhookConfigurations that were put right",
  });
  const updateErrors = counter(
    "galley_validation_config_update_error",
    "ValidatingWebhookConfigurations that could not be put right",
    ["reason"],
  );
  return {
    passed: (kind) => passed.labels(labelsOf(kind)).add(1),
    failed: (kind) => failed.labels({ ...labelsOf(kind), reason: "invalid_resource" }).add(1),
    httpError: (status) => httpErrors.labels({ status: String(status) }).add(1),
    configurationUpdated: () => updates.labels({}).add(1),
    configurationNotUpdated: (reason) => updateErrors.labels({ reason }).add(1),
  };
}

/** Names of kinds that are known, never text of a request: whoever sends reviews must not make series. */
function labelsOf(kind: KnownKind | undefined): Record<"group" | "version" | "resource", string> {
  if (kind === undefined) return { group: "unknown", version: "unknown", resource: "unknown" };
  const [version = ""] = kind.schemas.keys();
  return { group: kind.group, version, resource: kind.plural };
}
