/** Reads a PROXY v2 header as an application would (proxy-protocol.txt §2.2), apart from the code that writes it. */

import type { Socket } from "node:net";

export interface ProxyHeader {
  readonly source: { readonly ip: string; readonly port: number };
  readonly destination: { readonly ip: string; readonly port: number };
  readonly identity: string | undefined;
}

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** Takes the header off the front of the socket, then calls `then`; what follows it stays to be read. */
export function createProxyReader(socket: Socket, then: (header: ProxyHeader) => void): void {
  const onReadable = (): void => {
    const head: Buffer | null = socket.read(16);
    if (head === null) return;
    socket.off("readable", onReadable);
    if (head.toString("latin1", 0, 12) !== SIGNATURE || head[12] !== 0x21 || head[13] !== 0x11) {
      socket.destroy(new Error(`no PROXY v2 header of TCP over IPv4: ${head.toString("hex")}`));
      return;
    }
    const body: Buffer | null = socket.read(head.readUInt16BE(14));
    if (body === null) socket.destroy(new Error("the header came in pieces"));
    else then(readBody(body));
  };
  socket.on("readable", onReadable);
}

function readBody(body: Buffer): ProxyHeader {
  let identity: string | undefined;
  for (let at = 12; at < body.length; ) {
    const length = body.readUInt16BE(at + 1);
    if (body[at] === 0xd0) identity = body.toString("utf8", at + 3, at + 3 + length);
    at += 3 + length;
  }
  return {
    source: { ip: [...body.subarray(0, 4)].join("."), port: body.readUInt16BE(8) },
    destination: { ip: [...body.subarray(4, 8)].join("."), port: body.readUInt16BE(10) },
    identity,
  };
}
