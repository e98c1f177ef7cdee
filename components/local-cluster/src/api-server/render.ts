/** Objects as a client asked to see them: in its API version, whole, as rows of a Table, or metadata only. */
import type { Form } from "./http/accept.ts";
import type { Json, JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import type { Served } from "./registry.ts";
import { apiVersionOf, type Column } from "./resources/resource.ts";
import type { Stored } from "./store/object-store.ts";

/** What a Table's rows carry along: `?includeObject=`. */
type IncludeObject = "None" | "Metadata" | "Object";

export interface View {
  readonly served: Served;
  readonly form: Form;
  readonly includeObject: IncludeObject;
  readonly nowMs: () => number;
}

/** The object's JSON text in the version that was asked for; the stored text where they are the same. */
export function objectText(served: Served, stored: Stored): string {
  const { resource, version } = served;
  if (version.name === resource.storageVersion && resource.storageForm === undefined) return stored.text;
  return JSON.stringify(inVersion(served, stored.object));
}

export function inVersion(served: Served, object: KubeObject): KubeObject {
  const { storageForm, group } = served.resource;
  if (storageForm !== undefined) return storageForm.fromStored(object);
  return { ...object, apiVersion: apiVersionOf(group, served.version.name) };
}

/** One object in the asked form, as text. */
export function renderOne(view: View, stored: Stored): string {
  switch (view.form.kind) {
    case "table":
      return JSON.stringify(tableOf(view, [stored], { resourceVersion: String(stored.revision) }, true));
    case "partial":
      return JSON.stringify(partial(stored.object));
    default:
      return objectText(view.served, stored);
  }
}

export function renderList(view: View, items: readonly Stored[], metadata: JsonObject): string {
  const { resource, version } = view.served;
  switch (view.form.kind) {
    case "table":
      return JSON.stringify(tableOf(view, items, metadata, true));
    case "partial":
      return JSON.stringify({
        kind: "PartialObjectMetadataList",
        apiVersion: "meta.k8s.io/v1",
        metadata,
        items: items.map((item) => partial(item.object)),
      });
    default: {
      const head = `{"kind":${JSON.stringify(`${resource.kind}List`)},"apiVersion":${JSON.stringify(apiVersionOf(resource.group, version.name))}`;
      const texts = items.map((item) => objectText(view.served, item));
      return `${head},"metadata":${JSON.stringify(metadata)},"items":[${texts.join(",")}]}`;
    }
  }
}

function partial(object: KubeObject): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

/** A Table (meta/v1). Only the first Table of a watch carries the columns' definitions. */
export function tableOf(
  view: View,
  items: readonly Stored[],
  metadata: JsonObject,
  withColumns: boolean,
): JsonObject {
  const { columns } = view.served.version;
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: withColumns ? columns.map(definition) : [],
    rows: items.map((item) => row(view, columns, item)),
  };
}

function definition(column: Column): JsonObject {
  return {
    name: column.name,
    type: column.type,
    format: column.format ?? "",
    description: column.description ?? "",
    priority: column.priority,
  };
}

function row(view: View, columns: readonly Column[], item: Stored): Json {
  const nowMs = view.nowMs();
  const cells = columns.map((column) => column.value(item.object, nowMs));
  switch (view.includeObject) {
    case "None":
      return { cells };
    case "Metadata":
      return { cells, object: partial(item.object) };
    case "Object":
      return { cells, object: inVersion(view.served, item.object) };
  }
}
