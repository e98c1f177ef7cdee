/**
 * The webhook that the API server asks before it stores an object of the mesh: https, `POST /validate`. Whoever reaches the port may
 * ask, so that sizes, times and peers are bounded; a question that cannot be answered is an error, which fails closed.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import {
  type Clock,
  createRefusalLog,
  describeError,
  type Logger,
  MeshError,
  type RefusalLog,
} from "@meltemi/runtime";
import { splitAddress } from "../admin/http-server.ts";
import type { KeyPair } from "../certificate-authority/server-certificate.ts";
import { decideReview } from "./decide-review.ts";
import { createPeerTally, type PeerTally } from "./peer-tally.ts";
import { createReviewTurns, type ReviewTurns } from "./review-turns.ts";
import type { ValidationMetrics } from "./validation-metrics.ts";

export interface ValidationServerDependencies {
  /** Calls back with the pair of the moment and with every later one. */
  readonly onCertificate: (listener: (pair: KeyPair) => void) => () => void;
  readonly metrics: ValidationMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ValidationServer extends AsyncDisposable {
  readonly port: number;
}

/** etcd stores objects of up to 1.5 MiB; a review of an update holds two of them and their frame. */
const MAX_REVIEW_BYTES = 4 * 1024 * 1024;
/** Bodies of all requests under way: a few of the largest, thousands of the usual. */
const MAX_HELD_BYTES = 48 * 1024 * 1024;
/** Three of the largest: whoever sends such slowly must not keep the API server's reviews out. */
const MAX_HELD_BYTES_PER_PEER = 12 * 1024 * 1024;
/** An API server has 200 writes under way by default, and a review and a connection for each: all of a GitOps sync at once. */
const MAX_PER_PEER = 256;
/** Several API servers at their bound, or one beside several peers that hold connections. */
const MAX_CONNECTIONS = 1_024;
const MAX_HEADER_BYTES = 16 * 1024;
/** As the API server's own bound of a webhook call. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Longer than API servers keep idle connections (90 s): closed by this side, one may have a review on its way that is then lost. */
const KEEP_ALIVE_MS = 120_000;
/** In the end, reviews that have begun get their answers; a pod is killed after 30 s, some of which the proxies have had. */
const LAST_REVIEWS_MS = 5_000;

class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** `address`: `host:port` or `:port`. Rejects with UNAVAILABLE when it cannot be bound. */
export async function listenValidation(
  address: string,
  deps: ValidationServerDependencies,
): Promise<ValidationServer> {
  const { host, port } = splitAddress(address);
  const server = createServer({
    minVersion: "TLSv1.2",
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    handshakeTimeout: REQUEST_TIMEOUT_MS,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  boundConnections(server);
  const stop = deps.onCertificate(({ certificate, privateKey }) =>
    // Connections that are open keep theirs; every new one is shown the new one.
    server.setSecureContext({ cert: certificate, key: privateKey, minVersion: "TLSv1.2" }),
  );
  const reviews = new Reviews(deps);
  server.on("request", (request, response) => void reviews.answer(request, response));
  await listen(server, host, port, address);
  server.on("error", (error) =>
    deps.log.warn("connection for webhooks not accepted", { reason: describeError(error) }),
  );
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    async [Symbol.asyncDispose]() {
      stop();
      reviews.end();
      const late = deps.clock.after(LAST_REVIEWS_MS, () => server.closeAllConnections());
      await new Promise((resolve) => server.close(resolve));
      late.cancel();
    },
  };
}

function boundConnections(server: Server): void {
  const connections = createPeerTally(MAX_PER_PEER);
  server.on("connection", (socket: Socket) => {
    const peer = socket.remoteAddress ?? "";
    if (connections.take(peer)) socket.once("close", () => connections.giveBack(peer));
    else socket.destroy();
  });
}

function listen(server: Server, host: string | undefined, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void =>
      reject(new MeshError("UNAVAILABLE", `listen on ${address} for webhooks: cannot bind`, { cause }));
    server.once("error", refuse);
    server.listen({ port, ...(host !== undefined && { host }) }, () => {
      server.off("error", refuse);
      resolve();
    });
  });
}

