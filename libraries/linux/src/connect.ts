/** A TCP connection made by hand and adopted by Node, handed over once the handshake is done. */

import type { Socket } from "node:net";
import { adoptTcp } from "./adopt-tcp.ts";
import { startTcpConnect, type TcpConnectOptions } from "./sockets.ts";

/**
 * Connects and resolves with the established, half-open-capable socket. Rejects with KERNEL when the kernel refuses at once, with
 * Node's error (`code` ECONNREFUSED, EHOSTUNREACH…) when the handshake fails, with the signal's reason when aborted; the descriptor
 * is closed in every such case. Bound the wait with `AbortSignal.timeout`: the kernel's own limit is minutes.
 */
export async function connectTcp(options: TcpConnectOptions, signal?: AbortSignal): Promise<Socket> {
  signal?.throwIfAborted();
  const socket = adoptTcp(startTcpConnect(options));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => {
    socket.destroy();
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  socket.once("error", reject);
  // Node takes an adopted socket for connected and says nothing later. The kernel holds back a write of no bytes until the
  // handshake is done, and fails it when the handshake fails.
  socket.write(Buffer.alloc(0), (error) => {
    if (error == null) resolve();
  });
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    socket.off("error", reject);
  }
  return socket;
}
