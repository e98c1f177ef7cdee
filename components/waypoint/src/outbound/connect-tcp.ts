/** Plain TCP from this waypoint's own namespace. */

import { connect, type Socket } from "node:net";
import type { SocketAddress } from "@meltemi/model";
import type { ConnectionPool } from "@meltemi/model/l7";

/** The kernel's own, where DestinationRule asks for probes and says nothing of when. */
const KEEPALIVE_DELAY_MS = 7_200_000;

/** Rejects as Node does, or with the signal's reason. The socket is half-open capable and not read from. */
export function connectTcp(
  { ip, port }: SocketAddress,
  keepalive: ConnectionPool["tcpKeepalive"],
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connect({
      host: ip,
      port,
      noDelay: true,
      allowHalfOpen: true,
      ...(keepalive !== undefined && {
        keepAlive: true,
        keepAliveInitialDelay: keepalive.timeMs ?? KEEPALIVE_DELAY_MS,
      }),
    });
    const finish = (): void => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      socket.off("connect", onConnect);
    };
    const onConnect = (): void => {
      finish();
      resolve(socket);
    };
    const onError = (error: Error): void => {
      finish();
      reject(error);
    };
    const onAbort = (): void => {
      finish();
      socket.on("error", () => undefined).destroy();
      reject(signal.reason);
    };
    socket.once("connect", onConnect);
    socket.once("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
