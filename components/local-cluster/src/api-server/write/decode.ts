/** From a request's body to an object of the right kind, cut to its schema. Storage keeps one version of each kind. */
import { isObject, type Json, type JsonObject, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { badRequest } from "../refusal.ts";
import type { Served } from "../registry.ts";
import { apiVersionOf } from "../resources/resource.ts";
import { typeFault } from "../schema/check-types.ts";
import { prune } from "../schema/prune.ts";
import { OBJECT_META, type Schema } from "../schema/schema.ts";
import type { FieldValidation, WriteRequest } from "./context.ts";

/** Checks apiVersion and kind, which a client may leave out, and fills them in. */
export function decodeObject(request: WriteRequest, body: Json): KubeObject {
  const { resource, version } = request.served;
  const expected = apiVersionOf(resource.group, version.name);
  if (!isObject(body)) throw badRequest(`read the request's body as a ${resource.kind}: expected an object`);
  const apiVersion = textAt(body, "apiVersion") ?? expected;
  if (apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  const kind = textAt(body, "kind") ?? resource.kind;
  if (kind !== resource.kind) {
    throw badRequest(
      `${kind} in version ${JSON.stringify(version.name)} cannot be handled as a ${resource.kind}`,
    );
  }
  return toStorage(request, { ...body, apiVersion, kind });
}

/**
 * Prunes what the schema does not know, reports it as the request's fieldValidation asks, refuses wrong types.
 * The result has the storage version's apiVersion.
 */
export function toStorage(request: WriteRequest, body: JsonObject): KubeObject {
  const { served } = request;
  const schema = wholeSchema(served);
  const pruned = prune(schema, body, { dropNulls: !served.resource.custom });
  report(pruned.unknown, request.options.fieldValidation, request.warnings);
  const object = pruned.value;
  if (!isObject(object)) throw badRequest("read the request's body: expected an object");
  const { kind } = served.resource;
  const fault = served.resource.custom
    ? typeFault({ $ref: OBJECT_META }, object["metadata"] ?? {}, "metadata")
    : typeFault(schema, object, "");
  if (fault !== undefined) {
    throw badRequest(
      `${kind} in version ${JSON.stringify(served.version.name)} cannot be handled as a ${kind}: ${fault}`,
    );
  }
  const stored: KubeObject = {
    ...object,
    apiVersion: apiVersionOf(served.resource.group, served.resource.storageVersion),
    kind,
    metadata: isObject(object["metadata"]) ? object["metadata"] : {},
  };
  return served.resource.storageForm?.toStored(stored) ?? stored;
}

/** A CRD's schema leaves apiVersion, kind and metadata to the server. */
export function wholeSchema(served: Served): Schema {
  const { schema } = served.version;
  if (!served.resource.custom) return schema;
  return {
    ...schema,
    type: "object",
    properties: {
      ...schema.properties,
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { $ref: OBJECT_META },
    },
  };
}

function report(unknown: readonly string[], validation: FieldValidation, warnings: string[]): void {
  if (unknown.length === 0 || validation === "Ignore") return;
  const faults = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (validation === "Strict") throw badRequest(`strict decoding error: ${faults.join(", ")}`);
  warnings.push(...faults);
}
