/** Puts an answer of our own on the wire: plain HTTP, or a status in trailers for gRPC. */

import { HeaderFields, type ResponseHead, type ServerExchange } from "@meltemi/http";
import type { LocalReply } from "../request-context.ts";
import { grpcReplyHead, isGrpcRequest } from "../routing/grpc-reply.ts";

/** `change` sees the head before it goes. Returns what was sent. */
export function sendReply(
  exchange: ServerExchange,
  reply: LocalReply,
  change: ((head: ResponseHead) => void) | undefined,
): { readonly head: ResponseHead; readonly bodyBytes: number } {
  const { request } = exchange;
  // The 200 that carries a gRPC status would accept a CONNECT.
  if (request.method !== "CONNECT" && isGrpcRequest(request.headers)) {
    const head = grpcReplyHead(reply);
    change?.(head);
    exchange.respond(head, true);
    return { head, bodyBytes: 0 };
  }
  const body = Buffer.from(reply.body);
  const head: ResponseHead = { status: reply.status, headers: new HeaderFields() };
  for (const [name, value] of reply.headers) head.headers.append(name, value);
  head.headers.set("content-length", String(body.length));
  if (body.length > 0 && !head.headers.has("content-type")) head.headers.append("content-type", "text/plain");
  change?.(head);
  const isWithoutBody = body.length === 0 || request.method === "HEAD";
  exchange.respond(head, isWithoutBody);
  if (isWithoutBody) return { head, bodyBytes: 0 };
  exchange.write(body, false);
  exchange.end();
  return { head, bodyBytes: body.length };
}
