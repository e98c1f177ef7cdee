/**
 * Request smuggling, by the shapes that research named: what follows such a message must never be served as a request of its own,
 * and the connection must not go on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type SeenExchange, testServer, turn } from "./server.fixture.ts";

const SMUGGLED = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
const post = (fields: string, body: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}${SMUGGLED}`;
const te = (value: string, name = "Transfer-Encoding: "): string =>
  post(`Content-Length: 4\r\n${name}${value}\r\n`, "0\r\n\r\n");

const corpus: readonly (readonly [name: string, message: string])[] = [
  ["CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG")],
  ["TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n")],
  ["TE.TE: xchunked", te("xchunked")],
  ["TE.TE: space before the colon", te("chunked", "Transfer-Encoding : ")],
  ["TE.TE: tab before the value", te("\tchunked")],
  ["TE.TE: vertical tab before the value", te("\x0bchunked")],
  ["TE.TE: form feed after the value", te("chunked\x0c")],
  ["TE.TE: space before the name", te("chunked", " Transfer-Encoding: ")],
  ["TE.TE: a field before on a folded line", te("chunked", "X: X\r\n Transfer-Encoding: ")],
  ["TE.TE: LF before the name", te("chunked", "X: X\nTransfer-Encoding: ")],
  ["TE.TE: CR before the name", te("chunked", "X: X\rTransfer-Encoding: ")],
  ["TE.TE: value on the next line", te("\r\n chunked", "Transfer-Encoding:")],
  ["TE.TE: two fields", te("chunked\r\nTransfer-Encoding: x")],
  ["TE.TE: two fields, the other way", te("x\r\nTransfer-Encoding: chunked")],
  ["TE.TE: a list", te("identity, chunked")],
  ["TE.TE: quotes", te('"chunked"')],
  ["TE.TE: NUL", te("chunked\0")],
  ["TE.TE: NUL in the name", te("chunked", "Transfer\0-Encoding: ")],
  ["TE.TE: a byte above ASCII in the name", te("chunked", "Transfer-Encoding\xa0: ")],
  ["TE.TE: a byte above ASCII in the value", te("\xa0chunked")],
  ["TE.TE: no colon", te("chunked", "Transfer-Encoding ")],
  [
    "TE with HTTP/1.0",
    `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ],
  ["CL.CL", post("Content-Length: 0\r\nContent-Length: 44\r\n", "")],
  ["CL.CL in one field", post("Content-Length: 0, 44\r\n", "")],
  ["CL of +0", post("Content-Length: +0\r\n", "")],
  ["CL of 0x0", post("Content-Length: 0x0\r\n", "")],
  ["CL of -0", post("Content-Length: -0\r\n", "")],
  ["CL with a space within", post("Content-Length: 0 0\r\n", "")],
  ["CL with a space before the colon", post("Content-Length : 44\r\n", "")],
  ["CL beyond 64 bits", post("Content-Length: 18446744073709551616\r\n", "")],
  ["CL that connection would drop", post("Connection: Content-Length\r\nContent-Length: 5\r\n", "")],
  [
    "TE that connection would drop",
    post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ],
  ["a request line within a value", post("X: a\n\nGET /admin HTTP/1.1\r\n", "")],
  ["bare LF ends the head", `GET / HTTP/1.1\nHost: a\n\n${SMUGGLED}`],
  ["LF CR ends the head", `GET / HTTP/1.1\r\nHost: a\r\n\n\r${SMUGGLED}`],
  ["CR CR LF in the head", `GET / HTTP/1.1\r\nHost: a\r\r\n\r\n${SMUGGLED}`],
  ["two request lines", `GET / HTTP/1.1\r\n${SMUGGLED}`],
  ["two hosts", `GET / HTTP/1.1\r\nHost: a\r\n${SMUGGLED.replace("GET /admin HTTP/1.1\r\n", "")}`],
  ["a space in the target that hides a version", `GET / HTTP/1.1 x HTTP/1.1\r\nHost: a\r\n\r\n${SMUGGLED}`],
  ["a CONNECT with a body", `CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\nContent-Length: 5\r\n\r\n${SMUGGLED}`],
  ["chunk size with 0x", post("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n")],
  ["chunk size with a sign", post("Transfer-Encoding: chunked\r\n", "+0\r\n\r\n")],
  ["chunk size that overflows to zero", post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n\r\n")],
  ["chunk extension with LF", post("Transfer-Encoding: chunked\r\n", "2;\nxx\r\n0\r\n\r\n")],
  ["chunk ended by LF", post("Transfer-Encoding: chunked\r\n", "0\n\r\n")],
  ["chunk data with another end", post("Transfer-Encoding: chunked\r\n", "1\r\nxXX0\r\n\r\n")],
  ["a trailer that frames", post("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 5\r\n\r\n")],
];

const answer = (seen: SeenExchange): void => seen.exchange.receive(seen);

for (const [name, message] of corpus)
  test(`smuggling refused: ${name}`, async () => {
    for (const pieces of [[message], [...message]]) {
      const server = testServer({}, answer);
      for (const piece of pieces) server.channel.receive(piece);
      await turn();
      const paths = server.seen.map((seen) => seen.exchange.request.path);
      assert.ok(!paths.includes("/admin"), "the smuggled request was served");
      assert.match(server.channel.sent, /^HTTP\/1\.1 (400|501) .*connection: close\r\n\r\n$/s);
      assert.equal(server.channel.ended, true);
    }
  });

test("CL.0: a body is read whether or not anybody wants it", async () => {
  const server = testServer({}, (seen) => seen.answer(200));
  server.channel.receive(post(`Content-Length: ${SMUGGLED.length}\r\n`, ""));
  await turn();
  assert.equal(server.seen.length, 1);
});

test("h2c: the upgrade is ignored and what follows is HTTP/1.1", async () => {
  const server = testServer({}, (seen) => seen.answer(200));
  server.channel.receive(
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  );
  await turn();
  assert.match(server.channel.sent, /^HTTP\/1.1 200 OK.*HTTP\/1.1 505 /s);
});

interface Outcome {
  readonly exchanges: readonly unknown[];
  readonly sent: string;
  readonly refused: readonly unknown[];
}

async function outcome(pieces: readonly string[]): Promise<Outcome> {
  const server = testServer({}, (seen) => {
    seen.exchange.receive(seen);
    const end = seen.onEnd.bind(seen);
    // Answers when the request is whole.
    seen.onEnd = (trailers) => {
      end(trailers);
      seen.answer(200, seen.body);
    };
  });
  for (const piece of pieces) server.channel.receive(piece);
  await turn();
  await turn();
  const exchanges = server.seen.map(({ exchange, body, trailers, ended }) => [
    exchange.request.method,
    exchange.request.authority,
    exchange.request.path,
    exchange.request.headers.flat,
    body,
    trailers?.flat,
    ended,
  ]);
  assert.deepEqual(server.internalErrors, []);
  return { exchanges, sent: server.channel.sent, refused: server.refused };
}

const MESSAGES: readonly string[] = [
  SMUGGLED,
  "HEAD / HTTP/1.1\r\nHost: a:80\r\nCookie: a=b; c=d\r\n\r\n",
  "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
  'POST /y?z HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e="1"\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n',
  "\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
  ...corpus.slice(0, 8).map(([, message]) => message),
];

test("pipelined messages mean the same at every cut and byte by byte", async () => {
  const good = MESSAGES.slice(0, 5).join("");
  const want = await outcome([good]);
  assert.equal(want.exchanges.length, 5);
  assert.deepEqual(await outcome([...good]), want);
  for (let cut = 1; cut < good.length; cut++)
    assert.deepEqual(await outcome([good.slice(0, cut), good.slice(cut)]), want);
});

test("any messages in any pieces mean the same, and nothing throws", async () => {
  const message = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...MESSAGES) },
    { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 40 }) },
  );
  const cuts = fc.array(fc.nat(2000), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 5 }), cuts, async (messages, at) => {
      const whole = messages.join("");
      const places = [0, ...at.filter((place) => place < whole.length).sort((a, b) => a - b), whole.length];
      const pieces = places.slice(1).map((place, index) => whole.slice(places[index], place));
      assert.deepEqual(await outcome(pieces), await outcome([whole]));
    }),
    { numRuns: 300 },
  );
});

test("a message with some bytes changed never throws, and never holds more than its bounds", async () => {
  const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...MESSAGES), changes, async (message, list) => {
      const bytes = Buffer.from(message, "latin1");
      for (const [at, byte] of list) bytes[at % bytes.length] = byte;
      await outcome([bytes.toString("latin1")]);
    }),
    { numRuns: 500 },
  );
});
