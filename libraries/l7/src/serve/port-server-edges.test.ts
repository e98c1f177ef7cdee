import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { CONTINUE, type RequestFilter } from "../request-context.ts";
import { halfClosed, serve } from "./port-server.fixture.ts";

/** However it closes. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.on("close", () => resolve()));

/** Sends bytes and reads to the end, whether that is clean or a reset. */
async function exchangeBytes(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.end(bytes, "latin1");
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
  });
  await closed(socket);
  return received;
}

test("what only lenient servers take for HTTP does not pass a port that is not declared", async () => {
  const bench = await serve("sniff", "http1", "http1");
  const lines = ["\r\n\r\n\r\nGET /", "GET  /", "GET\t/", "GET /\xff", "GET /"];
  for (const line of lines) {
    const answer = await exchangeBytes(bench.port, `${line} HTTP/1.1\nHost: a\n\n`);
    assert.match(answer, /^HTTP\/1.1 400 /);
  }
  assert.match(await exchangeBytes(bench.port, "GET /\r\n\r\n"), /^HTTP\/1.1 400 /);
  assert.deepEqual([bench.requests.length, bench.connections.length], [0, 0]);
});

test("a connection that was silent for long is judged by what holds when it speaks", async () => {
  const bench = await serve("sniff", "tcp", "http1");
  const silent = connect(bench.port, "127.0.0.1");
  silent.on("error", () => undefined);
  await once(silent, "connect");
  silent.write("PIN");
  bench.change({ authorize: () => ({ flag: "", details: "rbac_access_denied", upstreamFailure: "" }) });
  silent.write("G\r\n");
  await closed(silent);
  assert.equal(bench.connections.at(-1)?.details, "rbac_access_denied");
});

test("an upgraded stream: the service ends, and the client still speaks", async () => {
  const bench = await serve("http", "http1", "http1");
  const socket = connect({ port: bench.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.write("GET /half-close HTTP/1.1\r\nhost: reviews\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  socket.resume();
  await once(socket, "end");
  const said = once(halfClosed, "said");
  const gone = closed(socket);
  socket.end("the last word");
  assert.equal(String((await said)[0]), "the last word");
  await gone;
  assert.equal(bench.requests[0]?.responseCode, 101);
});

test("an open TCP connection that policy forbids from now on is cut", async () => {
  const bench = await serve("tcp", "tcp", "http1");
  const socket = connect(bench.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("ping");
  await once(socket, "data");
  const gone = closed(socket);
  bench.change({ rejudge: ({ destination }) => `rbac_access_denied_of_${destination.port}` });
  await gone;
  assert.equal(bench.connections[0]?.details, "rbac_access_denied_of_80");
});

test("an upgraded stream that policy forbids from now on is cut, judged by the request as it came", async () => {
  const bench = await serve("http", "http1", "http1");
  const socket = connect(bench.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    "GET /a HTTP/1.1\r\nhost: reviews\r\nx-user: ann\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
  );
  await once(socket, "data");
  const seen: string[] = [];
  const filter = (details?: string): RequestFilter => ({
    name: "rbac",
    onRequest: () => CONTINUE,
    rejudge({ request, path }) {
      seen.push(`${request.headers.get("x-user")} ${path}`);
      return details;
    },
  });
  bench.change({}, { filters: [filter()] });
  await eventually(() => seen.length === 1);
  socket.write("still open");
  assert.equal(String((await once(socket, "data"))[0]), "still open");
  const gone = closed(socket);
  bench.change({}, { filters: [filter("rbac_access_denied")] });
  await gone;
  assert.deepEqual(seen, ["ann /a", "ann /a"]);
  const [record] = bench.requests;
  assert.deepEqual([record?.responseCode, record?.responseCodeDetails], [101, "rbac_access_denied"]);
  assert.deepEqual(bench.errors, []);
});
