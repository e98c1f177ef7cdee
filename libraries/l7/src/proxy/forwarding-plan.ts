/** What is to be forwarded, with what, and who hears of it. */

import type { HeaderFields, HttpFault, RequestHead, ResponseHead } from "@meltemi/http";
import type { RetryPolicy } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import type { LocalReply } from "../request-context.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { HeldBody, HeldBytes } from "./held-body.ts";

export interface ForwardingPlan {
  readonly cluster: UpstreamCluster;
  /** As it goes out; belongs to the forwarding. */
  readonly head: RequestHead;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number | undefined;
  /** The body is kept although there may be no retry: for mirrors. */
  readonly holdBody: boolean;
}

export interface ForwardingDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly heldBytes: HeldBytes;
}

/** Hears what becomes of it. After `onForwarded`, `onForwardFailed` or `onClientGone`, nothing further. */
export interface ForwardingOwner {
  onRequestData(chunk: Uint8Array): void;
  /** The whole request has passed; what was held of it is there to be copied. */
  onRequestEnd(held: HeldBody | undefined): void;
  /** Change the head, then it is sent. */
  onResponseHead(head: ResponseHead): void;
  onResponseData(chunk: Uint8Array): void;
  onForwarded(trailers: HeaderFields | undefined): void;
  /** Answer the client with this, or, once the response began, only record it: the client's stream is aborted already. */
  onForwardFailed(reply: LocalReply, detail: string, responseBegan: boolean): void;
  onClientGone(fault: HttpFault): void;
  /** This program threw in a task of its own time: {@link import("./forwarding.ts").Forwarding.cancel} is to be called. */
  onBroken(error: unknown): void;
}
