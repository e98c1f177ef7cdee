/** What a pool is made of. */
import type { Socket } from "node:net";
import type { TlsContexts } from "@meltemi/identity";
import type { Identity, Ip, SocketAddress } from "@meltemi/model";
import type { Clock, OnInternalError } from "@meltemi/runtime";
import { HBONE_CLIENT_DEFAULTS, type HboneOptions } from "./options.ts";

export interface HbonePoolOptions extends HboneOptions {
  /** An unused connection is released after this long. */
  readonly unusedReleaseMs: number;
  readonly connectTimeoutMs: number;
}

export const HBONE_POOL_DEFAULTS: HbonePoolOptions = {
  ...HBONE_CLIENT_DEFAULTS,
  unusedReleaseMs: 5 * 60_000,
  connectTimeoutMs: 10_000,
};

export interface HbonePoolDeps {
  readonly clock: Clock;
  /**
   * Connects TCP, for example from inside a pod's network namespace. Rejects on failure; obeys the signal. The socket is
   * half-open capable and not yet read from.
   */
  readonly dial: (destination: SocketAddress, sourceIp: Ip, signal: AbortSignal) => Promise<Socket>;
  /** The source's certificate, asked once per connection. */
  readonly certificate: (source: Identity) => TlsContexts | Promise<TlsContexts>;
  /** One connection was cut because this program, or a callback given here, threw. Absent: that ends the process. */
  readonly onInternalError?: OnInternalError;
}
