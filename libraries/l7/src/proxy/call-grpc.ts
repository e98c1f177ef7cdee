/** One unary gRPC call over a cluster's HTTP/2 connections (gRPC over HTTP/2). */

import { HeaderFields } from "@meltemi/http";
import type { Clock } from "@meltemi/runtime";
import type { Cancellation, RequestContext } from "../request-context.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import { callService, type ServiceAnswer } from "./call-service.ts";

export interface GrpcCall {
  readonly cluster: UpstreamCluster;
  readonly context: RequestContext;
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly message: Uint8Array;
  readonly timeoutMs: number;
}

export type GrpcAnswer =
  | { readonly kind: "message"; readonly message: Uint8Array }
  | { readonly kind: "failed"; readonly why: string };

/** Compressed or not, and the length. */
const PREFIX_BYTES = 5;

/** Never rejects. */
export async function callGrpc(
  { cluster, context, path, message, timeoutMs }: GrpcCall,
  deps: { readonly clock: Clock; readonly cancellation: Cancellation },
): Promise<GrpcAnswer> {
  const body = Buffer.alloc(PREFIX_BYTES + message.length);
  body.writeUInt32BE(message.length, 1);
  body.set(message, PREFIX_BYTES);
  const head = {
    version: "HTTP/2",
    method: "POST",
    scheme: "http",
    authority: cluster.config.service.hostname,
    path,
    headers: HeaderFields.of(
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ["grpc-timeout", `${Math.min(Math.ceil(timeoutMs), 99_999_999)}m`],
    ),
    expectsContinue: false,
  } as const;
  return readGrpcAnswer(await callService({ cluster, context, head, body, timeoutMs }, deps));
}

/** Exactly one message, not compressed, with status 0. */
export function readGrpcAnswer(answer: ServiceAnswer): GrpcAnswer {
  if (answer.kind === "failed") return answer;
  const { head, body, trailers } = answer;
  if (head.status !== 200) return failed(`HTTP status ${head.status}, expected 200`);
  const status = trailers?.get("grpc-status") ?? head.headers.get("grpc-status");
  if (status !== "0") {
    const message = trailers?.get("grpc-message") ?? head.headers.get("grpc-message") ?? "";
    return failed(`gRPC status ${status ?? "missing"} ${message}`.trim());
  }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (bytes.length < PREFIX_BYTES || bytes[0] !== 0 || bytes.readUInt32BE(1) !== bytes.length - PREFIX_BYTES)
    return failed(`${bytes.length} bytes that are not one plain message`);
  return { kind: "message", message: bytes.subarray(PREFIX_BYTES) };
}

function failed(why: string): GrpcAnswer {
  return { kind: "failed", why };
}
