/**
 * Reading Kubernetes' protobuf encoding, which kubectl's typed clients send: an envelope `k8s\0` + `runtime.Unknown`
 * around the object. Only requests: answers are always JSON, which every client takes.
 */
import type { Json, JsonObject } from "../json.ts";
import { childObject, isObject, setKey } from "../json.ts";
import { badRequest, Refusal } from "../refusal.ts";
import fieldTable from "../schema/generated/protobuf-fields.json" with { type: "json" };
import { BUILT_IN_SCHEMAS, resolveSchema, type Schema } from "../schema/schema.ts";
import { readFields, type WireField } from "./protobuf-wire.ts";

export const PROTOBUF = "application/vnd.kubernetes.protobuf";

const MAGIC = Buffer.from("k8s\0");
/** Deeper than any built-in type. */
const MAX_DEPTH = 64;

type Field =
  | { readonly kind: "field"; readonly name: string; readonly bytes: boolean }
  | { readonly kind: "inlined"; readonly type: string };

/** The object as JSON. `typeOf` names the schema of an apiVersion and kind. @throws Refusal 400 */
export function decodeProtobuf(
  body: Buffer,
  typeOf: (apiVersion: string, kind: string) => string | undefined,
): JsonObject {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC))
    throw badRequest("read the request's body as protobuf: expected the prefix k8s\\0");
  const envelope = readFields(body.subarray(MAGIC.length));
  const meta = readFields(bytesOf(envelope, 1));
  const apiVersion = bytesOf(meta, 1).toString("utf8");
  const kind = bytesOf(meta, 2).toString("utf8");
  const type = typeOf(apiVersion, kind);
  if (type === undefined)
    throw badRequest(
      `read the request's body as protobuf: no built-in type ${JSON.stringify(`${apiVersion} ${kind}`)}`,
    );
  return { apiVersion, kind, ...decodeMessage(type, bytesOf(envelope, 2), 0) };
}

function bytesOf(fields: readonly WireField[], number: number): Buffer {
  const found = fields.findLast((field) => field.number === number);
  return found?.kind === "bytes" ? found.value : Buffer.alloc(0);
}

function decodeMessage(type: string, bytes: Buffer, depth: number): JsonObject {
  const result: JsonObject = {};
  fillMessage(result, type, BUILT_IN_SCHEMAS.get(type) ?? {}, bytes, depth);
  return result;
}

function fillMessage(result: JsonObject, type: string, schema: Schema, bytes: Buffer, depth: number): void {
  if (depth > MAX_DEPTH)
    throw badRequest(`read the request's body as protobuf: nested deeper than ${MAX_DEPTH} levels`);
  const fields = fieldsOf(type);
  for (const wire of readFields(bytes)) {
    const field = fields.get(wire.number);
    if (field === undefined) {
      refuseUnknown(type, wire);
      continue;
    }
    if (field.kind === "inlined") {
      if (wire.kind === "bytes") fillMessage(result, field.type, schema, wire.value, depth + 1);
      continue;
    }
    const property = schema.properties?.[field.name];
    if (property !== undefined) fillField(result, field, property, wire, depth);
  }
}

/**
 * A newer client's field: Go writes plain ones even when they are empty, and those are passed over. One that says
 * something must not get lost in silence: the client is told to say it in JSON.
 */
function refuseUnknown(type: string, wire: WireField): void {
  if (wire.kind === "bytes" ? wire.value.length === 0 : wire.kind === "varint" && wire.value === 0n) return;
  const name = type.slice(type.lastIndexOf(".") + 1);
  const message = `read the request's body as protobuf: field ${wire.number} of ${name} is not known here; send application/json`;
  throw new Refusal(415, "UnsupportedMediaType", message);
}

function fillField(
  result: JsonObject,
  field: Extract<Field, { kind: "field" }>,
  property: Schema,
  wire: WireField,
  depth: number,
): void {
  const schema = resolveSchema(property);
  if (schema.type === "array") {
    const list = Array.isArray(result[field.name]) ? (result[field.name] as Json[]) : [];
    list.push(decodeValue(schema.items ?? {}, wire, depth, field.bytes));
    result[field.name] = list;
  } else if (typeof schema.additionalProperties === "object" && wire.kind === "bytes") {
    const entry = readFields(wire.value);
    const value = entry.find((part) => part.number === 2) ?? {
      kind: "bytes",
      number: 2,
      value: Buffer.alloc(0),
    };
    const key = bytesOf(entry, 1).toString("utf8");
    setKey(
      childObject(result, field.name),
      key,
      decodeValue(schema.additionalProperties, value, depth, field.bytes),
    );
  } else {
    const value = decodeValue(property, wire, depth, field.bytes);
    if (!isUnset(field.name, value)) result[field.name] = value;
  }
}

