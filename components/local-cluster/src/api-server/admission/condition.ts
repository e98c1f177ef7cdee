/** matchConditions: CEL over the object, the one before, and the request. Pure. */
import { costBound, MAX_RULE_COST, measure } from "../custom/cel-cost.ts";
import { type Compiled, createRuleCompiler, firstLine } from "../custom/cel-rules.ts";
import { toCel } from "../custom/cel-value.ts";
import { at, type Json, type JsonObject } from "../json.ts";
import type { Webhook } from "./webhook.ts";

const compile = createRuleCompiler(["object", "oldObject", "request"]);

/** Why an expression cannot be judged; undefined when it can. */
export function conditionFault(expression: string): string | undefined {
  const compiled: Compiled = compile(expression);
  return compiled.kind === "bad" ? compiled.why : undefined;
}

export type ConditionVerdict =
  | { readonly kind: "met" | "unmet" }
  | { readonly kind: "failed"; readonly why: string };

/** All conditions have to hold. One that does not hold counts more than one that cannot be judged. */
export function judgeConditions(webhook: Pick<Webhook, "conditions">, request: JsonObject): ConditionVerdict {
  if (webhook.conditions.length === 0) return { kind: "met" };
  const variables = {
    object: toCel({}, at(request, "object") ?? null),
    oldObject: toCel({}, at(request, "oldObject") ?? null),
    request: toCel({}, requestWithoutObjects(request)),
  };
  const extent = measure(variables.oldObject, measure(variables.object));
  const faults: string[] = [];
  for (const { name, expression } of webhook.conditions) {
    const compiled = compile(expression);
    if (compiled.kind === "bad") faults.push(`${name}: ${compiled.why}`);
    else if (costBound(compiled.shape, extent) > MAX_RULE_COST) faults.push(`${name}: costs too much`);
    else
      try {
        if (compiled.judgeWith(variables) !== true) return { kind: "unmet" };
      } catch (error) {
        faults.push(`${name}: ${firstLine(error)}`);
      }
  }
  return faults.length === 0 ? { kind: "met" } : { kind: "failed", why: faults.join("; ") };
}

function requestWithoutObjects(request: JsonObject): Json {
  const { object: _, oldObject: __, ...rest } = request;
  return rest;
}
