/** A TCP connection made by hand and adopted by Node, handed over once the handshake is done. */

import type { Socket } from "node:net";
import { adoptTcp } from "./adopt-tcp.ts";
import { startTcpConnect, type TcpConnectOptions } from "./sockets.ts";

/** A handshake under way. */
export interface TcpConnecting {
  /**
   * The connected, half-open-capable socket. Rejects with Node's error (`code` ECONNREFUSED, EHOSTUNREACH…) when the handshake
   * fails, with the reason when it is cancelled; the descriptor is closed in every such case.
   */
  readonly established: Promise<Socket>;
  /** Does nothing once `established` is settled. */
  cancel(reason: unknown): void;
}

const NO_BYTES = Buffer.alloc(0);

/** Throws KERNEL when the kernel refuses at once. Bound the wait: the kernel's own limit is minutes. */
export function beginTcpConnect(options: TcpConnectOptions): TcpConnecting {
  const socket = adoptTcp(startTcpConnect(options));
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  let settled = false;
  const fail = (reason: unknown): void => {
    if (settled) return;
    settled = true;
    socket.destroy();
    reject(reason);
  };
  socket.once("error", fail);
  // Node takes an adopted socket for connected and says nothing later. The kernel holds back a write of no bytes until the
  // handshake is done, and fails it when the handshake fails.
  socket.write(NO_BYTES, (error) => {
    if (error != null || settled) return;
    settled = true;
    socket.off("error", fail);
    resolve(socket);
  });
  return { established: promise, cancel: fail };
}

/** As {@link beginTcpConnect}, cancelled when `signal` is aborted; whatever fails is a rejection. */
export async function connectTcp(options: TcpConnectOptions, signal?: AbortSignal): Promise<Socket> {
  signal?.throwIfAborted();
  const connecting = beginTcpConnect(options);
  const giveUp = (): void => connecting.cancel(signal?.reason);
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    return await connecting.established;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}
