/** For tests: our server and client on real sockets. */
import type http2 from "node:http2";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tcpChannel } from "@meltemi/l4";
import { systemClock } from "@meltemi/runtime";
import type { RequestHead, ServerExchange } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { createHttp2Client, type Http2ClientConnection } from "./client.ts";
import { HTTP2_CLIENT_DEFAULTS, HTTP2_SERVER_DEFAULTS } from "./options.ts";
import { createHttp2Server } from "./server.ts";

const onInternalError = (error: unknown): void => {
  throw error;
};
const deps = { clock: systemClock, onInternalError };

export async function listen(server: Server | http2.Http2Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

/** Serves HTTP/2 with our server. */
export class OurServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }
  static async start(onExchange: (exchange: ServerExchange) => void): Promise<OurServer> {
    const http = createHttp2Server(HTTP2_SERVER_DEFAULTS, deps);
    const owner = { onExchange, onRefused: () => {}, onClosed: () => {} };
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      http.accept(tcpChannel(socket), owner);
    });
    return new OurServer(server, await listen(server));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((done) => this.#server.close(done));
  }
}

export async function ourClient(
  port: number,
  recorder: { draining?: boolean; closed?: boolean } = {},
): Promise<Http2ClientConnection> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await new Promise<void>((done) => socket.once("connect", done));
  const owner = {
    onCapacity: () => {},
    onDraining: () => {
      recorder.draining = true;
    },
    onClosed: () => {
      recorder.closed = true;
    },
  };
  return createHttp2Client(tcpChannel(socket), owner, HTTP2_CLIENT_DEFAULTS, deps);
}

export const head = (fields: Partial<RequestHead> = {}): RequestHead => ({
  version: "HTTP/2",
  method: "GET",
  scheme: "http",
  authority: "a.example",
  path: "/",
  headers: new HeaderFields(),
  expectsContinue: false,
  ...fields,
});
