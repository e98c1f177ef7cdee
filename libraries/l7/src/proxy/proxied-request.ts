/** One request through the proxy: filters, route, fault, forwarding or an answer of our own. Every path ends in exactly one record. */

import type { HeaderFields, HttpAbort, HttpFault, ResponseHead, ServerExchange } from "@meltemi/http";
import { detach, type Timer } from "@meltemi/runtime";
import type { BodyStart, FilterRun, FilterVerdict, LocalReply, RequestContext } from "../request-context.ts";
import type { OpenTunnels } from "../serve/open-tunnels.ts";
import { SWITCHING_PROTOCOLS } from "./attempt.ts";
import { Forwarding } from "./forwarding.ts";
import type { ForwardingDeps, ForwardingOwner, ForwardingPlan } from "./forwarding-plan.ts";
import type { HeldBody } from "./held-body.ts";
import { PeekedExchange } from "./peeked-exchange.ts";
import { finishResponse, planRequest, type RequestPlan } from "./plan-request.ts";
import { INTERNAL_ERROR } from "./replies.ts";
import type { RequestSpan } from "./request-record.ts";
import { type Ending, RequestTally } from "./request-tally.ts";
import { sendReply } from "./send-reply.ts";
import type { HttpSite } from "./site.ts";
import { UpgradedTunnel } from "./upgraded-tunnel.ts";

export interface ProxyDeps extends ForwardingDeps {
  /** Sends a copy of a request whose answer nobody waits for. */
  readonly mirror: (plan: ForwardingPlan, held: HeldBody | undefined, context: RequestContext) => void;
  /** This program, or a filter, threw: the request is answered with 500 and the process lives on. */
  readonly onInternalError: (error: unknown) => void;
  /** Upgraded requests, while they last. */
  readonly tunnels: OpenTunnels;
}

const NO_BODY: BodyStart = { bytes: new Uint8Array(), isWhole: true };

export class ProxiedRequest implements ForwardingOwner, FilterRun {
  #exchange: ServerExchange;
  #peeked: PeekedExchange | undefined;
  readonly #context: RequestContext;
  readonly #site: HttpSite;
  readonly #current: () => HttpSite | undefined;
  readonly #deps: ProxyDeps;
  readonly #tally: RequestTally;
  readonly #span: RequestSpan | undefined;
  #plan: RequestPlan | undefined;
  #forwarding: Forwarding | undefined;
  #delay: Timer | undefined;
  #controller: AbortController | undefined;
  /** Undefined unless an upgrade is asked for. */
  #tunnel: UpgradedTunnel | undefined;
  #over = false;

