import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Target } from "./messages.ts";

/** Connected, half-open capable; errors reject what waits for the socket's next event. */
export async function openConnection({ host, port }: Target): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}
