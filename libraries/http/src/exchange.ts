/**
 * One request and its response, whatever the version of HTTP on either side. Two mirror images: a server hands a
 * {@link ServerExchange} to its handler, a client connection takes a request and speaks to a {@link ResponseReceiver}.
 *
 * Rules that every implementation keeps:
 * - calls come one at a time and in order: head, informational heads, data, end; nothing after `onEnd`-of-both-sides or `onFault`;
 * - bodies obey back-pressure in both directions; an unread body holds the peer back and never grows a buffer past its bound;
 * - what a message said wrong (framing, names, sizes) was refused by the codec: who sees a head may believe it;
 * - connection-level fields (`connection`, `keep-alive`, `proxy-connection`, `te` other than trailers, `transfer-encoding`,
 *   `upgrade`, `http2-settings`, and what `connection` names) never appear in `headers`; nor does `host`: it is `authority`;
 *   `content-length` is there when it was sent.
 */

import type { HeaderFields } from "./headers.ts";

export type HttpVersion = "HTTP/1.0" | "HTTP/1.1" | "HTTP/2";

export interface RequestHead {
  readonly version: HttpVersion;
  method: string;
  /** Of the URL; `http` where the client did not say. */
  scheme: string;
  /** Host with port as sent; empty only for HTTP/1.0 without Host. */
  authority: string;
  /** Path and query, origin form; `*` for OPTIONS *; empty for plain CONNECT. */
  path: string;
  headers: HeaderFields;
  /** Protocol asked for by `Upgrade` (HTTP/1.1) or `:protocol` (HTTP/2), lower case, such as `websocket`. */
  upgrade?: string | undefined;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

export interface ResponseHead {
  status: number;
  headers: HeaderFields;
}

/** Why an exchange broke. */
export type HttpFault =
  /** Certainly not processed: connection refused, GOAWAY above our stream, REFUSED_STREAM, or nothing of the request was sent. */
  | { readonly kind: "refused"; readonly detail: string }
  /**
   * The peer reset this stream, or closed the connection in the middle. `stale`: before a byte of the response, on an HTTP/1.1
   * connection that had served before. Most likely the server's idle timeout crossed the request; it may still have been processed,
   * so that only what is idempotent may be sent again (RFC 9110 §9.2.2).
   */
  | { readonly kind: "reset"; readonly http2Code?: number; readonly stale?: boolean; readonly detail: string }
  /** The peer broke the protocol. */
  | { readonly kind: "protocol"; readonly detail: string }
  /** A named bound of this side was exceeded. */
  | { readonly kind: "limit"; readonly detail: string }
  | { readonly kind: "timeout"; readonly detail: string };

/** Receives one body; used for requests at a server. */
export interface BodyReceiver {
  /** With `lent`, the view is overwritten once this call returns. */
  onData(chunk: Uint8Array, lent: boolean): void;
  onEnd(trailers: HeaderFields | undefined): void;
  /** Writing may go on after `write` returned false. */
  onWritable(): void;
  /** The client went away or broke the protocol; the last call. */
  onFault(fault: HttpFault): void;
}

/** Why this side gives an exchange up. The peer sees a reset or a closed connection, never a clean end. */
export type HttpAbort =
  | "cancelled"
  | "upstream-failed"
  | "limit"
  | "timeout"
  | "drain"
  | "internal-error"
  | "refused";

export interface ServerExchange {
  /** Belongs to the handler, which may change it. */
  readonly request: RequestHead;
  /** The request has no body: `onEnd` comes as soon as `receive` is called. */
  readonly requestEnded: boolean;
  /**
   * Starts delivery of the body; called once. Until then the client is held back, and one that waits for `100 Continue` gets it by
   * this call: to let the server decide, call it when the server has said 100. Of an upgrade or CONNECT, bytes come once accepted.
   */
  receive(receiver: BodyReceiver): void;
  pause(): void;
  resume(): void;
  /** A 1xx other than 101. */
  inform(status: number, headers: HeaderFields): void;
  /**
   * Called once. With `ended` there is no body. After `101` to an upgrade, or 2xx to a CONNECT without one, both sides are streams
   * of bytes, half-close included. On either version `101` accepts an upgrade; HTTP/2 codecs translate from and to its 200.
   * The codec writes `date` nowhere: a proxy passes on what the origin said.
   */
  respond(head: ResponseHead, ended: boolean): void;
  /** False: stop until `onWritable`; the bytes were taken. With `lent` they are copied if they cannot be handed on within the call. */
  write(chunk: Uint8Array, lent: boolean): boolean;
  /** After it nothing more of the request is delivered, except in a tunnel. */
  end(trailers?: HeaderFields): void;
  abort(reason: HttpAbort): void;
}

/** A connection from a client, HTTP/1.1 or HTTP/2 alike. */
export interface ServerConnection {
  /** Exchanges that run. */
  readonly active: number;
  /**
   * Takes no further request and ends once the running ones have. HTTP/1.1 has no word for it outside an answer: between requests
   * it stays for `idleMs` (none: ends at once), and answers what comes meanwhile with `connection: close`. HTTP/2 has GOAWAY.
   */
  drain(idleMs?: number): void;
  /** Breaks what runs. */
  close(): void;
}

export interface ServerConnectionOwner {
  onExchange(exchange: ServerExchange): void;
  /** A request was refused by the codec and answered with this status before it became an exchange. */
  onRefused(status: number, detail: string): void;
  /** The last call. */
  onClosed(): void;
}

/** Receives one response. */
export interface ResponseReceiver {
  onInformational(status: number, headers: HeaderFields): void;
  /** With `ended`, there is no body and no further call but `onFault` for what the request may still break. */
  onResponse(head: ResponseHead, ended: boolean): void;
  onData(chunk: Uint8Array, lent: boolean): void;
  onEnd(trailers: HeaderFields | undefined): void;
  onWritable(): void;
  onFault(fault: HttpFault): void;
}

/**
 * The writing side of a request on a client connection. It may outlast the response; after an upgrade or CONNECT nothing may be
 * written before the server accepted.
 */
export interface ClientExchange {
  write(chunk: Uint8Array, lent: boolean): boolean;
  end(trailers?: HeaderFields): void;
  pause(): void;
  resume(): void;
  /** Gives up; no further call to the receiver. */
  abort(reason: HttpAbort): void;
}

/** A connection to a server, HTTP/1.1 or HTTP/2 alike. */
export interface ClientConnection {
  readonly version: HttpVersion;
  /** How many further requests it takes now; zero while an HTTP/1.1 exchange runs, after GOAWAY, or once closed. */
  readonly capacity: number;
  readonly active: number;
  /** Only while `capacity` is above zero. With `ended` there is no body. No callback runs inside. */
  send(head: RequestHead, ended: boolean, receiver: ResponseReceiver): ClientExchange;
  /** Ends once the running exchanges have. */
  drain(): void;
  close(): void;
}

/** What a client connection tells its pool. */
export interface ClientConnectionOwner {
  /** `capacity` rose above zero. */
  onCapacity(connection: ClientConnection): void;
  /** It takes no more requests; running ones may go on. Called once, before or with `onClosed`. */
  onDraining(connection: ClientConnection): void;
  onClosed(connection: ClientConnection): void;
}
