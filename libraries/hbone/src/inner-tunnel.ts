/**
 * A tunnel within a tunnel (reference: protocol §1.10): TLS and HTTP/2 over the channel of an outer tunnel. Inner
 * connections are never pooled: each goes to a backend that the far side chooses.
 */

import type { Socket } from "node:net";
import type { TlsContexts } from "@meltemi/identity";
import { type ByteChannel, ChannelDuplex } from "@meltemi/l4";
import type { Identity, SocketAddress } from "@meltemi/model";
import { type Clock, detach, MeshError, type OnInternalError } from "@meltemi/runtime";
import type { HeaderFields } from "./headers.ts";
import { createHbonePool, type HbonePool } from "./pool.ts";
import { HBONE_POOL_DEFAULTS } from "./pool-options.ts";
import type { TunnelOutcome } from "./tunnel.ts";

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
  /** The inner connection is judged for revocation as long as it lives. Returns how to stop. */
  readonly follow: (pool: HbonePool) => () => void;
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
  const unfollow = deps.follow(pool);
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
