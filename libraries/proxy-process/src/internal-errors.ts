/** Errors of this program itself: each ends one connection, tunnel or task, and nothing else. */

import { describeError, type Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";

/** What was ended: a connection, a tunnel with all its connections, or a task for one pod or for the whole proxy. */
type Part = "connection" | "tunnel" | "pod" | "proxy";

/** Logs and counts. Who calls it has ended the part. `pod`: name of the pod that it concerns. */
export type ReportInternalError = (part: Part, error: unknown, pod?: string) => void;

export function createInternalErrorReport(deps: {
  readonly registry: Registry;
  readonly logger: Logger;
}): ReportInternalError {
  const errors = deps.registry.counter({
    name: "meltemi_internal_errors",
    help: "Errors of the proxy itself, by what was ended because of one: connection, tunnel, pod (a task for it) or proxy (a task)",
    labels: ["part"],
  });
  return (part, error, pod) => {
    errors.labels({ part }).inc();
    deps.logger.error("internal error", { part, pod, error: describeError(error) });
  };
}
