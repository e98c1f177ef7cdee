/** A foreign HBONE client: node:tls, node:http2, and HTTP/2 frame by frame for what node:http2 would not send. */

import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type SessionOptions,
} from "node:http2";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { eventually, frame, headersFrame, parseFrames, type SeenFrame, setting } from "@meltemi/testkit";
import type { ForeignAuthority } from "./foreign-authority.fixture.ts";
import { identityOf, OUR_ADDRESS, type OurZtunnel } from "./ztunnel.fixture.ts";

/** Whom it calls, and who vouches for it there. */
export interface HboneCall {
  readonly authority: ForeignAuthority;
  readonly ours: Pick<OurZtunnel, "ports">;
}

/** TLS as Istio's ztunnel offers it, but for what the test changes. */
export function tls({ authority, ours }: HboneCall, change: ConnectionOptions = {}): TLSSocket {
  const socket = connectTls({
    host: OUR_ADDRESS,
    port: ours.ports.inboundHbone,
    // No SNI, as ztunnel.
    servername: "",
    ...authority.issue(`URI:${identityOf("peer")}`),
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
    ...change,
  });
  return socket.on("error", () => undefined);
}

export async function session(call: HboneCall, options: SessionOptions = {}): Promise<ClientHttp2Session> {
  const socket = tls(call);
  await once(socket, "secureConnect");
  const client = connectHttp2("https://peer", { ...options, createConnection: () => socket });
  client.on("error", () => undefined);
  await once(client, "remoteSettings");
  return client;
}

export function open(
  client: ClientHttp2Session,
  authorityText: string,
  headers: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const stream = client.request({ ":method": "CONNECT", ":authority": authorityText, ...headers });
  return stream.on("error", () => undefined);
}

export type Answer = IncomingHttpHeaders & { ":status"?: number };

export async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const [headers] = (await once(stream, "response")) as [Answer];
  return headers;
}

export async function statusOf(
  client: ClientHttp2Session,
  authorityText: string,
): Promise<number | undefined> {
  return (await answerOf(open(client, authorityText)))[":status"];
}

export async function read(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const SETTINGS = 4;
const INITIAL_WINDOW_SIZE = 4;

export function connectFrame(streamId: number, authorityText: string): Buffer {
  return headersFrame(streamId, [
    [":method", "CONNECT"],
    [":authority", authorityText],
  ]);
}

export interface RawConnection extends Disposable {
  send(bytes: Buffer): void;
  /** Waits for the first such frame. */
  seen(wanted: (frame: SeenFrame) => boolean): Promise<SeenFrame>;
}

/** Preface and SETTINGS are sent. */
export async function rawConnection(call: HboneCall): Promise<RawConnection> {
  const socket = tls(call);
  await once(socket, "secureConnect");
  let bytes: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 65_535)));
  return {
    send: (more) => void socket.write(more),
    seen: (wanted) => eventually(() => parseFrames(bytes).find(wanted)),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
