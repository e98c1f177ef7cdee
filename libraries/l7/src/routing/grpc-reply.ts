/** Answers to gRPC requests that are made here: a status in trailers, sent alone (gRPC over HTTP/2, "Responses"; mapping as Envoy's). */

import { HeaderFields, type ResponseHead } from "@meltemi/http";
import type { LocalReply } from "../request-context.ts";
import { toWireText } from "../text/wire-text.ts";

const GRPC = "application/grpc";
const UNKNOWN = 2;

/** HTTP status of an answer without `grpc-status` → gRPC status; all others are UNKNOWN. */
const GRPC_STATUS: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);

/** HTTP status for gRPC statuses 0 to 16, by position. */
const HTTP_STATUS: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** By its content type: `application/grpc`, or with a message format behind `+`. gRPC-Web is not: its statuses travel in bodies. */
export function isGrpcRequest(headers: HeaderFields): boolean {
  const type = headers.get("content-type");
  if (type === undefined || !type.startsWith(GRPC)) return false;
  if (type.length === GRPC.length) return true;
  const next = type.charAt(GRPC.length);
  return next === "+" || next === ";";
}

export function grpcStatusOf(httpStatus: number): number {
  return GRPC_STATUS.get(httpStatus) ?? UNKNOWN;
}

/** For faults that are given as a gRPC status and meet a request that is not gRPC; 500 for what is no gRPC status. */
export function httpStatusOf(grpcStatus: number): number {
  return HTTP_STATUS[grpcStatus] ?? 500;
}

/** The whole answer: a head that ends the response. A `grpc-status` among the reply's headers stands before the mapped one. */
export function grpcReplyHead(reply: LocalReply): ResponseHead {
  const headers = HeaderFields.of(["content-type", GRPC]);
  for (const [name, value] of reply.headers) if (name !== "content-type") headers.append(name, value);
  if (!headers.has("grpc-status")) headers.append("grpc-status", String(grpcStatusOf(reply.status)));
  if (reply.body !== "") headers.set("grpc-message", encodeGrpcMessage(reply.body));
  return { status: 200, headers };
}

/** Percent-encoded UTF-8: all but visible ASCII and the space, and `%` itself. */
export function encodeGrpcMessage(message: string): string {
  let encoded = "";
  for (const character of toWireText(message)) {
    const code = character.charCodeAt(0);
    const isPlain = code >= 0x20 && code <= 0x7e && code !== 0x25;
    encoded += isPlain ? character : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
