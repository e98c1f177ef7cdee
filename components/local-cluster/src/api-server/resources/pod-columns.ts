/** How `kubectl get pods` sums a pod up: the same words as Kubernetes' own printer, since people and scripts read them. */
import { at, type Json, listAt, numberAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { isTerminating } from "../kube-object.ts";
import { ageOf } from "./age.ts";
import { AGE, NAME, orNone, text } from "./columns.ts";
import type { Column } from "./resource.ts";

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  text("Ready", readyText),
  text("Status", podStatusText),
  text("Restarts", restartsText),
  AGE,
  text("IP", (pod) => orNone(textAt(pod, "status", "podIP") ?? ""), 1),
  text("Node", (pod) => orNone(textAt(pod, "spec", "nodeName") ?? ""), 1),
  text("Nominated Node", (pod) => orNone(textAt(pod, "status", "nominatedNodeName") ?? ""), 1),
  text("Readiness Gates", readinessGatesText, 1),
];

function readyText(pod: KubeObject): string {
  const statuses = listAt(pod, "status", "containerStatuses");
  const sidecars = listAt(pod, "spec", "initContainers").filter(isSidecar);
  const sidecarNames = new Set(sidecars.map((container) => textAt(container, "name")));
  const initStatuses = listAt(pod, "status", "initContainerStatuses").filter((status) =>
    sidecarNames.has(textAt(status, "name")),
  );
  const ready = [...statuses, ...initStatuses].filter((status) => at(status, "ready") === true).length;
  return `${ready}/${listAt(pod, "spec", "containers").length + sidecars.length}`;
}

function isSidecar(container: Json): boolean {
  return textAt(container, "restartPolicy") === "Always";
}

/** The STATUS column, from `Pending` to `Init:0/1`, `CrashLoopBackOff` and `Terminating`. */
export function podStatusText(pod: KubeObject): string {
  const phase = textAt(pod, "status", "reason") ?? textAt(pod, "status", "phase") ?? "Unknown";
  const reason = initializingText(pod) ?? containersText(pod, phase);
  if (!isTerminating(pod)) return reason;
  return textAt(pod, "status", "reason") === "NodeLost" ? "Unknown" : "Terminating";
}

/** Undefined once every init container is done. */
function initializingText(pod: KubeObject): string | undefined {
  const specs = listAt(pod, "spec", "initContainers");
  const statuses = listAt(pod, "status", "initContainerStatuses");
  for (const [index, status] of statuses.entries()) {
    const spec = specs.find((container) => textAt(container, "name") === textAt(status, "name"));
    if (numberAt(status, "state", "terminated", "exitCode") === 0) continue;
    if (spec !== undefined && isSidecar(spec) && at(status, "started") === true) continue;
    if (at(status, "state", "terminated") !== undefined) return `Init:${terminatedText(status)}`;
    const waiting = textAt(status, "state", "waiting", "reason");
    if (waiting !== undefined && waiting !== "PodInitializing") return `Init:${waiting}`;
    return `Init:${index}/${specs.length}`;
  }
  return undefined;
}

function terminatedText(status: Json): string {
  const reason = textAt(status, "state", "terminated", "reason");
  if (reason !== undefined && reason !== "") return reason;
  const signal = numberAt(status, "state", "terminated", "signal") ?? 0;
  return signal === 0
    ? `ExitCode:${numberAt(status, "state", "terminated", "exitCode") ?? 0}`
    : `Signal:${signal}`;
}

function containersText(pod: KubeObject, phase: string): string {
  let reason = phase;
  let running = false;
  for (const status of listAt(pod, "status", "containerStatuses").reverse()) {
    const waiting = textAt(status, "state", "waiting", "reason") ?? "";
    if (waiting !== "") reason = waiting;
    else if (at(status, "state", "terminated") !== undefined) reason = terminatedText(status);
    else if (at(status, "ready") === true && at(status, "state", "running") !== undefined) running = true;
  }
  if (reason !== "Completed" || !running) return reason;
  const ready = listAt(pod, "status", "conditions").some(
    (condition) => textAt(condition, "type") === "Ready" && textAt(condition, "status") === "True",
  );
  return ready ? "Running" : "NotReady";
}

function restartsText(pod: KubeObject, nowMs: number): string {
  const statuses = [
    ...listAt(pod, "status", "containerStatuses"),
    ...listAt(pod, "status", "initContainerStatuses"),
  ];
  const restarts = statuses.reduce<number>((sum, status) => sum + (numberAt(status, "restartCount") ?? 0), 0);
  const last = statuses
    .map((status) => textAt(status, "lastState", "terminated", "finishedAt") ?? "")
    .sort()
    .at(-1);
  return restarts === 0 || last === undefined || last === ""
    ? String(restarts)
    : `${restarts} (${ageOf(last, nowMs)} ago)`;
}

function readinessGatesText(pod: KubeObject): string {
  const gates = listAt(pod, "spec", "readinessGates");
  if (gates.length === 0) return "<none>";
  const passed = gates.filter((gate) =>
    listAt(pod, "status", "conditions").some(
      (condition) =>
        textAt(condition, "type") === textAt(gate, "conditionType") && textAt(condition, "status") === "True",
    ),
  );
  return `${passed.length}/${gates.length}`;
}
