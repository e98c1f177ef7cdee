/** Printer columns of Jobs. */
import { at, listAt, numberAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { ageOf } from "./age.ts";
import { AGE, NAME, SELECTOR_COLUMN, TEMPLATE_COLUMNS, text } from "./columns.ts";
import type { Column } from "./resource.ts";

export const JOB_COLUMNS: readonly Column[] = [
  NAME,
  text("Status", stateOf),
  text("Completions", completionsOf),
  text("Duration", durationOf),
  AGE,
  ...TEMPLATE_COLUMNS,
  SELECTOR_COLUMN,
];

/** The first of these that holds. */
const ENDS = ["Complete", "Failed"] as const;
const MIDDLES = ["Suspended", "FailureTarget", "SuccessCriteriaMet"] as const;

function stateOf(job: KubeObject): string {
  const holds = (type: string): boolean =>
    listAt(job, "status", "conditions").some(
      (condition) => at(condition, "type") === type && at(condition, "status") === "True",
    );
  const end = ENDS.find(holds);
  if (end !== undefined) return end;
  if (textAt(job, "metadata", "deletionTimestamp") !== undefined) return "Terminating";
  return MIDDLES.find(holds) ?? "Running";
}

function completionsOf(job: KubeObject): string {
  const succeeded = numberAt(job, "status", "succeeded") ?? 0;
  const completions = numberAt(job, "spec", "completions");
  if (completions !== undefined) return `${succeeded}/${completions}`;
  const parallelism = numberAt(job, "spec", "parallelism") ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationOf(job: KubeObject, nowMs: number): string {
  const started = textAt(job, "status", "startTime");
  if (started === undefined) return "";
  const completed = textAt(job, "status", "completionTime");
  return ageOf(started, completed === undefined ? nowMs : Date.parse(completed));
}
