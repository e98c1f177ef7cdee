import type { ByteChannel } from "@meltemi/l4";
import type { HeaderFields } from "./headers.ts";
import type { HbonePeer } from "./peer.ts";
import type { StreamWatcher, TunnelStream } from "./tunnel-stream.ts";

/**
 * A CONNECT request of a verified peer. Exactly one of `accept` and `refuse` is called. When the stream or its connection ends
 * first, `abandoned` is aborted, `refuse` does nothing and `accept` gives a channel that reports the fault once it is opened.
 */
export interface HboneRequest {
  /** `:authority`, not yet parsed. */
  readonly authority: string;
  /** All but the pseudo headers. */
  readonly headers: HeaderFields;
  readonly peer: HbonePeer;
  /** Stop connecting to the application when this is aborted. */
  readonly abandoned: AbortSignal;
  /** Answers 200 with these headers; the body both ways is the channel. */
  accept(headers: HeaderFields): ByteChannel;
  /** Answers this status (400, 401, 503) and ends the stream. */
  refuse(status: number, headers?: HeaderFields): void;
}

/** A request that waits for its answer. */
export class ServerRequest implements HboneRequest, StreamWatcher {
  readonly authority: string;
  readonly headers: HeaderFields;
  readonly peer: HbonePeer;
  readonly #stream: TunnelStream;
  /** Made when somebody asks for the signal: most requests are answered before anyone does. */
  #controller: AbortController | undefined;
  #gone = false;

  constructor(stream: TunnelStream, authority: string, headers: HeaderFields, peer: HbonePeer) {
    this.authority = authority;
    this.headers = headers;
    this.peer = peer;
    this.#stream = stream;
    stream.watcher = this;
  }

  get abandoned(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#gone) this.#controller.abort();
    return this.#controller.signal;
  }

  accept(headers: HeaderFields): ByteChannel {
    this.#controller = undefined;
    this.#stream.respond(200, headers, false);
    return this.#stream;
  }

  refuse(status: number, headers: HeaderFields = []): void {
    this.#stream.respond(status, headers, true);
  }

  /** Only requests are answered. */
  onResponse(): void {}

  onFault(): void {
    this.#gone = true;
    this.#controller?.abort();
  }
}
