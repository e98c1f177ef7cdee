/**
 * A tunnel within a tunnel (reference: protocol §1.10): TLS and HTTP/2 over the channel of an outer tunnel. Inner
 * connections are never pooled: each goes to a backend that the far side chooses.
 */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { createHbonePool, HBONE_POOL_DEFAULTS, type HeaderFields, type TunnelOutcome } from "@meltemi/hbone";
import type { TlsContexts } from "@meltemi/identity";
import type { ByteChannel, ByteConsumer, ChannelFault } from "@meltemi/l4";
import type { Identity, SocketAddress } from "@meltemi/model";
import { type Clock, detach, MeshError, type OnInternalError } from "@meltemi/runtime";
import type { PeerRevocation } from "../revocation/peer-revocation.ts";

export interface InnerTunnelRequest {
  readonly source: Identity;
  readonly expected: readonly Identity[];
  readonly authority: string;
  readonly headers: HeaderFields;
  readonly gateway: SocketAddress;
  readonly client: SocketAddress;
}

export interface InnerTunnelDeps {
  readonly clock: Clock;
  readonly certificate: (identity: Identity) => Promise<TlsContexts>;
  readonly revocation: PeerRevocation;
  /** The tunnel was cut by an error of this program. */
  readonly onInternalError: OnInternalError;
}

/** Never rejects; a failure has torn the outer channel down. */
export async function openInnerTunnel(
  outer: ByteChannel,
  request: InnerTunnelRequest,
  deps: InnerTunnelDeps,
  signal: AbortSignal,
): Promise<TunnelOutcome> {
  let stream: ChannelDuplex | undefined = new ChannelDuplex(outer);
  const pool = createHbonePool(
    // One tunnel and no second: the connection goes when its tunnel ends.
    { ...HBONE_POOL_DEFAULTS, maxStreams: 1, unusedReleaseMs: 0 },
    {
      clock: deps.clock,
      certificate: deps.certificate,
      onInternalError: deps.onInternalError,
      dial: async () => {
        const first = stream;
        stream = undefined;
        if (first === undefined)
          throw new MeshError("UNAVAILABLE", "inner tunnel: the outer one carries one connection only");
        // TLS needs a duplex stream and nothing that only a TCP socket has, but for these two calls.
        return first as unknown as Socket;
      },
    },
  );
  const unfollow = deps.revocation.follow("server", pool);
  const key = {
    source: request.source,
    expected: request.expected,
    destination: request.gateway,
    sourceIp: request.client.ip,
  };
  const outcome = await pool.openTunnel(
    key,
    { authority: request.authority, headers: request.headers },
    signal,
  );
  if (outcome.kind !== "open") {
    outer.abort("other-side-failed");
    detach(() => pool.drain(0).finally(unfollow), deps.onInternalError);
    return outcome;
  }
  // A drained pool takes no further tunnel and closes its connection when this one has ended.
  detach(() => pool.drain(Number.MAX_SAFE_INTEGER).finally(unfollow), deps.onInternalError);
  return outcome;
}

/** A byte channel as a Node stream, with back-pressure both ways. */
class ChannelDuplex extends Duplex implements ByteConsumer {
  readonly #channel: ByteChannel;
  #onWritable: (() => void) | undefined;
  #opened = false;

  constructor(channel: ByteChannel) {
    super({ allowHalfOpen: true });
    this.#channel = channel;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  onData(chunk: Uint8Array, lent: boolean): void {
    if (!this.push(lent ? Buffer.from(chunk) : chunk)) this.#channel.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    const resume = this.#onWritable;
    this.#onWritable = undefined;
    resume?.();
  }

  onClosed(): void {
    this.destroy();
  }

  onFault(fault: ChannelFault): void {
    this.destroy(
      new MeshError(
        "UNAVAILABLE",
        `outer tunnel: ${fault.kind === "reset" ? "reset by the peer" : fault.detail}`,
      ),
    );
  }

  override _read(): void {
    if (this.#opened) {
      this.#channel.resume();
      return;
    }
    this.#opened = true;
    this.#channel.open(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#channel.write(chunk, false)) done();
    else this.#onWritable = done;
  }

  override _final(done: () => void): void {
    this.#channel.endWrite();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#onWritable = undefined;
    // What was finished in both directions may still be on its way out: only a broken stream resets the channel.
    if (error !== null || !this.readableEnded || !this.writableFinished)
      this.#channel.abort("other-side-failed");
    done(error);
  }
}
