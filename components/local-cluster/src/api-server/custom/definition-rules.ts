/** Defaults and validation of CustomResourceDefinitions themselves. */
import { at, childObject, isObject, listAt, setDefault, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Cause, invalidValue, required, unsupported } from "../refusal.ts";
import type { ResourceRules } from "../resources/resource.ts";

export const CUSTOM_RESOURCE_DEFINITION_RULES: Partial<ResourceRules> = {
  countsGenerations: true,
  applyDefaults: defaultDefinition,
  validate: definitionFaults,
};

function defaultDefinition(definition: KubeObject): void {
  const spec = childObject(definition, "spec");
  const names = childObject(spec, "names");
  const kind = textAt(names, "kind") ?? "";
  setDefault(names, "singular", kind.toLowerCase());
  setDefault(names, "listKind", `${kind}List`);
  setDefault(spec, "conversion", { strategy: "None" });
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
