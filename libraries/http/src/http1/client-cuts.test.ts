import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { head, Seen, testClient } from "./client.fixture.ts";
import { turn } from "./server.fixture.ts";

const RESPONSES: readonly string[] = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\nto the end",
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

interface Outcome {
  readonly status: number | undefined;
  readonly headers: readonly string[] | undefined;
  readonly body: string;
  readonly events: readonly string[];
  readonly trailers: readonly string[] | undefined;
  readonly fault: string | undefined;
  readonly told: readonly string[];
}

async function outcome(pieces: readonly string[]): Promise<Outcome> {
  const { channel, client, told, internalErrors } = testClient();
  const seen = new Seen();
  client.send(head(), true, seen);
  await turn();
  for (const piece of pieces) channel.receive(piece);
  channel.finish();
  await turn();
  await turn();
  assert.deepEqual(internalErrors, []);
  assert.match(seen.events.at(-1) ?? "", /end|fault/, "every request ends");
  const { body, events } = seen;
  const headers = seen.head?.headers.flat;
  const fault = seen.failure?.kind;
  return { status: seen.head?.status, headers, body, events, trailers: seen.trailers?.flat, fault, told };
}

/** Whether a connection was free for a moment depends on the cut when more follows; all else does not. */
const withoutCapacity = (result: Outcome): Outcome => ({
  ...result,
  told: result.told.filter((what) => what !== "capacity"),
});

for (const response of RESPONSES)
  test(`the same at every cut and byte by byte: ${JSON.stringify(response.slice(0, 40))}`, async () => {
    const want = await outcome([response]);
    assert.deepEqual(await outcome([...response]), want);
    for (let cut = 1; cut < response.length; cut++)
      assert.deepEqual(await outcome([response.slice(0, cut), response.slice(cut)]), want);
  });

test("a response with some bytes changed never throws, ends its request, and means the same byte by byte", async () => {
  const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...RESPONSES), changes, async (response, list) => {
      const bytes = Buffer.from(response, "latin1");
      for (const [at, byte] of list) bytes[at % bytes.length] = byte;
      const text = bytes.toString("latin1");
      assert.deepEqual(withoutCapacity(await outcome([...text])), withoutCapacity(await outcome([text])));
    }),
    { numRuns: 500 },
  );
});