/** Plain fields of Go, which are written whether they were set or not; zero means absent. Pointers are not among them. */
const PLAIN_FIELDS = new Set([
  "failureThreshold",
  "generation",
  "globalDefault",
  "hostIPC",
  "hostNetwork",
  "hostPID",
  "hostPort",
  "initialDelaySeconds",
  "minReadySeconds",
  "nodePort",
  "observedGeneration",
  "paused",
  "periodSeconds",
  "publishNotReadyAddresses",
  "readOnly",
  "stdin",
  "stdinOnce",
  "successThreshold",
  "timeoutSeconds",
  "tty",
  "unschedulable",
]);

function isUnset(name: string, value: Json): boolean {
  return value === "" || value === null || ((value === 0 || value === false) && PLAIN_FIELDS.has(name));
}

function decodeValue(use: Schema, wire: WireField, depth: number, isBytes: boolean): Json {
  const schema = resolveSchema(use);
  if (wire.kind === "varint")
    return schema.type === "boolean" ? wire.value !== 0n : Number(BigInt.asIntN(64, wire.value));
  if (wire.kind !== "bytes")
    throw badRequest("read the request's body as protobuf: unexpected fixed-width field");
  if (isBytes) return wire.value.toString("base64");
  if (schema["x-kubernetes-int-or-string"] === true) return intOrString(wire.value);
  if (schema.format === "date-time") return timeText(wire.value);
  if (schema.format === "quantity") return bytesOf(readFields(wire.value), 1).toString("utf8");
  if (schema.type === "array")
    return readFields(wire.value).map((item) => decodeValue(schema.items ?? {}, item, depth + 1, false));
  if (use.$ref !== undefined && schema["x-kubernetes-preserve-unknown-fields"] === true)
    return rawJson(wire.value);
  if (use.$ref !== undefined) return decodeMessage(use.$ref, wire.value, depth + 1);
  return wire.value.toString("utf8");
}

function intOrString(bytes: Buffer): Json {
  const fields = readFields(bytes);
  const number = (wanted: number): number => {
    const found = fields.find((field) => field.number === wanted);
    return found?.kind === "varint" ? Number(BigInt.asIntN(64, found.value)) : 0;
  };
  return number(1) === 0 ? number(2) : bytesOf(fields, 3).toString("utf8");
}

/** An empty message is the zero time, which JSON writes as null. */
function timeText(bytes: Buffer): Json {
  const [seconds] = readFields(bytes);
  if (seconds?.kind !== "varint") return null;
  const atMs = Number(BigInt.asIntN(64, seconds.value)) * 1000;
  if (Math.abs(atMs) > 8.64e15) throw badRequest("read the request's body as protobuf: a time out of range");
  return new Date(atMs).toISOString().replace(".000Z", "Z");
}

function rawJson(bytes: Buffer): Json {
  const text = bytesOf(readFields(bytes), 1).toString("utf8");
  if (text === "") return {};
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : {};
  } catch {
    throw badRequest("read the request's body as protobuf: expected JSON inside a raw field");
  }
}

const parsed = new Map<string, ReadonlyMap<number, Field>>();
const TABLE: ReadonlyMap<string, string> = new Map(Object.entries(fieldTable));

function fieldsOf(type: string): ReadonlyMap<number, Field> {
  const known = parsed.get(type);
  if (known !== undefined) return known;
  const fields = new Map<number, Field>();
  for (const entry of (TABLE.get(type) ?? "").split(",")) {
    const [number = "", name = ""] = entry.split(" ");
    if (name.startsWith(">")) fields.set(Number(number), { kind: "inlined", type: name.slice(1) });
    else
      fields.set(Number(number), {
        kind: "field",
        name: name.replace("=bytes", ""),
        bytes: name.endsWith("=bytes"),
      });
  }
  parsed.set(type, fields);
  return fields;
}
