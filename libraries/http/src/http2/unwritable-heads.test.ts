/** Names and values that must not be written: whoever gave them hears of it, nothing of them is sent, and the connection goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerExchange } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { Endpoint, exchangeBytes, Recorder, turn } from "./frames.fixture.ts";

const UNWRITABLE: readonly (readonly [what: string, name: string, value: string])[] = [
  ["a line break in a value", "x-a", "1\r\nset-cookie: x=1"],
  ["LF in a value", "x-a", "1\nx"],
  ["NUL in a value", "x-a", "1\x00"],
  ["a code unit that would become LF", "x-a", "1\u010ax"],
  ["a code unit that would become a letter", "x-a", "\u0141dmin"],
  ["a line break in a name", "x-a: 1\r\nx-b", "1"],
  ["an upper-case name", "Transfer-Encoding", "chunked"],
  ["an empty name", "", "1"],
];

class Pair {
  readonly client = new Endpoint("client");
  readonly server = new Endpoint("server");

  async carry(): Promise<void> {
    for (let count = 0; count < 3; count++) {
      exchangeBytes(this.client, this.server);
      await turn();
    }
  }

  /** A request that the server has received. */
  async open(ended: boolean): Promise<{ far: ServerExchange; got: Recorder; response: Recorder }> {
    const response = new Recorder();
    this.client.send({ method: "POST" }, ended, response);
    await this.carry();
    const far = this.server.exchanges.at(-1) ?? assert.fail("no request");
    const got = new Recorder();
    far.receive(got);
    return { far, got, response };
  }

  /** The connection serves as before, tables included, and nothing is left of what was refused. */
  async assertWell(): Promise<void> {
    const { far, response } = await this.open(true);
    far.respond({ status: 200, headers: HeaderFields.of(["x-a", "1"]) }, true);
    await this.carry();
    assert.deepEqual(response.response?.headers.flat, ["x-a", "1"]);
    assert.deepEqual([this.client.failure, this.server.failure], [undefined, undefined]);
    assert.deepEqual([this.client.http2.streams.size, this.server.http2.streams.size], [0, 0]);
  }
}

for (const [what, name, value] of UNWRITABLE) {
  const headers = HeaderFields.of(["x-first", "1"], [name, value]);

  test(`a request is not sent: ${what}`, async () => {
    const pair = new Pair();
    const response = new Recorder();
    const near = pair.client.send({ headers }, false, response);
    assert.deepEqual(response.log, []);
    near.write(Buffer.from("body"), false);
    near.end();
    await pair.carry();
    assert.deepEqual(response.log, ["fault protocol"]);
    assert.match(response.fault?.detail ?? "", /^request: expected names in lower case/);
    assert.equal(pair.server.exchanges.length, 0);
    await pair.assertWell();
  });

  for (const ended of [true, false])
    test(`a response becomes 500: ${what}, ${ended ? "after" : "within"} the request`, async () => {
      const pair = new Pair();
      const { far, got, response } = await pair.open(ended);
      far.respond({ status: 200, headers }, false);
      far.write(Buffer.from("body"), false);
      far.end();
      await pair.carry();
      assert.deepEqual([response.response?.status, response.bytes], [500, 0]);
      assert.deepEqual(response.response?.headers.flat, []);
      assert.equal(got.fault?.kind, "protocol");
      await pair.assertWell();
    });

  test(`an informational response becomes 500: ${what}`, async () => {
    const pair = new Pair();
    const { far, got, response } = await pair.open(true);
    far.inform(103, headers);
    far.respond({ status: 200, headers: new HeaderFields() }, true);
    await pair.carry();
    assert.deepEqual([response.log, got.fault?.kind], [["response 500 ended"], "protocol"]);
    await pair.assertWell();
  });

  test(`trailers break the exchange: ${what}`, async () => {
    const pair = new Pair();
    const { far, got, response } = await pair.open(false);
    far.respond({ status: 200, headers: new HeaderFields() }, false);
    far.write(Buffer.from("body"), false);
    far.end(headers);
    await pair.carry();
    assert.deepEqual([response.log, response.text], [["response 200", "fault reset"], "body"]);
    assert.equal(got.fault?.kind, "protocol");
    await pair.assertWell();
  });

  test(`trailers of a request break the exchange: ${what}`, async () => {
    const pair = new Pair();
    const response = new Recorder();
    const near = pair.client.send({ method: "POST" }, false, response);
    await pair.carry();
    const got = new Recorder();
    pair.server.exchanges[0]?.receive(got);
    near.write(Buffer.from("body"), false);
    near.end(headers);
    await pair.carry();
    assert.deepEqual([got.log, got.text], [["fault reset"], "body"]);
    assert.deepEqual(response.log, ["fault protocol"]);
    await pair.assertWell();
  });
}
