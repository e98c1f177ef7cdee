import { ErrorCode, errorCodeName } from "@meltemi/http/http2-transport";
import type { ChannelFault } from "@meltemi/l4";
import type { HboneConnection } from "./connection.ts";
import type { HeaderFields } from "./headers.ts";
import type { TunnelFailure, TunnelOutcome, TunnelRequest } from "./tunnel.ts";
import { openTunnel, type StreamWatcher, type TunnelStream } from "./tunnel-stream.ts";

/**
 * Sends CONNECT on a connection and waits for the answer. "unseen": the peer refused the stream before looking at it, so trying
 * elsewhere cannot do anything twice (RFC 9113 §8.7).
 */
export function requestTunnel(
  connection: HboneConnection,
  request: TunnelRequest,
  signal: AbortSignal | undefined,
): Promise<TunnelOutcome | "unseen"> {
  return new Promise((resolve) => {
    const wait = new TunnelWait(connection, signal, resolve);
    const fields = [[":method", "CONNECT"], [":authority", request.authority], ...request.headers] as const;
    const stream = openTunnel(connection.http2, fields, wait);
    if (stream === undefined) {
      resolve(failed("stream", "connection takes no stream with these headers"));
      return;
    }
    wait.start(stream);
  });
}

class TunnelWait implements StreamWatcher {
  readonly #connection: HboneConnection;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (outcome: TunnelOutcome | "unseen") => void;
  #stream: TunnelStream | undefined;
  readonly #onAbort = (): void => this.#giveUp();

  constructor(
    connection: HboneConnection,
    signal: AbortSignal | undefined,
    resolve: (outcome: TunnelOutcome | "unseen") => void,
  ) {
    this.#connection = connection;
    this.#signal = signal;
    this.#resolve = resolve;
  }

  start(stream: TunnelStream): void {
    this.#stream = stream;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  onResponse(status: number, headers: HeaderFields): void {
    const stream = this.#stream;
    const { peer } = this.#connection;
    if (status === 200 && stream !== undefined) {
      this.#finish({ kind: "open", channel: stream, headers, peer });
      return;
    }
    this.#finish({ kind: "refused", status, headers, peer });
    stream?.reset(ErrorCode.cancel);
  }

  onFault(fault: ChannelFault): void {
    if (fault.kind === "broken") this.#finish(failed("closed", fault.detail));
    else if (fault.http2Code === ErrorCode.refusedStream) this.#finish("unseen");
    else this.#finish(failed("stream", `peer reset the stream: ${errorCodeName(fault.http2Code ?? 0)}`));
  }

  #giveUp(): void {
    this.#finish(failed("closed", "given up by the caller"));
    this.#stream?.reset(ErrorCode.cancel);
  }

  #finish(outcome: TunnelOutcome | "unseen"): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#resolve(outcome);
  }
}

function failed(stage: TunnelFailure["stage"], detail: string): TunnelFailure {
  return { kind: "failed", stage, detail };
}
