import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { createReadBuffer, lendReads } from "./lent-reads.ts";

type Reading = Socket & { heard?: string };

function hear(this: Reading, length: number, buffer: Uint8Array): true {
  this.heard = (this.heard ?? "") + Buffer.from(buffer.subarray(0, length)).toString();
  return true;
}

async function accepted(): Promise<{ server: Reading; client: Socket; close: () => void }> {
  const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const client = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  const [server] = (await once(listener, "connection")) as [Reading];
  const close = (): void => {
    client.destroy();
    server.destroy();
    listener.close();
  };
  return { server, client, close };
}

test("this Node can lend: a new version that cannot is to be noticed here", async () => {
  const { server, client, close } = await accepted();
  server.on("data", () => assert.fail("came as an event"));
  assert.equal(lendReads(server, createReadBuffer(), hear), true);
  server.resume();
  client.write("one");
  await eventually(() => server.heard === "one");
  close();
});

test("what was read before comes first, as data", async () => {
  const { server, client, close } = await accepted();
  client.write("before ");
  server.read(0);
  await once(server, "readable");
  lendReads(server, createReadBuffer(), hear);
  server.on("data", (chunk) => {
    server.heard = (server.heard ?? "") + String(chunk);
  });
  server.resume();
  client.end("after");
  await once(server, "end");
  assert.equal(server.heard, "before after");
  close();
});

test("a paused socket reads nothing, a resumed one goes on", async () => {
  const { server, client, close } = await accepted();
  lendReads(server, createReadBuffer(), hear);
  server.resume();
  client.write("a");
  await eventually(() => server.heard === "a");
  server.pause();
  const sent = Promise.withResolvers<void>();
  client.write("b", () => sent.resolve());
  await sent.promise;
  assert.equal(server.heard, "a");
  server.resume();
  await eventually(() => server.heard === "ab");
  close();
});

test("what has no handle cannot lend", () => {
  const stream = new Duplex() as unknown as Socket;
  assert.equal(lendReads(stream, createReadBuffer(), hear), false);
  assert.equal(lendReads(new Socket(), createReadBuffer(), hear), false);
});
