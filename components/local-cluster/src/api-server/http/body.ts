/** Reading request bodies: bounded in bytes and in depth, JSON or YAML, refused with what was expected. */
import type { IncomingMessage } from "node:http";
import { describeError } from "@meltemi/runtime";
import { parse as parseYaml } from "yaml";
import type { Json } from "../json.ts";
import { badRequest, Refusal } from "../refusal.ts";
import { builtInType } from "../schema/type-names.ts";
import { decodeProtobuf, PROTOBUF } from "./protobuf.ts";

/** As in Kubernetes: etcd takes 1.5 MiB, a patch may be twice the object. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** Deeper values than any schema has; recursion over them must not end the process. */
const MAX_DEPTH = 128;

/** @throws Refusal 413 as soon as the bound is passed, without reading the rest */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): Refusal {
  const message = `Request entity too large: limit is ${MAX_BODY_BYTES}`;
  return new Refusal(413, "RequestEntityTooLarge", message);
}

/** The media type without parameters, in lower case. */
export function mediaType(header: string | undefined): string {
  return (header ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

/**
 * Parses a body as JSON, or as YAML where the media type says so.
 * @throws Refusal 400 for text that does not parse or nests too deeply, 415 for another media type
 */
export function parseBody(body: Buffer, type: string): Json {
  const text = body.toString("utf8");
  if (type === "application/yaml" || type === "application/apply-patch+yaml")
    return checkDepth(fromYaml(text));
  if (type === PROTOBUF) return checkDepth(decodeProtobuf(body, builtInType));
  if (type === "" || type === "application/json" || type.endsWith("+json")) return checkDepth(fromJson(text));
  const message = `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`;
  throw new Refusal(415, "UnsupportedMediaType", `${message}; got ${JSON.stringify(type)}`);
}

function fromJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw badRequest(`read the request's body as JSON: ${describeError(error)}`);
  }
}

/** Anchors may repeat a value a few times, never blow a small text up into a huge one. */
const MAX_ALIASES = 64;

function fromYaml(text: string): Json {
  if (text.trimStart().startsWith("{")) return fromJson(text);
  try {
    // Kubernetes reads YAML 1.1: `on` and `yes` are booleans.
    return parseYaml(text, { version: "1.1", maxAliasCount: MAX_ALIASES, merge: true }) as Json;
  } catch (error) {
    throw badRequest(`read the request's body as YAML: ${describeError(error)}`);
  }
}

function checkDepth(root: Json): Json {
  const pending: { value: Json; depth: number }[] = [{ value: root, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next;
    if (typeof value !== "object" || value === null) continue;
    if (depth >= MAX_DEPTH)
      throw badRequest(`read the request's body: nested deeper than ${MAX_DEPTH} levels`);
    for (const child of Object.values(value)) pending.push({ value: child, depth: depth + 1 });
  }
  return root;
}
