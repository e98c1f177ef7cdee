/** Where the steps of a write come to admission webhooks. Does nothing for the server's own writes. */
import { isObject, type Json, type JsonObject } from "../json.ts";
import { type KubeObject, nameOf, namespaceOf } from "../kube-object.ts";
import type { Served } from "../registry.ts";
import type { WriteRequest } from "../write/context.ts";
import { toStorage } from "../write/decode.ts";
import { applyDefaults } from "../write/validate.ts";
import type { Attributes, KindName } from "./match.ts";
import type { Asking } from "./stages.ts";
import type { Operation } from "./webhook.ts";

/** A request and all its webhooks, together: what kube-apiserver gives a request. */
const REQUEST_MS = 60_000;

/** Lets mutating webhooks change a new or updated object, in place; says whether they did. @throws Refusal when one denies or fails */
export function hearMutating(
  request: WriteRequest,
  object: KubeObject,
  previous: KubeObject | undefined,
): boolean {
  const { hearing } = request;
  if (hearing === undefined) return false;
  const { metadata } = object;
  const { uid, creationTimestamp, ...named } = metadata;
  // A new object has neither until it is stored.
  const shown = previous === undefined ? { ...object, metadata: named } : object;
  const heard = hearing.hear("mutating", askingOf(request, attributesOf(request, shown, previous)));
  if (heard === undefined || heard === shown) return false;
  if (previous === undefined) Object.assign(heard.metadata, { uid, creationTimestamp });
  replaceContents(object, heard);
  applyDefaults(request, object);
  return true;
}

/** Lets validating webhooks judge the finished object. @throws Refusal when one denies or fails */
export function hearValidating(
  request: WriteRequest,
  object: KubeObject,
  previous: KubeObject | undefined,
): void {
  request.hearing?.hear("validating", askingOf(request, attributesOf(request, object, previous)));
}

/** Both stages of a deletion; nobody can change anything about it. @throws Refusal when one denies or fails */
export function hearDeletion(request: WriteRequest, previous: KubeObject, dryRun: boolean): void {
  const { hearing, served } = request;
  if (hearing === undefined) return;
  const attributes: Attributes = {
    operation: "DELETE",
    served,
    subresource: "",
    namespace: namespaceFor(served, previous),
    name: nameOf(previous),
    object: undefined,
    oldObject: previous,
  };
  const asking = askingOf({ ...request, options: { ...request.options, dryRun } }, attributes);
  hearing.hear("mutating", asking);
  hearing.hear("validating", asking);
}

/**
 * Both stages of a subresource that speaks a kind of its own (Scale, Eviction, Binding): what it says in the end.
 * @throws Refusal when one denies or fails
 */
export function hearSubresource(
  request: WriteRequest,
  kind: KindName,
  operation: Operation,
  body: Json,
  oldBody: JsonObject | undefined,
): Json {
  const { hearing, served, subresource = "", namespace = "", name = "" } = request;
  if (hearing === undefined || !isObject(body)) return body;
  const attributes: Attributes = {
    operation,
    served,
    kind,
    subresource,
    namespace,
    name,
    object: withMetadata(body),
    oldObject: oldBody === undefined ? undefined : withMetadata(oldBody),
  };
  const object = hearing.hear("mutating", askingOf(request, attributes));
  hearing.hear("validating", askingOf(request, { ...attributes, object }));
  return object ?? body;
}

function withMetadata(body: JsonObject): KubeObject {
  const { metadata } = body;
  return { ...body, metadata: isObject(metadata) ? metadata : {} };
}

function attributesOf(
  request: WriteRequest,
  object: KubeObject,
  previous: KubeObject | undefined,
): Attributes {
  const { served, subresource = "" } = request;
  return {
    operation: previous === undefined ? "CREATE" : "UPDATE",
    served,
    subresource,
    namespace: namespaceFor(served, object),
    name: nameOf(object),
    object,
    oldObject: previous,
  };
}

/** A Namespace lies in itself. */
function namespaceFor({ resource }: Served, object: KubeObject): string {
  return resource.group === "" && resource.plural === "namespaces" ? nameOf(object) : namespaceOf(object);
}

const OPTIONS = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions" } as const;

function askingOf(request: WriteRequest, attributes: Attributes): Asking {
  const { options, user, warnings, nowMs } = request;
  const { operation, kind } = attributes;
  return {
    attributes,
    user,
    dryRun: options.dryRun,
    options: {
      kind: OPTIONS[operation],
      apiVersion: "meta.k8s.io/v1",
      ...(options.dryRun ? { dryRun: ["All"] } : {}),
      ...(operation === "DELETE"
        ? {}
        : { fieldManager: options.fieldManager, fieldValidation: options.fieldValidation }),
    },
    warn: (text) => void warnings.push(text),
    deadlineMs: nowMs + REQUEST_MS,
    decode: (version, object) =>
      kind === undefined
        ? toStorage(
            { ...request, served: version, options: { ...options, fieldValidation: "Ignore" } },
            object,
          )
        : withMetadata(object),
  };
}

function replaceContents(object: KubeObject, by: KubeObject): void {
  for (const key of Object.keys(object)) if (!Object.hasOwn(by, key)) delete object[key];
  Object.assign(object, by);
}
