/** A datagram to the DNS proxy that cannot be answered must not end the proxy of the whole node. */

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { createUdpSocket, openNetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createNetnsLab } from "@meltemi/testkit";
import { startDnsServer } from "../../components/ztunnel/src/dns/dns-server.ts";
import { createPodSockets } from "../../components/ztunnel/src/sockets/pod-sockets.ts";
import { sendFromPortZero } from "./stray-packet.fixture.ts";

const PORT = 15053;
const logger = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: Date.now, write: () => undefined },
  "t",
);

test("a question from port 0 is passed over; the next one is answered", { timeout: 20_000 }, async () => {
  await using lab = await createNetnsLab("dns-zero");
  using namespace = openNetworkNamespace((await lab.node("n")).path);
  const handler = { handle: async (message: Uint8Array) => message };
  const sockets = createPodSockets({ namespace, portReuse: false }, { clock: systemClock });
  const server = startDnsServer({ port: PORT, ipv6Enabled: false }, { sockets, handler, logger });
  const client = createSocket("udp4");
  try {
    const proxy = { ip: "127.0.0.1", port: PORT };
    sendFromPortZero(namespace, proxy, Buffer.from("unanswerable"));
    client.bind({ fd: createUdpSocket({ netns: namespace, address: { ip: "127.0.0.1", port: 0 } }).fd });
    client.send("who", proxy.port, proxy.ip);
    const [answer] = (await once(client, "message")) as [Buffer];
    assert.equal(answer.toString(), "who");
  } finally {
    client.close();
    server.close();
  }
});