  constructor(
    exchange: ServerExchange,
    context: RequestContext,
    site: HttpSite,
    current: () => HttpSite | undefined,
    deps: ProxyDeps,
  ) {
    this.#exchange = exchange;
    this.#context = context;
    this.#site = site;
    this.#current = current;
    this.#deps = deps;
    this.#tally = new RequestTally(context, deps.clock);
    this.#span = site.tracer?.begin(context);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  async readBody(maxBytes: number): Promise<BodyStart> {
    const { request, requestEnded } = this.#exchange;
    const isTunnel = request.upgrade !== undefined || request.method === "CONNECT";
    if (requestEnded || isTunnel || this.#over) return NO_BODY;
    const peeked = new PeekedExchange(this.#exchange, this.#deps.heldBytes, (fault) =>
      this.onClientGone(fault),
    );
    this.#peeked = peeked;
    this.#exchange = peeked;
    return peeked.peek(maxBytes);
  }

  start(): void {
    try {
      this.#filterFrom(0);
    } catch (error) {
      this.#break(error);
    }
  }

  onRequestData(chunk: Uint8Array): void {
    this.#tally.request(chunk);
  }

  onRequestEnd(held: HeldBody | undefined): void {
    if (this.#plan?.kind !== "forward") return;
    for (const mirror of this.#plan.mirrors) this.#deps.mirror(mirror, held, this.#context);
  }

  onResponseHead(head: ResponseHead): void {
    const forwarding = this.#forwarding;
    if (this.#plan?.kind !== "forward" || forwarding === undefined) return;
    const { headers } = head;
    const { upstreamServiceTimeMs, setCookie } = forwarding;
    headers.set("x-envoy-upstream-service-time", String(Math.round(upstreamServiceTimeMs ?? 0)));
    if (setCookie !== undefined) headers.append("set-cookie", setCookie);
    this.#finishResponse(head);
    this.#tally.response(head);
    if (head.status === SWITCHING_PROTOCOLS) this.#tunnel?.open(this.#deps.tunnels);
  }

  onResponseData(chunk: Uint8Array): void {
    this.#tally.responseData(chunk);
  }

  onForwarded(trailers: HeaderFields | undefined): void {
    this.#end({ kind: "answered", trailers });
  }

  onForwardFailed(reply: LocalReply, detail: string, responseBegan: boolean): void {
    if (responseBegan)
      this.#end({ kind: "cut", flag: reply.flag, details: reply.details, upstreamFailure: detail });
    else this.#reply(reply, detail);
  }

  onClientGone(fault: HttpFault): void {
    this.#end({ kind: "clientGone", detail: fault.detail });
  }

  /** Filters run one after another, without a promise as long as none makes one. */
  #filterFrom(start: number): void {
    const { filters } = this.#site;
    for (let at = start; at < filters.length; at++) {
      const verdict = filters[at]?.onRequest(this.#context, this);
      if (verdict instanceof Promise) {
        detach(
          async () => this.#afterFilter(at, await verdict),
          (error) => this.#break(error),
        );
        return;
      }
      if (verdict?.kind === "reply") {
        this.#reply(verdict.reply, verdict.upstreamFailure ?? "");
        return;
      }
    }
    this.#route();
  }

  #afterFilter(at: number, verdict: FilterVerdict): void {
    if (this.#over) return;
    if (verdict.kind === "reply") this.#reply(verdict.reply, verdict.upstreamFailure ?? "");
    else this.#filterFrom(at + 1);
  }

  #route(): void {
    if (this.#context.request.upgrade !== undefined)
      this.#tunnel = new UpgradedTunnel(this.#context, this.#site, this.#current, (details) =>
        this.#cut("cancelled", { flag: "", details, upstreamFailure: "" }),
      );
    const plan = planRequest(this.#context, this.#site, this.#deps.random);
    this.#plan = plan;
    this.#tally.routeName = plan.routeName;
    const { delayMs } = plan;
    if (delayMs === 0) {
      this.#follow(plan);
      return;
    }
    this.#tally.flag("DI");
    this.#delay = this.#deps.clock.after(delayMs, () => {
      this.#delay = undefined;
      if (this.#over) return;
      try {
        this.#follow(plan);
      } catch (error) {
        this.#break(error);
      }
    });
  }

  #follow(plan: RequestPlan): void {
    if (plan.kind === "reply") {
      this.#reply(plan.reply, "");
      return;
    }
    this.#forwarding = new Forwarding(this, this.#exchange, this.#context, plan.forward, this.#deps);
    this.#forwarding.start();
  }

  #reply(reply: LocalReply, upstreamFailure: string): void {
    if (this.#over) return;
    const sent = sendReply(this.#exchange, reply, (head) => this.#finishResponse(head));
    this.#tally.response(sent.head);
    this.#tally.responseBytes += sent.bodyBytes;
    this.#end({ kind: "replied", flag: reply.flag, details: reply.details, upstreamFailure });
  }

  #finishResponse(head: ResponseHead): void {
    const { responseFields } = this.#context;
    if (responseFields !== undefined) setFields(head.headers, responseFields);
    if (this.#plan !== undefined) finishResponse(this.#plan, head);
  }

  onBroken(error: unknown): void {
    this.#break(error);
  }

  #break(error: unknown): void {
    this.#deps.onInternalError(error);
    const forwarding = this.#forwarding;
    forwarding?.cancel();
    if (forwarding?.responseBegan !== true) {
      this.#reply(INTERNAL_ERROR, "");
      return;
    }
    const { flag, details } = INTERNAL_ERROR;
    this.#cut("internal-error", { flag, details, upstreamFailure: "" });
  }

  /** After the response had begun. */
  #cut(reason: HttpAbort, ending: Omit<Extract<Ending, { kind: "cut" }>, "kind">): void {
    this.#forwarding?.cancel();
    this.#exchange.abort(reason);
    this.#end({ kind: "cut", ...ending });
  }

  #end(ending: Ending): void {
    if (this.#over) return;
    this.#over = true;
    this.#delay?.cancel();
    if (this.#tunnel !== undefined) this.#deps.tunnels.delete(this.#tunnel);
    this.#controller?.abort();
    this.#peeked?.forget();
    const { endpoint, attempts = 0, upstreamServiceTimeMs } = this.#forwarding ?? {};
    const upstream = this.#plan?.kind === "forward" ? this.#plan.forward.cluster.config : undefined;
    const record = this.#tally.record(ending, {
      service: this.#site.service,
      cluster: upstream,
      endpoint,
      attempts,
      upstreamServiceTimeMs,
    });
    this.#site.observer.onComplete(record);
    this.#span?.end(record);
  }
}

function setFields(headers: HeaderFields, fields: readonly (readonly [name: string, value: string])[]): void {
  for (const [name, value] of fields)
    if (name === "set-cookie") headers.append(name, value);
    else headers.set(name, value);
}