class Reviews {
  readonly #deps: ValidationServerDependencies;
  /** Requests under way: a connection may bring several at once. */
  readonly #peers: PeerTally = createPeerTally(MAX_PER_PEER);
  readonly #heldByPeer: PeerTally = createPeerTally(MAX_HELD_BYTES_PER_PEER);
  readonly #refusals: RefusalLog;
  readonly #turns: ReviewTurns;
  #heldBytes = 0;
  #isEnding = false;

  constructor(deps: ValidationServerDependencies) {
    this.#deps = deps;
    this.#turns = createReviewTurns(deps);
    this.#refusals = createRefusalLog(deps.clock);
  }

  /** From now on every answer is the last one on its connection. */
  end(): void {
    this.#isEnding = true;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const peer = request.socket.remoteAddress ?? "";
    try {
      const answer = await this.#counted(peer, () => this.#read(request, peer));
      if (this.#isEnding) response.setHeader("connection", "close");
      respond(response, 200, "application/json", JSON.stringify(answer));
    } catch (error) {
      const status = error instanceof Refused ? error.status : 500;
      this.#tell(peer, status, error);
      if (response.destroyed) return;
      // What is left of the body is not waited for.
      response.setHeader("connection", "close");
      respond(
        response,
        status,
        "text/plain; charset=utf-8",
        `${error instanceof Refused ? error.message : "internal error"}\n`,
      );
    }
  }

  async #counted<T>(peer: string, read: () => Promise<T>): Promise<T> {
    if (!this.#peers.take(peer))
      throw new Refused(429, `expected at most ${MAX_PER_PEER} reviews of one peer at a time`);
    try {
      return await read();
    } finally {
      this.#peers.giveBack(peer);
    }
  }

  #tell(peer: string, status: number, error: unknown): void {
    const { metrics, log } = this.#deps;
    metrics.httpError(status);
    const place = this.#refusals.admit();
    if (place.kind === "suppress") return;
    const suppressed = place.suppressed || undefined;
    log.warn("review not answered", { peer, status, reason: describeError(error), suppressed });
  }

  /** The body counts as held until it was judged. */
  async #read(request: IncomingMessage, peer: string): Promise<unknown> {
    checkHead(request);
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        const { length } = chunk;
        if (bytes + length > MAX_REVIEW_BYTES) throw tooLarge();
        if (this.#heldBytes + length > MAX_HELD_BYTES || !this.#heldByPeer.take(peer, length))
          throw new Refused(503, "too many reviews are under way, ask again");
        bytes += length;
        this.#heldBytes += length;
        chunks.push(chunk);
      }
      if (bytes === 0) throw new Refused(400, "expected an AdmissionReview, got no body");
      return await this.#turns.judge(bytes, () => this.#review(Buffer.concat(chunks).toString("utf8")));
    } finally {
      this.#heldBytes -= bytes;
      this.#heldByPeer.giveBack(peer, bytes);
    }
  }

  #review(text: string): unknown {
    const { metrics } = this.#deps;
    const decision = decideReview(parse(text));
    if (decision.kind === "malformed") throw new Refused(400, decision.problem);
    const { answer, known } = decision;
    if (answer.response.allowed) metrics.passed(known);
    else metrics.failed(known);
    return answer;
  }
}

function checkHead(request: IncomingMessage): void {
  const [path = ""] = (request.url ?? "").split("?", 1);
  if (path !== "/validate" && path !== "/validate/") throw new Refused(404, "expected the path /validate");
  if (request.method !== "POST") throw new Refused(405, "expected POST");
  const [type = ""] = (request.headers["content-type"] ?? "").split(";", 1);
  if (type.trim().toLowerCase() !== "application/json")
    throw new Refused(415, "invalid Content-Type, expected application/json");
  if (Number(request.headers["content-length"] ?? 0) > MAX_REVIEW_BYTES) throw tooLarge();
}

function tooLarge(): Refused {
  return new Refused(413, `expected a review of at most ${MAX_REVIEW_BYTES} bytes`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(400, "read AdmissionReview: expected JSON");
  }
}

function respond(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    ...(status === 405 && { allow: "POST" }),
  });
  response.end(body);
}
