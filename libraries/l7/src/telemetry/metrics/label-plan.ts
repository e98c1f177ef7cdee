/** Which labels each metric of one service has, after the overrides of Telemetry resources (reference: l7-and-cli §2.9). */

import type { MetricOverride } from "@meltemi/model/l7";
import { isFreeLabelName, labelText } from "@meltemi/telemetry";
import { type BoundExpression, compileExpression, type Expression } from "../attributes/expression.ts";
import { type MetricName, REQUEST_METRICS, TCP_METRICS } from "./metric-names.ts";
import { REQUEST_ONLY_LABELS, STANDARD_LABELS, UNKNOWN } from "./standard-labels.ts";

export interface MetricPlans {
  /** Undefined: the metric is disabled. */
  readonly labels: ReadonlyMap<MetricName, readonly LabelStep[] | undefined>;
  /** Of all metrics of requests, each once. */
  readonly expressions: readonly Expression[];
  /** What could not be compiled, in words for whoever wrote it. */
  readonly problems: readonly string[];
}

/** A standard label, or the value of an expression. */
export interface LabelStep {
  readonly name: string;
  /** Index into `expressions`; undefined: standard. */
  readonly expression: number | undefined;
}

/** One client's header in a label must not fill the memory that all labels share. */
const MAX_TAG_VALUE_LENGTH = 256;
/** Each is evaluated for every request. */
const MAX_EXPRESSIONS = 50;

const ALL_METRICS: readonly MetricName[] = [...REQUEST_METRICS, ...TCP_METRICS];

export function compileMetricPlans(overrides: readonly MetricOverride[]): MetricPlans {
  const problems: string[] = [];
  const expressions = new ExpressionTable(problems);
  const labels = new Map<MetricName, readonly LabelStep[] | undefined>();
  const unknown = overrides.flatMap(({ metric }) =>
    metric !== undefined && !ALL_METRICS.some((name) => name === metric) ? [metric] : [],
  );
  for (const name of new Set(unknown))
    problems.push(`override metric ${JSON.stringify(name)}: there is no such metric`);
  for (const metric of ALL_METRICS) labels.set(metric, planMetric(metric, overrides, expressions));
  return { labels, expressions: expressions.compiled, problems: [...new Set(problems)] };
}

function planMetric(
  metric: MetricName,
  overrides: readonly MetricOverride[],
  expressions: ExpressionTable,
): readonly LabelStep[] | undefined {
  const isTcp = TCP_METRICS.some((name) => name === metric);
  const steps = new Map<string, LabelStep>();
  for (const name of STANDARD_LABELS) {
    if (!isTcp || !REQUEST_ONLY_LABELS.has(name)) steps.set(name, { name, expression: undefined });
  }
  let disabled = false;
  for (const override of overrides) {
    if (override.metric !== undefined && override.metric !== metric) continue;
    disabled = override.disabled ?? disabled;
    for (const { name, value } of override.tags) {
      if (value === undefined) steps.delete(name);
      else if (!isFreeLabelName(name)) expressions.refuse(name);
      else steps.set(name, { name, expression: expressions.add(name, value) });
    }
  }
  return disabled ? undefined : [...steps.values()];
}

class ExpressionTable {
  readonly compiled: Expression[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #problems: string[];

  constructor(problems: string[]) {
    this.#problems = problems;
  }

  refuse(tag: string): void {
    this.#problems.push(`tag ${JSON.stringify(tag)}: expected a name of letters, digits and underscores`);
  }

  /** Index of the expression; of one that is none, -1: its value is unknown. */
  add(tag: string, text: string): number {
    const known = this.#indexes.get(text);
    if (known !== undefined) return known;
    const outcome = compileExpression(text);
    const bad =
      outcome.kind === "bad"
        ? outcome.why
        : this.compiled.length >= MAX_EXPRESSIONS
          ? `expected at most ${MAX_EXPRESSIONS} expressions`
          : undefined;
    if (bad !== undefined) this.#problems.push(`tag ${JSON.stringify(tag)}: ${bad}`);
    const index =
      outcome.kind === "bad" || bad !== undefined ? -1 : this.compiled.push(outcome.expression) - 1;
    this.#indexes.set(text, index);
    return index;
  }
}

/** Values of all expressions, as they stand in labels. */
export function tagValues<R>(expressions: readonly BoundExpression<R>[], record: R): readonly string[] {
  return expressions.map((expression) => tagText(expression(record)).slice(0, MAX_TAG_VALUE_LENGTH));
}

function tagText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value || UNKNOWN;
    case "bigint":
    case "number":
    case "boolean":
      return String(value);
    default:
      return UNKNOWN;
  }
}

/** The labels of one series; `standard` has all that stand in the steps. */
export function writeLabels(
  steps: readonly LabelStep[],
  standard: Readonly<Record<string, string>>,
  tags: readonly string[],
): string {
  return steps
    .map(({ name, expression }) =>
      labelText(name, (expression === undefined ? standard[name] : tags[expression]) ?? UNKNOWN),
    )
    .join(",");
}
