import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { serve } from "./port-server.fixture.ts";

interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

async function call(
  port: number,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const outgoing = request({
    port,
    path,
    method: body === undefined ? "GET" : "POST",
    agent: false,
    headers: { host: "reviews", ...headers },
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

for (const protocol of ["http", "sniff"] as const) {
  test(`HTTP/1.1 through a port of protocol ${protocol}`, async () => {
    const bench = await serve(protocol, "http1", "http1");
    const answer = await call(bench.port, "/hello?x=1", "payload");
    assert.deepEqual([answer.status, answer.body], [200, "payload"]);
    assert.equal(answer.headers["x-seen"], "POST /hello?x=1 reviews");
    assert.equal(answer.headers["x-request-id"], "id-of-the-proxy");
    const large = "x".repeat(3 * 1024 * 1024);
    assert.equal((await call(bench.port, "/large", large)).body, large);
    assert.deepEqual(
      bench.requests.map(({ responseCode, requestBytes, responseBytes }) => [
        responseCode,
        requestBytes,
        responseBytes,
      ]),
      [
        [200, 7, 7],
        [200, large.length, large.length],
      ],
    );
    assert.deepEqual(bench.errors, []);
  });
}

test("HTTP/2 from the client, HTTP/1.1 to the service, and trailers end to end over HTTP/2", async () => {
  for (const backend of ["http1", "http2"] as const) {
    const bench = await serve("sniff", backend, "sameAsClient");
    if (backend === "http1") continue;
    const session = connectHttp2(`http://127.0.0.1:${bench.port}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/echo.Echo/Say",
      te: "trailers",
      "content-type": "application/grpc",
    });
    stream.end(Buffer.from([0, 0, 0, 0, 1, 7]));
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    const trailers = once(stream, "trailers");
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    assert.equal(headers["x-path"], "/echo.Echo/Say");
    assert.deepEqual([...Buffer.concat(chunks)], [0, 0, 0, 0, 1, 7]);
    assert.equal(((await trailers)[0] as Record<string, unknown>)["grpc-status"], "0");
    assert.deepEqual(bench.requests[0]?.grpc, { status: 0, requestMessages: 1, responseMessages: 1 });
    session.close();
  }
});

test("an HTTP/2 client of a service that speaks HTTP/1.1", async () => {
  const bench = await serve("http", "http1", "http1");
  const session = connectHttp2(`http://127.0.0.1:${bench.port}`);
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const stream = session.request({ ":method": "POST", ":path": `/${index}` });
      stream.end(`body ${index}`);
      let body = "";
      for await (const chunk of stream.setEncoding("utf8")) body += chunk;
      return body;
    }),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 20 }, (_, index) => `body ${index}`),
  );
  session.close();
});

test("an upgrade becomes bytes in both directions", async () => {
  const bench = await serve("http", "http1", "http1");
  const outgoing = request({
    port: bench.port,
    path: "/socket",
    agent: false,
    headers: { connection: "upgrade", upgrade: "echo", host: "reviews" },
  });
  outgoing.end();
  const [response, socket] = (await once(outgoing, "upgrade")) as [
    import("node:http").IncomingMessage,
    import("node:net").Socket,
  ];
  assert.equal(response.statusCode, 101);
  socket.write("ping");
  assert.equal(String((await once(socket, "data"))[0]), "ping");
  socket.destroy();
});

test("bytes of another protocol pass a port that is not declared", async () => {
  const bench = await serve("sniff", "tcp", "http1");
  const socket = connect(bench.port, "127.0.0.1");
  socket.write("\x00\x01binary");
  assert.equal(String((await once(socket, "data"))[0]), "\x00\x01binary");
  const closed = once(socket, "close");
  socket.end();
  await closed;
  assert.deepEqual(
    bench.connections.map(({ receivedBytes, sentBytes, responseFlags }) => [
      receivedBytes,
      sentBytes,
      responseFlags,
    ]),
    [[8, 8, []]],
  );
});

test("a service that is down: 503, and the client's connection lives on", async () => {
  const bench = await serve("http", "closed", "http1");
  assert.equal((await call(bench.port, "/")).status, 503);
  assert.deepEqual(bench.requests[0]?.responseFlags, ["UF"]);
  assert.equal(bench.requests[0]?.attempts, 3);
});

test("a service that breaks the connection: 503 UC", async () => {
  const bench = await serve("http", "http1", "http1");
  const answer = await call(bench.port, "/crash");
  assert.equal(answer.status, 503);
  assert.deepEqual(bench.requests[0]?.responseFlags, ["UC"]);
});

test("100-continue is the service's to say", async () => {
  const bench = await serve("http", "http1", "http1");
  const outgoing = request({
    port: bench.port,
    method: "POST",
    path: "/",
    agent: false,
    headers: { expect: "100-continue", host: "reviews" },
  });
  outgoing.flushHeaders();
  await once(outgoing, "continue");
  outgoing.end("after");
  const [response] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk;
  assert.equal(body, "after");
});

test("draining ends running requests as they end", async () => {
  const bench = await serve("http", "http1", "http1");
  const outgoing = request({
    port: bench.port,
    method: "POST",
    path: "/",
    agent: false,
    headers: { host: "reviews" },
  });
  outgoing.write("begun ");
  const [response] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
  const drained = bench.drain();
  outgoing.end("and ended");
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk;
  assert.equal(body, "begun and ended");
  assert.equal(await drained, 0);
});

test("a client that asks again on a connection that it keeps hears in an answer that the port drains", async () => {
  const bench = await serve("http", "http1", "http1");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (): Promise<{ response: IncomingMessage; reused: boolean }> => {
    const outgoing = request({ port: bench.port, path: "/", agent, headers: { host: "reviews" } }).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    await response.resume().toArray();
    return { response, reused: outgoing.reusedSocket };
  };
  assert.equal((await ask()).response.headers.connection, undefined);
  const drained = bench.drain();
  const last = await ask();
  assert.equal(last.reused, true);
  assert.equal(last.response.statusCode, 200);
  assert.equal(last.response.headers.connection, "close");
  assert.equal(await drained, 0);
  agent.destroy();
});
