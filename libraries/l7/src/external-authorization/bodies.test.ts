import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { after, before, describe, test } from "node:test";
import { clusterAt, portOf } from "../filters/services.fixture.ts";
import { type Bench, serve } from "../serve/port-server.fixture.ts";
import type { LiveCluster } from "../upstream/live-cluster.ts";
import { authorizationFilters, authorizer } from "./authorizer.fixture.ts";

const MAX_BYTES = 100_000;
const LARGE = "0123456789abcdef".repeat(200_000);

/** Over real connections: the authorizer sees the beginning, the service all of it (and says it back). */
describe("bodies that an authorizer reads", () => {
  const seen: { readonly length: number; readonly partial: unknown }[] = [];
  const server = createServer((incoming, response) => {
    let body = "";
    incoming.setEncoding("latin1").on("data", (chunk: string) => {
      body += chunk;
    });
    incoming.on("end", () => {
      seen.push({ length: body.length, partial: incoming.headers["x-envoy-auth-partial-body"] });
      response.writeHead(body.includes("evil") ? 403 : 200);
      response.end();
    });
  });
  let cluster: LiveCluster;
  let bench: Bench;
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cluster = clusterAt(portOf(server), "http1");
    const includeBody = { maxBytes: MAX_BYTES, allowPartial: true, asBytes: false };
    const filters = authorizationFilters([authorizer({ includeBody })], cluster);
    bench = await serve("http", "http1", "http1", undefined, filters);
  });
  after(() => {
    cluster.drain();
    server.closeAllConnections();
    server.close();
  });

  const post = async (
    body: string | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number | undefined; readonly body: string }> => {
    const outgoing = request({
      port: bench.port,
      path: "/guarded",
      method: "POST",
      agent: false,
      headers: { host: "reviews", ...headers },
    });
    if (headers["expect"] !== undefined) {
      outgoing.flushHeaders();
      await once(outgoing, "continue");
    }
    outgoing.end(body);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    let answer = "";
    for await (const chunk of response.setEncoding("latin1")) answer += chunk;
    return { status: response.statusCode, body: answer };
  };

  const cases = [
    { name: "none", body: undefined, headers: {}, told: [0, "false"] },
    { name: "short, of known length", body: "hello", headers: {}, told: [5, "false"] },
    {
      name: "short, in chunks",
      body: "hello",
      headers: { "transfer-encoding": "chunked" },
      told: [5, "false"],
    },
    { name: "long", body: LARGE, headers: {}, told: [MAX_BYTES, "true"] },
    {
      name: "long, in chunks",
      body: LARGE,
      headers: { "transfer-encoding": "chunked" },
      told: [MAX_BYTES, "true"],
    },
    {
      name: "of a client that waits to be asked",
      body: "hello",
      headers: { expect: "100-continue" },
      told: [5, "false"],
    },
  ] as const;
  for (const { name, body, headers, told } of cases)
    test(name, async () => {
      seen.length = 0;
      const answer = await post(body, headers);
      assert.equal(answer.status, 200);
      assert.ok(answer.body === (body ?? ""));
      assert.deepEqual(seen, [{ length: told[0], partial: told[1] }]);
      assert.deepEqual(bench.errors, []);
    });

  test("that are refused never reach the service", async () => {
    const before = bench.requests.length;
    assert.equal((await post("evil")).status, 403);
    const record = bench.requests[before];
    assert.deepEqual(
      [record?.responseFlags, record?.attempts, record?.responseCodeDetails],
      [["UAEX"], 0, "ext_authz_denied"],
    );
    assert.equal((await post("good")).status, 200);
  });

  test("of many HTTP/2 streams at once", async () => {
    const session = connectHttp2(`http://127.0.0.1:${bench.port}`);
    const bodies = Array.from({ length: 12 }, (_, index) =>
      index % 3 === 0 ? LARGE.slice(0, 300_000) : `body ${index}`,
    );
    const answers = await Promise.all(
      bodies.map(async (body) => {
        const stream = session.request({ ":method": "POST", ":path": "/guarded" });
        stream.end(body);
        let answer = "";
        for await (const chunk of stream.setEncoding("latin1")) answer += chunk;
        return answer;
      }),
    );
    for (const [index, body] of bodies.entries()) assert.ok(answers[index] === body, `stream ${index}`);
    session.close();
    assert.deepEqual(bench.errors, []);
  });
});
