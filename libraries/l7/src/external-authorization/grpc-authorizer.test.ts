import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ExternalAuthorizer } from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { externalAuthorization as wire } from "@meltemi/wire";
import fc from "fast-check";
import { FilterMemory } from "../filters/filter-memory.ts";
import { FilterMeter, type UnjudgedPass } from "../filters/filter-meter.ts";
import {
  clusterAt,
  filterRun,
  type GrpcServer,
  judge,
  startGrpcServer,
} from "../filters/services.fixture.ts";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import type { LiveCluster } from "../upstream/live-cluster.ts";
import { authorizationFilters, authorizer } from "./authorizer.fixture.ts";
import { CHECK_PATH, GrpcProtocol } from "./grpc-authorizer.ts";

type Response = MessageInitShape<typeof wire.CheckResponseSchema>;

describe("a gRPC authorizer", () => {
  let server: GrpcServer;
  let cluster: LiveCluster;
  before(async () => {
    server = await startGrpcServer(CHECK_PATH);
    cluster = clusterAt(server.port, "http2");
  });
  after(() => {
    cluster.drain();
    server.close();
  });

  const ask = async (
    response: Response | undefined,
    request: SampleRequest = {},
    fields: Partial<ExternalAuthorizer> = {},
    body?: string,
  ): Promise<{
    readonly context: RequestContext;
    readonly reply: LocalReply | undefined;
    readonly asked: wire.AttributeContext | undefined;
  }> => {
    let asked: wire.AttributeContext | undefined;
    server.answer = (message) => {
      asked = fromBinary(wire.CheckRequestSchema, message).attributes;
      return response && toBinary(wire.CheckResponseSchema, create(wire.CheckResponseSchema, response));
    };
    const context = sampleRequest({ path: "/guarded/a?q=1&r=2", ...request });
    const run = body === undefined ? undefined : filterRun({ bytes: Buffer.from(body), isWhole: true });
    const filters = authorizationFilters([authorizer({ protocol: "grpc", ...fields })], cluster);
    const reply = await judge(filters, context, run);
    return { context, reply, asked };
  };

  test("is told who calls whom, and the whole head", async () => {
    const headers = { "x-request-id": "7", "x-a": "1", "x-name": "\u00c3\u00a9" };
    const { asked, reply } = await ask(
      { status: { code: 0 } },
      { callerNamespace: "default", callerLabels: { app: "a" }, headers },
    );
    assert.equal(reply, undefined);
    const { source, destination, request } = asked ?? {};
    assert.equal(source?.principal, "spiffe://cluster.local/ns/default/sa/default");
    assert.equal(source.address?.socketAddress?.address, "10.0.0.1");
    assert.deepEqual(source.labels, { app: "a" });
    assert.equal(destination?.address?.socketAddress?.portValue, 80);
    const { id, method, path, host, scheme, protocol, headers: told } = request?.http ?? {};
    assert.deepEqual(
      [id, method, path, host, scheme, protocol],
      ["7", "GET", "/guarded/a?q=1&r=2", "reviews", "http", "HTTP/1.1"],
    );
    assert.deepEqual(told, {
      ":method": "GET",
      ":path": "/guarded/a?q=1&r=2",
      ":authority": "reviews",
      ":scheme": "http",
      ...headers,
      "x-name": "é",
    });
    assert.ok((request?.time?.seconds ?? 0n) > 0n);
  });
  test("is told of no header but those that were asked for", async () => {
    const { asked } = await ask(
      {},
      { headers: { "x-a": "1", cookie: "c" } },
      { includeRequestHeaders: ["x-*"] },
    );
    assert.deepEqual(
      Object.keys(asked?.request?.http?.headers ?? {}).filter((name) => !name.startsWith(":")),
      ["x-a"],
    );
  });
  test("is told the body, as text or as bytes", async () => {
    const includeBody = { maxBytes: 100, allowPartial: false, asBytes: false };
    const asText = await ask({}, { method: "POST" }, { includeBody }, "hé");
    assert.equal(asText.asked?.request?.http?.body, "hé");
    const asBytes = await ask(
      {},
      { method: "POST" },
      { includeBody: { ...includeBody, asBytes: true } },
      "hé",
    );
    assert.equal(Buffer.from(asBytes.asked?.request?.http?.rawBody ?? []).toString(), "hé");
    assert.equal(asBytes.asked?.request?.http?.headers["x-envoy-auth-partial-body"], "false");
  });

  test("allows, and changes the request as it says; framing is not its to change", async () => {
    const { ADD_IF_ABSENT, OVERWRITE_IF_EXISTS } = wire.HeaderValueOption_AppendAction;
    const { context, reply } = await ask(
      {
        status: { code: 0 },
        httpResponse: {
          case: "okResponse",
          value: {
            headers: [
              { header: { key: "X-User", value: "ann" } },
              { header: { key: "x-list", value: "2" }, append: true },
              { header: { key: "x-new", value: "n" }, appendAction: ADD_IF_ABSENT },
              { header: { key: "x-list", value: "9" }, appendAction: ADD_IF_ABSENT },
              { header: { key: "x-absent", value: "9" }, appendAction: OVERWRITE_IF_EXISTS },
              { header: { key: "content-length", value: "9" } },
              { header: { key: ":path", value: "/evil" } },
              { header: { key: "x-evil", value: "a\r\nx: y" } },
            ],
            headersToRemove: ["X-Gone", "host"],
            responseHeadersToAdd: [{ header: { key: "x-seen", value: "1" } }],
            queryParametersToSet: [
              { key: "r", value: "a&b" },
              { key: "new", value: "1" },
            ],
            queryParametersToRemove: ["q"],
          },
        },
        dynamicMetadata: { user: "ann", groups: ["a"] },
      },
      { headers: { "x-user": "root", "x-list": "1", "x-gone": "1" } },
    );
    assert.equal(reply, undefined);
    assert.deepEqual(context.request.headers.flat, [
      "x-user",
      "ann",
      "x-list",
      "1",
      "x-list",
      "2",
      "x-new",
      "n",
    ]);
    assert.equal(context.request.path, "/guarded/a?r=a%26b&new=1");
    assert.deepEqual(context.responseFields, [["x-seen", "1"]]);
    assert.deepEqual(context.metadata.get("envoy.filters.http.ext_authz"), { user: "ann", groups: ["a"] });
  });
  test("refuses: 403, or as it says", async () => {
    const plain = await ask({ status: { code: 7 } });
    assert.deepEqual([plain.reply?.status, plain.reply?.body, plain.reply?.flag], [403, "", "UAEX"]);
    const { reply } = await ask({
      status: { code: 16 },
      httpResponse: {
        case: "deniedResponse",
        value: {
          status: { code: 401 },
          body: "who?",
          headers: [{ header: { key: "www-authenticate", value: "Basic" } }],
        },
      },
    });
    assert.deepEqual(
      [reply?.status, reply?.body, reply?.headers],
      [401, "who?", [["www-authenticate", "Basic"]]],
    );
  });
  test("a refusal that comes with an allowing answer is a refusal", async () => {
    const { reply } = await ask({ status: { code: 7 }, httpResponse: { case: "okResponse", value: {} } });
    assert.equal(reply?.status, 403);
  });
  test("is not there", async () => {
    const { reply } = await ask(undefined);
    assert.deepEqual([reply?.status, reply?.details], [403, "ext_authz_error"]);
    assert.equal((await ask(undefined, {}, { failOpen: true })).reply, undefined);
  });
  test("what it says of requests is counted, and failures that pass are told", async () => {
    const registry = createRegistry();
    const passed: UnjudgedPass[] = [];
    const meter = new FilterMeter({ registry, onUnjudgedPass: (one) => void passed.push(one) });
    const memory = new FilterMemory({ clock: systemClock, meter });
    const filters = authorizationFilters(
      [authorizer({ protocol: "grpc", failOpen: true })],
      cluster,
      ["opa"],
      memory,
    );
    for (const response of [{}, { status: { code: 7 } }, undefined]) {
      server.answer = () =>
        response && toBinary(wire.CheckResponseSchema, create(wire.CheckResponseSchema, response));
      await judge(filters, sampleRequest({ path: "/guarded" }));
    }
    const counted = registry.exposition(undefined).body.match(/^envoy_http\S+ \d$/gm);
    assert.deepEqual(
      counted,
      ["ok", "denied", "error", "failure_mode_allowed"].map(
        (name) => `envoy_http_ext_authz_${name}{provider="opa"} 1`,
      ),
    );
    assert.deepEqual(
      passed.map(({ filter, name }) => [filter, name]),
      [["ext_authz", "opa"]],
    );
  });
});

test("answers that are noise never allow by accident, and never throw", () => {
  const protocol = new GrpcProtocol(authorizer({ protocol: "grpc" }));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (message) => {
      const verdict = protocol.verdict({ kind: "message", message });
      if (verdict.kind !== "allow") return;
      assert.equal(fromBinary(wire.CheckResponseSchema, message).status?.code ?? 0, 0);
    }),
  );
});
