/** Counts and notes of one request while it lasts; becomes its record. */

import type { HeaderFields, ResponseHead } from "@meltemi/http";
import type { NamespacedHostname } from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { RequestContext } from "../request-context.ts";
import type { UpstreamEndpoint } from "../upstream/upstream-cluster.ts";
import { GrpcMessageCounter } from "./grpc-messages.ts";
import type { RequestRecord } from "./request-record.ts";

/** How a request ended. */
export type Ending =
  | { readonly kind: "answered"; readonly trailers: HeaderFields | undefined }
  /** By an answer of our own. */
  | {
      readonly kind: "replied";
      readonly flag: string;
      readonly details: string;
      readonly upstreamFailure: string;
    }
  /** After the response had begun. */
  | {
      readonly kind: "cut";
      readonly flag: string;
      readonly details: string;
      readonly upstreamFailure: string;
    }
  | { readonly kind: "clientGone"; readonly detail: string };

interface Journey {
  readonly service: NamespacedHostname | undefined;
  readonly cluster: Cluster | undefined;
  readonly endpoint: UpstreamEndpoint | undefined;
  readonly attempts: number;
  readonly upstreamServiceTimeMs: number | undefined;
}

export class RequestTally {
  readonly #context: RequestContext;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #startedMs: number;
  /** Undefined unless gRPC. */
  readonly #requestMessages: GrpcMessageCounter | undefined;
  readonly #responseMessages: GrpcMessageCounter | undefined;
  readonly #flags: string[] = [];
  #head: ResponseHead | undefined;
  #requestBytes = 0;
  responseBytes = 0;
  routeName = "";

  constructor(context: RequestContext, clock: Clock) {
    this.#context = context;
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#startedMs = clock.monotonicMs();
    const isGrpc = isGrpcType(context.request.headers.get("content-type"));
    this.#requestMessages = isGrpc ? new GrpcMessageCounter() : undefined;
    this.#responseMessages = isGrpc ? new GrpcMessageCounter() : undefined;
  }

  request(chunk: Uint8Array): void {
    this.#requestBytes += chunk.length;
    this.#requestMessages?.count(chunk);
  }

  response(head: ResponseHead): void {
    this.#head = head;
  }

  responseData(chunk: Uint8Array): void {
    this.responseBytes += chunk.length;
    this.#responseMessages?.count(chunk);
  }

  flag(name: string): void {
    if (name !== "") this.#flags.push(name);
  }

  record(ending: Ending, journey: Journey): RequestRecord {
    const { cluster, endpoint } = journey;
    const isLocal = ending.kind === "replied" || ending.kind === "cut";
    this.flag(ending.kind === "clientGone" ? "DC" : isLocal ? ending.flag : "");
    const head = this.#head;
    return {
      context: this.#context,
      service: journey.service,
      routeName: this.routeName,
      upstream: cluster && { cluster: cluster.name, service: cluster.service, endpoint },
      startedAtMs: this.#startedAtMs,
      durationMs: this.#clock.monotonicMs() - this.#startedMs,
      upstreamServiceTimeMs: journey.upstreamServiceTimeMs,
      responseCode: head?.status ?? 0,
      responseHeaders: head?.headers,
      responseTrailers: ending.kind === "answered" ? ending.trailers : undefined,
      responseFlags: this.#flags,
      responseCodeDetails: detailsOf(ending),
      upstreamFailure: isLocal ? ending.upstreamFailure : "",
      requestBytes: this.#requestBytes,
      responseBytes: this.responseBytes,
      grpc: this.#requestMessages && {
        status: grpcStatus(ending.kind === "answered" ? ending.trailers : undefined, head),
        requestMessages: this.#requestMessages.messages,
        responseMessages: this.#responseMessages?.messages ?? 0,
      },
      attempts: journey.attempts,
    };
  }
}

function isGrpcType(contentType: string | undefined): boolean {
  return (
    contentType?.startsWith("application/grpc") === true && /^application\/grpc(?:$|[+;])/.test(contentType)
  );
}

function detailsOf(ending: Ending): string {
  switch (ending.kind) {
    case "answered":
      return "via_upstream";
    case "clientGone":
      return "downstream_remote_disconnect";
    case "replied":
    case "cut":
      return ending.details;
  }
}

function grpcStatus(trailers: HeaderFields | undefined, head: ResponseHead | undefined): number | undefined {
  const text = trailers?.get("grpc-status") ?? head?.headers.get("grpc-status");
  const status = text === undefined ? Number.NaN : Number(text);
  return Number.isInteger(status) ? status : undefined;
}
