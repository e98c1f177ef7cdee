/** Defaults and validation of CustomResourceDefinitions themselves. */
import { at, childObject, isObject, listAt, setDefault, textAt } from "../json.ts";
import { finalizersOf, isTerminating, type KubeObject } from "../kube-object.ts";
import { type Cause, invalidValue, required, unsupported } from "../refusal.ts";
import type { ResourceRules } from "../resources/resource.ts";
import { safePattern } from "../schema/safe-pattern.ts";
import type { Schema } from "../schema/schema.ts";
import { compileRule } from "./cel-rules.ts";

export const CUSTOM_RESOURCE_DEFINITION_RULES: Partial<ResourceRules> = {
  countsGenerations: true,
  applyDefaults: defaultDefinition,
  validate: definitionFaults,
};

/** Keeps a definition until the objects it defines are gone. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

function defaultDefinition(definition: KubeObject): void {
  const spec = childObject(definition, "spec");
  const names = childObject(spec, "names");
  const kind = textAt(names, "kind") ?? "";
  setDefault(names, "singular", kind.toLowerCase());
  setDefault(names, "listKind", `${kind}List`);
  setDefault(spec, "conversion", { strategy: "None" });
  const finalizers = finalizersOf(definition);
  if (!isTerminating(definition) && !finalizers.includes(CLEANUP_FINALIZER)) {
    definition.metadata["finalizers"] = [...finalizers, CLEANUP_FINALIZER];
  }
}

function definitionFaults(definition: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const spec = definition["spec"];
  const [group, plural, scope] = [
    textAt(spec, "group") ?? "",
    textAt(spec, "names", "plural") ?? "",
    textAt(spec, "scope") ?? "",
  ];
  const causes: Cause[] = [];
  if (group === "") causes.push(required("spec.group"));
  else if (!group.includes("."))
    causes.push(invalidValue("spec.group", group, "should be a domain with at least one dot"));
  if (plural === "") causes.push(required("spec.names.plural"));
  if ((textAt(spec, "names", "kind") ?? "") === "") causes.push(required("spec.names.kind"));
  if (!["Cluster", "Namespaced"].includes(scope))
    causes.push(unsupported("spec.scope", scope, ["Cluster", "Namespaced"]));
  const name = textAt(definition, "metadata", "name") ?? "";
  if (name !== `${plural}.${group}`) {
    causes.push(invalidValue("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  }
  if (previous !== undefined) {
    for (const path of [["group"], ["scope"], ["names", "kind"], ["names", "plural"]]) {
      if (textAt(spec, ...path) === textAt(previous["spec"], ...path)) continue;
      causes.push(invalidValue(`spec.${path.join(".")}`, textAt(spec, ...path), "field is immutable"));
    }
  }
  return [...causes, ...versionFaults(definition)];
}

function versionFaults(definition: KubeObject): Cause[] {
  const versions = listAt(definition, "spec", "versions");
  if (versions.length === 0) return [required("spec.versions", "must have at least one version")];
  const causes: Cause[] = [];
  if (versions.filter((version) => at(version, "storage") === true).length !== 1) {
    causes.push(
      invalidValue(
        "spec.versions",
        versions.map((version) => textAt(version, "name") ?? ""),
        "must have exactly one version marked as storage version",
      ),
    );
  }
  for (const [index, version] of versions.entries()) {
    const field = `spec.versions[${index}]`;
    if ((textAt(version, "name") ?? "") === "") causes.push(required(`${field}.name`));
    const schema = at(version, "schema", "openAPIV3Schema");
    const rules = isObject(schema) ? schemaFaults(schema as Schema, `${field}.schema.openAPIV3Schema`) : [];
    causes.push(...rules);
    if (!isObject(schema)) causes.push(required(`${field}.schema.openAPIV3Schema`, "schemas are required"));
    else if (textAt(schema, "type") !== "object") {
      causes.push(
        invalidValue(
          `${field}.schema.openAPIV3Schema.type`,
          textAt(schema, "type"),
          "must be object at the root",
        ),
      );
    }
  }
  return causes;
}

/** Patterns and rules that could never be judged are refused with the definition that brings them. */
function schemaFaults(schema: Schema, field: string): Cause[] {
  const causes: Cause[] = [];
  if (schema.pattern !== undefined && safePattern(schema.pattern) === undefined) {
    causes.push(invalidValue(`${field}.pattern`, schema.pattern, "must be a valid regular expression (RE2)"));
  }
  for (const [index, rule] of (schema["x-kubernetes-validations"] ?? []).entries()) {
    const compiled = compileRule(rule.rule);
    if (compiled.kind === "bad") {
      causes.push(
        invalidValue(
          `${field}.x-kubernetes-validations[${index}].rule`,
          rule.rule,
          `compilation failed: ${compiled.why}`,
        ),
      );
    }
  }
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    causes.push(...schemaFaults(property, `${field}.properties[${key}]`));
  }
  if (schema.items !== undefined) causes.push(...schemaFaults(schema.items, `${field}.items`));
  if (typeof schema.additionalProperties === "object") {
    causes.push(...schemaFaults(schema.additionalProperties, `${field}.additionalProperties`));
  }
  return causes;
}
