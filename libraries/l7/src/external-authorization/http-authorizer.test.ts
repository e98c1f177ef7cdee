import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import type { ExternalAuthorizer } from "@meltemi/model/l7";
import { clusterAt, filterRun, judge, portOf } from "../filters/services.fixture.ts";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import type { LiveCluster } from "../upstream/live-cluster.ts";
import { authorizationFilters, authorizer } from "./authorizer.fixture.ts";

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

describe("an HTTP authorizer", () => {
  const asked: Asked[] = [];
  let answer: (response: ServerResponse) => void = (response) => void response.end();
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += String(chunk);
    });
    request.on("end", () => {
      const { method, url, headers } = request;
      asked.push({ method, url, headers, body });
      answer(response);
    });
  });
  let cluster: LiveCluster;
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cluster = clusterAt(portOf(server), "http1");
  });
  after(() => {
    cluster.drain();
    server.closeAllConnections();
    server.close();
  });

  const ask = async (
    fields: Partial<ExternalAuthorizer>,
    request: SampleRequest,
    answered: typeof answer,
    body?: { readonly text: string; readonly isWhole: boolean },
  ): Promise<{
    readonly context: RequestContext;
    readonly reply: LocalReply | undefined;
    readonly asked: Asked | undefined;
  }> => {
    answer = answered;
    asked.length = 0;
    const context = sampleRequest({ path: "/guarded/a?q=1", ...request });
    const run = body && filterRun({ bytes: Buffer.from(body.text), isWhole: body.isWhole });
    const reply = await judge(authorizationFilters([authorizer(fields)], cluster), context, run);
    return { context, reply, asked: asked[0] };
  };
  const allow = (response: ServerResponse): void => void response.end();
  const says =
    (status: number, headers: Record<string, string | string[]> = {}, body = "") =>
    (response: ServerResponse): void => {
      response.writeHead(status, headers);
      response.end(body);
    };

  test("answers many on one connection", async () => {
    let opened = 0;
    const count = (): void => void opened++;
    server.on("connection", count);
    for (let at = 0; at < 5; at++) assert.equal((await ask({}, { method: "POST" }, allow)).reply, undefined);
    server.off("connection", count);
    assert.equal(opened, 1);
  });
  test("is not asked of what no policy sends it", async () => {
    const { reply, asked } = await ask({}, { path: "/open" }, says(403));
    assert.equal(reply, undefined);
    assert.equal(asked, undefined);
  });
  test("sees method, path, host, authorization and what it asked for; nothing else", async () => {
    const fields = {
      pathPrefix: "/check",
      includeRequestHeaders: ["X-User", "x-team-*"],
      includeAdditionalHeaders: [["X-Mesh", "meltemi"]] as const,
    };
    const headers = {
      authorization: "Bearer t",
      "x-user": "ann",
      "x-team-a": "1",
      cookie: "secret=1",
      "content-length": "5",
    };
    const { reply, asked } = await ask(fields, { method: "PUT", authority: "shop:80", headers }, allow);
    assert.equal(reply, undefined);
    assert.equal(asked?.method, "PUT");
    assert.equal(asked.url, "/check/guarded/a?q=1");
    const { connection: _, ...told } = asked.headers;
    assert.deepEqual(told, {
      host: "shop:80",
      authorization: "Bearer t",
      "x-user": "ann",
      "x-team-a": "1",
      "x-mesh": "meltemi",
      "content-length": "0",
    });
  });
  test("allows: chosen fields go to the service and to the client, in place of what was there", async () => {
    const fields = {
      headersToUpstreamOnAllow: ["x-user", "connection"],
      headersToDownstreamOnAllow: ["set-cookie", "x-ok*"],
    };
    const given = { "x-user": "ann", "x-other": "1", "x-ok-1": "y", "set-cookie": ["a=1", "b=2"] };
    const { context, reply } = await ask(fields, { headers: { "x-user": "root" } }, says(200, given));
    assert.equal(reply, undefined);
    assert.deepEqual(context.request.headers.flat, ["x-user", "ann"]);
    assert.deepEqual(
      new Set(context.responseFields?.map(String)),
      new Set(["x-ok-1,y", "set-cookie,a=1", "set-cookie,b=2"]),
    );
  });
  test("refuses: with its status, body and fields", async () => {
    const { reply } = await ask(
      {},
      {},
      says(302, { location: "/login", "x-why": "no", "content-type": "text/html" }, "<p>no</p>"),
    );
    assert.equal(reply?.status, 302);
    assert.equal(reply.body, "<p>no</p>");
    assert.equal(reply.flag, "UAEX");
    assert.equal(reply.details, "ext_authz_denied");
    const fields = new Map(reply.headers);
    assert.deepEqual(
      [fields.get("location"), fields.get("x-why"), fields.has("content-length")],
      ["/login", "no", false],
    );
  });
  test("refuses: of its fields only the chosen, and those of authentication", async () => {
    const given = { "www-authenticate": "Basic", "x-why": "no", "x-secret": "1" };
    const { reply } = await ask({ headersToDownstreamOnDeny: ["x-why"] }, {}, says(401, given));
    assert.deepEqual(
      new Map(reply?.headers),
      new Map([
        ["www-authenticate", "Basic"],
        ["x-why", "no"],
      ]),
    );
  });

  const failing = (response: ServerResponse): void => void response.destroy();
  for (const [name, answered] of [
    ["breaks", failing],
    ["answers 503", says(503)],
  ] as const) {
    test(`${name}: refused with the status for it`, async () => {
      const { reply } = await ask({ statusOnError: 418 }, {}, answered);
      assert.deepEqual(
        [reply?.status, reply?.flag, reply?.details, reply?.body],
        [418, "UAEX", "ext_authz_error", ""],
      );
    });
    test(`${name}: passes where that is asked for`, async () =>
      assert.equal((await ask({ failOpen: true }, {}, answered)).reply, undefined));
  }
  test("is silent: refused after its time", async () => {
    const { reply } = await ask({ timeoutMs: 30 }, {}, () => undefined);
    assert.equal(reply?.details, "ext_authz_error");
  });

  const includeBody = { maxBytes: 5, allowPartial: false, asBytes: false };
  test("sees the body, where it asked for it", async () => {
    const { asked } = await ask({ includeBody }, { method: "POST" }, allow, { text: "hello", isWhole: true });
    assert.equal(asked?.body, "hello");
    assert.equal(asked.headers["x-envoy-auth-partial-body"], "false");
  });
  test("a body that is longer than it takes: 413, unless a part is enough", async () => {
    const body = { text: "hello you", isWhole: true };
    const { reply, asked } = await ask({ includeBody }, { method: "POST" }, allow, body);
    assert.equal(reply?.status, 413);
    assert.equal(asked, undefined);
    const partial = await ask(
      { includeBody: { ...includeBody, allowPartial: true } },
      { method: "POST" },
      allow,
      body,
    );
    assert.equal(partial.asked?.body, "hello");
    assert.equal(partial.asked.headers["x-envoy-auth-partial-body"], "true");
  });

  test("one that is not configured refuses", async () => {
    const context = sampleRequest({ path: "/guarded" });
    const reply = await judge(authorizationFilters([], cluster, ["gone"]), context);
    assert.equal(reply?.status, 403);
    assert.equal(
      reply.details,
      "rbac_access_denied_matched_policy[ns[ns]-policy[ask]-rule[0]-deny-due-to-bad-CUSTOM-action]",
    );
  });
  test("one without a cluster is one that does not answer", async () => {
    const reply = await judge(
      authorizationFilters([authorizer({})], undefined),
      sampleRequest({ path: "/guarded" }),
    );
    assert.equal(reply?.details, "ext_authz_error");
  });
  test("several are asked in order until one refuses", async () => {
    asked.length = 0;
    answer = (response) => {
      response.writeHead(asked.length === 2 ? 403 : 200);
      response.end();
    };
    const three = ["a", "b", "c"].map((name) => authorizer({ name, pathPrefix: `/${name}` }));
    const reply = await judge(authorizationFilters(three, cluster), sampleRequest({ path: "/guarded" }));
    assert.equal(reply?.status, 403);
    assert.deepEqual(
      asked.map(({ url }) => url),
      ["/a/guarded", "/b/guarded"],
    );
  });
});
