/**
 * What the API server says when it does not do what was asked: a Kubernetes `Status` (meta/v1) with the reasons,
 * codes and wording that kubectl and client libraries key on.
 */
import { type ErrorCode, MeshError } from "@meltemi/runtime";
import type { Json, JsonObject } from "./json.ts";

export interface Cause {
  readonly field: string;
  readonly reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueDuplicate"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid"
    | "FieldManagerConflict";
  readonly message: string;
}

/** What a refusal is about: `deployments.apps "web"`. */
export interface Subject {
  readonly group: string;
  /** Plural for refusals by the store, kind for validation: as Kubernetes words them. */
  readonly resource: string;
  readonly name: string;
}

export class Refusal extends MeshError {
  readonly status: JsonObject;
  readonly httpCode: number;

  constructor(
    httpCode: number,
    reason: string,
    message: string,
    details: JsonObject = {},
    cause?: unknown,
    metadata: JsonObject = {},
  ) {
    super(meshCode(httpCode), message, cause === undefined ? {} : { cause });
    this.httpCode = httpCode;
    this.status = {
      kind: "Status",
      apiVersion: "v1",
      metadata,
      status: "Failure",
      message,
      reason,
      details,
      code: httpCode,
    };
  }
}

function meshCode(httpCode: number): ErrorCode {
  switch (httpCode) {
    case 401:
      return "IDENTITY_INVALID";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 409:
      return "CONFLICT";
    case 413:
    case 429:
      return "LIMIT_EXCEEDED";
    default:
      return httpCode >= 500 ? "UNAVAILABLE" : "INPUT_INVALID";
  }
}

function qualified(subject: Subject): string {
  return subject.group === "" ? subject.resource : `${subject.resource}.${subject.group}`;
}

function detailsOf(subject: Subject): JsonObject {
  return {
    name: subject.name,
    ...(subject.group === "" ? {} : { group: subject.group }),
    kind: subject.resource,
  };
}

export function notFound(subject: Subject): Refusal {
  return new Refusal(
    404,
    "NotFound",
    `${qualified(subject)} ${JSON.stringify(subject.name)} not found`,
    detailsOf(subject),
  );
}

export function noSuchPath(): Refusal {
  return new Refusal(404, "NotFound", "the server could not find the requested resource");
}

export function alreadyExists(subject: Subject): Refusal {
  const message = `${qualified(subject)} ${JSON.stringify(subject.name)} already exists`;
  return new Refusal(409, "AlreadyExists", message, detailsOf(subject));
}

const MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";

export function conflict(subject: Subject, why: string = MODIFIED): Refusal {
  const message = `Operation cannot be fulfilled on ${qualified(subject)} ${JSON.stringify(subject.name)}: ${why}`;
  return new Refusal(409, "Conflict", message, detailsOf(subject));
}

export function forbidden(subject: Subject, why: string): Refusal {
  const message = `${qualified(subject)} ${JSON.stringify(subject.name)} is forbidden: ${why}`;
  return new Refusal(403, "Forbidden", message, detailsOf(subject));
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, "BadRequest", message);
}

export function unauthorized(): Refusal {
  return new Refusal(401, "Unauthorized", "Unauthorized");
}

/** `metadata` may hold a token to go on with. */
export function expired(message: string, metadata: JsonObject = {}): Refusal {
  return new Refusal(410, "Expired", message, {}, undefined, metadata);
}

export function methodNotAllowed(method: string): Refusal {
  const message = `the server does not allow this method on the requested resource (${method})`;
  return new Refusal(405, "MethodNotAllowed", message);
}

/** 422 with one cause per fault. `kind` is the object's kind, as Kubernetes words it here. */
export function invalid(group: string, kind: string, name: string, causes: readonly Cause[]): Refusal {
  const parts = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const list = parts.length === 1 ? (parts[0] ?? "") : `[${parts.join(", ")}]`;
  const named = group === "" ? kind : `${kind}.${group}`;
  return new Refusal(422, "Invalid", `${named} ${JSON.stringify(name)} is invalid: ${list}`, {
    ...detailsOf({ group, resource: kind, name }),
    causes: causes.map((cause) => ({ reason: cause.reason, message: cause.message, field: cause.field })),
  });
}

export function required(field: string, why = ""): Cause {
  return {
    field,
    reason: "FieldValueRequired",
    message: why === "" ? "Required value" : `Required value: ${why}`,
  };
}

export function invalidValue(field: string, value: Json | undefined, why: string): Cause {
  return { field, reason: "FieldValueInvalid", message: `Invalid value: ${shown(value)}: ${why}` };
}

export function unsupported(field: string, value: Json | undefined, supported: readonly string[]): Cause {
  const list = supported.map((item) => JSON.stringify(item)).join(", ");
  return {
    field,
    reason: "FieldValueNotSupported",
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`,
  };
}

export function forbiddenField(field: string, why: string): Cause {
  return { field, reason: "FieldValueForbidden", message: `Forbidden: ${why}` };
}

export function duplicate(field: string, value: Json | undefined): Cause {
  return { field, reason: "FieldValueDuplicate", message: `Duplicate value: ${shown(value)}` };
}

/** A value in a message: long ones are cut, so that an answer stays readable and bounded. */
function shown(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > 256 ? `${text.slice(0, 253)}...` : text;
}
