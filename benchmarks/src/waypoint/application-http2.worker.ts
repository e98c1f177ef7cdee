/** The application of the waypoint benchmark once more, for proxies that speak HTTP/2 with it. Says `ready` when it listens. */

import { once } from "node:events";
import { createServer } from "node:net";
import { createHttp2Server, HeaderFields, HTTP2_SERVER_DEFAULTS } from "@meltemi/http";
import { tcpChannel } from "@meltemi/l4";
import { systemClock } from "@meltemi/runtime";
import { ANSWER_HEADERS, APPLICATION_PORTS, BODY, VERSION_HEADER, type Version } from "./traffic.ts";

const http2 = createHttp2Server(HTTP2_SERVER_DEFAULTS, {
  clock: systemClock,
  onInternalError: (error) => {
    throw error;
  },
});

async function listen(version: Version, port: number): Promise<void> {
  const fields = [...ANSWER_HEADERS, [VERSION_HEADER, version], ["content-length", String(BODY.length)]];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
    http2.accept(tcpChannel(socket), {
      onExchange(exchange) {
        exchange.receive({ onData() {}, onEnd() {}, onWritable() {}, onFault() {} });
        exchange.respond({ status: 200, headers: new HeaderFields(fields.flat()) }, false);
        exchange.write(BODY, false);
        exchange.end();
      },
      onRefused() {},
      onClosed() {},
    }),
  );
  await once(server.listen({ port, host: "127.0.0.1", backlog: 4096 }), "listening");
}

await listen("v1", APPLICATION_PORTS.v1Http2);
await listen("v2", APPLICATION_PORTS.v2Http2);
process.on("disconnect", () => process.exit(0));
process.send?.({ kind: "ready" });
