import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields, type HttpVersion, type RequestHead } from "@meltemi/http";
import { acceptUpgrade, addKey } from "./websocket-handshake.ts";

function head(version: HttpVersion, upgrade: string | undefined, key?: string): RequestHead {
  const headers = key === undefined ? new HeaderFields() : HeaderFields.of(["sec-websocket-key", key]);
  return {
    version,
    method: "GET",
    scheme: "http",
    authority: "a",
    path: "/",
    headers,
    upgrade,
    expectsContinue: false,
  };
}

test("a key is made for clients that have none, and for WebSockets alone", () => {
  const keyOf = (request: RequestHead): string | undefined => {
    addKey(request, () => 0.999);
    return request.headers.get("sec-websocket-key");
  };
  assert.equal(keyOf(head("HTTP/2", "websocket")), "/////////////////////w==");
  assert.equal(keyOf(head("HTTP/1.1", "websocket", "own")), "own");
  assert.equal(keyOf(head("HTTP/2", "other")), undefined);
  assert.equal(keyOf(head("HTTP/2", undefined)), undefined);
});

// The example of RFC 6455 §1.3.
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ANSWER = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const cases: readonly {
  readonly name: string;
  readonly client: HttpVersion;
  readonly upstream: HttpVersion;
  readonly accept?: string;
  readonly key?: string;
  /** What the client is told, or what is wrong. */
  readonly want: string | RegExp | undefined;
}[] = [
  { name: "made for HTTP/1.1", client: "HTTP/1.1", upstream: "HTTP/2", key: KEY, want: ANSWER },
  { name: "a client without a key", client: "HTTP/1.1", upstream: "HTTP/2", want: undefined },
  { name: "checked", client: "HTTP/2", upstream: "HTTP/1.1", key: KEY, accept: ANSWER, want: ANSWER },
  {
    name: "a wrong one",
    client: "HTTP/2",
    upstream: "HTTP/1.1",
    key: KEY,
    accept: "x",
    want: /expected s3.*got x$/,
  },
  { name: "none", client: "HTTP/2", upstream: "HTTP/1.1", key: KEY, want: /got none$/ },
  { name: "between equals", client: "HTTP/1.1", upstream: "HTTP/1.1", key: KEY, accept: "x", want: "x" },
];
for (const { name, client, upstream, key, accept, want } of cases)
  test(`the answer to the key: ${name}`, () => {
    const headers =
      accept === undefined ? new HeaderFields() : HeaderFields.of(["sec-websocket-accept", accept]);
    const problem = acceptUpgrade(head(client, "websocket", key), upstream, { status: 101, headers });
    if (want instanceof RegExp) assert.match(problem ?? "", want);
    else assert.deepEqual([problem, headers.get("sec-websocket-accept")], [undefined, want]);
  });
