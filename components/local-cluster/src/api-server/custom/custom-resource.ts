/** A resource as a CustomResourceDefinition describes it. */

import { versionRank } from "../discovery.ts";
import { at, isObject, type Json, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { ageOf } from "../resources/age.ts";
import { AGE, NAME } from "../resources/columns.ts";
import { dnsSubdomain } from "../resources/names.ts";
import type {
  Cell,
  Column,
  Resource,
  ResourceVersion,
  ScalePaths,
  Subresource,
} from "../resources/resource.ts";
import type { Schema } from "../schema/schema.ts";
import { compileJsonPath } from "./json-path.ts";

/** The definition was validated when it was stored. */
export function resourceOfDefinition(definition: KubeObject): Resource {
  const spec = definition["spec"];
  const versions = listAt(spec, "versions").map(versionOf);
  const storage = listAt(spec, "versions").find((version) => at(version, "storage") === true);
  const kind = textAt(spec, "names", "kind") ?? "";
  return {
    group: textAt(spec, "group") ?? "",
    kind,
    plural: textAt(spec, "names", "plural") ?? "",
    singular: textAt(spec, "names", "singular") ?? kind.toLowerCase(),
    shortNames: listAt(spec, "names", "shortNames").map(String),
    categories: listAt(spec, "names", "categories").map(String),
    namespaced: textAt(spec, "scope") === "Namespaced",
    versions: versions.sort((a, b) => versionRank(b.name) - versionRank(a.name)),
    storageVersion: textAt(storage, "name") ?? "v1",
    custom: true,
    selectableFields: selectableFields(spec),
    rules: { countsGenerations: true, checkName: dnsSubdomain },
  };
}

function versionOf(version: Json): ResourceVersion {
  const schema = at(version, "schema", "openAPIV3Schema");
  const subresources: Subresource[] = [];
  if (at(version, "subresources", "status") !== undefined) subresources.push("status");
  const scale = scaleOf(at(version, "subresources", "scale"));
  if (scale !== undefined) subresources.push("scale");
  const name = textAt(version, "name") ?? "";
  return {
    name,
    served: at(version, "served") === true,
    schema: (isObject(schema) ? schema : {}) as Schema,
    columns: columnsOf(listAt(version, "additionalPrinterColumns")),
    subresources,
    ...(scale === undefined ? {} : { scale }),
    ...(at(version, "deprecated") === true
      ? {
          deprecationWarning:
            textAt(version, "deprecationWarning") ?? `version ${name} of this resource is deprecated`,
        }
      : {}),
  };
}

function scaleOf(scale: Json | undefined): ScalePaths | undefined {
  if (!isObject(scale)) return undefined;
  const path = (key: string): string[] => (textAt(scale, key) ?? "").split(".").filter((step) => step !== "");
  const selector = path("labelSelectorPath");
  return {
    specReplicas: path("specReplicasPath"),
    statusReplicas: path("statusReplicasPath"),
    ...(selector.length === 0 ? {} : { selector }),
  };
}

function columnsOf(columns: readonly Json[]): readonly Column[] {
  if (columns.length === 0) return [NAME, AGE];
  return [NAME, ...columns.map(columnOf)];
}

function columnOf(column: Json): Column {
  const read = compileJsonPath(textAt(column, "jsonPath") ?? "");
  const type = textAt(column, "type") ?? "string";
  const known =
    type === "integer" || type === "number" || type === "boolean" || type === "date" ? type : "string";
  return {
    name: textAt(column, "name") ?? "",
    // Dates are shown as ages, which are texts.
    type: known === "date" ? "string" : known,
    format: textAt(column, "format") ?? "",
    description: textAt(column, "description") ?? "",
    priority: numberAt(column, "priority") ?? 0,
    value: (object, nowMs) => cellOf(known, read(object), nowMs),
  };
}

function cellOf(type: Column["type"], found: readonly Json[], nowMs: number): Cell {
  const [first] = found;
  if (first === undefined || first === null) return null;
  switch (type) {
    case "date":
      return typeof first === "string" ? ageOf(first, nowMs) : null;
    case "integer":
    case "number":
      return typeof first === "number" ? first : null;
    case "boolean":
      return typeof first === "boolean" ? first : null;
    case "string":
      return found.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(",");
  }
}

function selectableFields(spec: Json | undefined): Record<string, (object: KubeObject) => string> {
  const paths = listAt(spec, "versions").flatMap((version) =>
    listAt(version, "selectableFields").map((field) => textAt(field, "jsonPath") ?? ""),
  );
  return Object.fromEntries(
    [...new Set(paths)].map((path) => {
      const steps = path.split(".").filter((step) => step !== "");
      return [steps.join("."), (object: JsonObject): string => String(at(object, ...steps) ?? "")];
    }),
  );
}
