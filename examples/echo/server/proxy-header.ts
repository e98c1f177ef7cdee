/** The PROXY protocol's header, versions 1 and 2: taken off, and remembered for the report. */

import type { Socket } from "node:net";

const VERSION_2_BEGINS = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const VERSION_2_HEAD_BYTES = 16;
const LINE_END = "\r\n";

const headers = new WeakMap<Socket, string>();

/** `PROXY TCP4 …` or `v2`; undefined where there was none. */
export const proxyHeaderOf = (socket: Socket): string | undefined => headers.get(socket);

/** A connection that begins otherwise is cut. */
export function takeOffProxyHeader(socket: Socket, next: (socket: Socket) => void): void {
  socket.on("error", () => socket.destroy());
  socket.once("readable", () => {
    const first: Buffer | null = socket.read();
    const header = first === null ? undefined : readHeader(first);
    if (first === null || header === undefined) return void socket.destroy();
    headers.set(socket, header.text);
    next(socket);
    socket.unshift(first.subarray(header.bytes));
  });
}

function readHeader(first: Buffer): { readonly text: string; readonly bytes: number } | undefined {
  if (first.subarray(0, VERSION_2_BEGINS.length).equals(VERSION_2_BEGINS))
    return { text: "v2", bytes: VERSION_2_HEAD_BYTES + first.readUInt16BE(14) };
  const end = first.indexOf(LINE_END);
  const text = first.toString("latin1", 0, Math.max(0, end));
  return text.startsWith("PROXY ") ? { text, bytes: end + LINE_END.length } : undefined;
}
