/** OpenAPI documents of what is served now: what kubectl validates, explains and merges by. */
import { createHash } from "node:crypto";
import type { Json, JsonObject } from "../json.ts";
import type { Registry } from "../registry.ts";
import { apiVersionOf, type Resource, type ResourceVersion } from "../resources/resource.ts";
import { BUILT_IN_SCHEMAS, OBJECT_META, type Schema } from "../schema/schema.ts";

export interface OpenApi {
  /** `/openapi/v3`: which documents there are. */
  index(): JsonObject;
  /** `apis/apps/v1` → the document as text; undefined when there is none. */
  document(path: string): string | undefined;
  /** `/openapi/v2`: all definitions in one document. */
  v2(): JsonObject;
}

/** What client-go asks for at `/openapi/v2` and cannot do without. Its at-sign is not allowed in a media type, so the answer says a dot. */
export const OPENAPI_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

export function wantsProtobuf(mediaType: string | undefined): boolean {
  return mediaType?.replace("@", ".") === OPENAPI_V2_PROTOBUF;
}

interface Entry {
  readonly resource: Resource;
  readonly version: ResourceVersion;
}

/** Documents are made when they are first asked for, and again after the resources changed. */
export function createOpenApi(registry: Registry): OpenApi {
  let generation = 0;
  let groups = new Map<string, Entry[]>();
  const texts = new Map<string, string>();

  function refresh(): void {
    if (generation === registry.generation()) return;
    generation = registry.generation();
    texts.clear();
    groups = new Map();
    for (const resource of registry.all()) {
      for (const version of resource.versions) {
        if (!version.served) continue;
        const path = `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource.group, version.name)}`;
        groups.set(path, [...(groups.get(path) ?? []), { resource, version }]);
      }
    }
  }

  function document(path: string): string | undefined {
    refresh();
    const entries = groups.get(path);
    if (entries === undefined) return undefined;
    const text = texts.get(path) ?? JSON.stringify(documentOf(path, entries));
    texts.set(path, text);
    return text;
  }

  return {
    document,
    index() {
      refresh();
      const paths = [...groups.keys()].map((path): [string, Json] => {
        const hash = createHash("sha256")
          .update(document(path) ?? "")
          .digest("hex");
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
      });
      return { paths: Object.fromEntries(paths) };
    },
    v2() {
      refresh();
      const entries = [...groups.values()].flat();
      const definitions = componentsOf(entries, "#/definitions/");
      return { swagger: "2.0", info: { title: "Kubernetes", version: "v1.32.4" }, paths: {}, definitions };
    },
  };
}

/**
 * `/openapi/v2` in protobuf (openapi.v2.Document of gnostic): the head of a document, without definitions. kubectl asks for it
 * where it would validate a `v1 List` by itself; finding no definition it leaves that to the server, which validates every item.
 */
export function openApiV2Head(): string {
  const info = `${protobufText(1, "Kubernetes")}${protobufText(2, "v1.32.4")}`;
  return `${protobufText(1, "2.0")}${protobufText(2, info)}`;
}

/** A length-delimited field; all is ASCII and shorter than 128 bytes, so that tag and length are one character each. */
function protobufText(field: number, text: string): string {
  return `${String.fromCharCode((field << 3) | 2, text.length)}${text}`;
}

function documentOf(path: string, entries: readonly Entry[]): JsonObject {
  const prefix = "#/components/schemas/";
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "v1.32.4" },
    paths: Object.fromEntries(entries.flatMap((entry) => pathsOf(path, entry, prefix))),
    components: { schemas: componentsOf(entries, prefix) },
  };
}

const QUERY = (name: string): JsonObject => ({
  name,
  in: "query",
  schema: { type: "string", uniqueItems: true },
});

const PATCH_TYPES = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
];

function pathsOf(path: string, entry: Entry, prefix: string): [string, Json][] {
  const { resource, version } = entry;
  const gvk = { group: resource.group, version: version.name, kind: resource.kind };
  const schema = { $ref: `${prefix}${schemaName(entry)}` };
  const content = { "application/json": { schema } };
  const operation = (action: string, verb: string, more: JsonObject = {}): JsonObject => ({
    operationId: `${verb}${resource.kind}`,
    responses: { "200": { description: "OK", content } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": gvk,
    ...more,
  });
  const writing = [QUERY("dryRun"), QUERY("fieldManager"), QUERY("fieldValidation")];
  const patchTypes = resource.custom ? PATCH_TYPES.slice(0, 3) : PATCH_TYPES;
  const patchContent = Object.fromEntries(patchTypes.map((type) => [type, { schema: { type: "object" } }]));
  const collection = `/${path}/${resource.namespaced ? "namespaces/{namespace}/" : ""}${resource.plural}`;
  return [
    [
      collection,
      {
        get: operation("list", "list"),
        post: operation("post", "create", { parameters: writing, requestBody: { content } }),
      },
    ],
    [
      `${collection}/{name}`,
      {
        get: operation("get", "read"),
        put: operation("put", "replace", { parameters: writing, requestBody: { content } }),
        patch: operation("patch", "patch", {
          parameters: [...writing, QUERY("force")],
          requestBody: { content: patchContent },
        }),
        delete: operation("delete", "delete"),
      },
    ],
  ];
}

/** `io.istio.security.v1.PeerAuthentication` for a CRD's kind, the type's own name for a built-in one. */
function schemaName(entry: Entry): string {
  const { resource, version } = entry;
  if (version.schema.$ref !== undefined) return version.schema.$ref;
  return [...resource.group.split(".").reverse(), version.name, resource.kind].join(".");
}

function componentsOf(entries: readonly Entry[], prefix: string): JsonObject {
  const components: JsonObject = {};
  const pending: string[] = [];
  for (const entry of entries) {
    const { resource, version } = entry;
    const name = schemaName(entry);
    const whole =
      entry.version.schema.$ref === undefined ? customSchema(version.schema) : BUILT_IN_SCHEMAS.get(name);
    const gvk = [{ group: resource.group, version: version.name, kind: resource.kind }];
    components[name] = { ...referring(whole ?? {}, prefix, pending), "x-kubernetes-group-version-kind": gvk };
  }
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const schema = BUILT_IN_SCHEMAS.get(name);
    if (components[name] === undefined && schema !== undefined)
      components[name] = referring(schema, prefix, pending);
  }
  return components;
}

function customSchema(schema: Schema): Schema {
  return {
    ...schema,
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { $ref: OBJECT_META },
      ...schema.properties,
    },
  };
}

/** A copy whose references point into the document; the names referred to are added to `pending`. */
function referring(schema: Schema, prefix: string, pending: string[]): JsonObject {
  const text = JSON.stringify(schema, (key, value: unknown) => {
    if (key !== "$ref" || typeof value !== "string") return value;
    pending.push(value);
    return `${prefix}${value}`;
  });
  return JSON.parse(text) as JsonObject;
}
