import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { HeaderFields } from "@meltemi/http";
import { systemClock } from "@meltemi/runtime";
import { clusterAt } from "../filters/services.fixture.ts";
import { sampleRequest } from "../routing/sample-request.ts";
import type { LiveCluster } from "../upstream/live-cluster.ts";
import { callGrpc, type GrpcAnswer, readGrpcAnswer } from "./call-grpc.ts";

const same = (bytes: Buffer): Buffer => bytes;

describe("a unary call to a server of grpc-js", () => {
  const server = new Server();
  let cluster: LiveCluster;
  const seen: { readonly deadline: unknown; readonly host: string }[] = [];

  before(async () => {
    const echo = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
      seen.push({ deadline: call.getDeadline(), host: call.getHost() });
      const [first] = call.request;
      if (first === 0x21) callback({ code: status.PERMISSION_DENIED, details: "no: ä" });
      else if (first !== 0x3f) callback(null, call.request);
    };
    server.register("/test.Echo/Echo", echo as never, same, same, "unary");
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    cluster = clusterAt(port, "http2");
  });
  after(() => {
    cluster.drain();
    server.forceShutdown();
  });

  const call = (
    message: Uint8Array,
    given: { readonly path?: string; readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<GrpcAnswer> => {
    const { path = "/test.Echo/Echo", timeoutMs = 5000, signal = new AbortController().signal } = given;
    return callGrpc(
      { cluster, context: sampleRequest(), path, message, timeoutMs },
      { clock: systemClock, cancellation: { signal } },
    );
  };
  const failure = async (answer: Promise<GrpcAnswer>): Promise<string> => {
    const outcome = await answer;
    assert.equal(outcome.kind, "failed");
    return outcome.kind === "failed" ? outcome.why : "";
  };

  test("comes back, whatever its length", async () => {
    for (const length of [0, 1, 70_000]) {
      const answer = await call(Buffer.alloc(length, "x"));
      assert.ok(answer.kind === "message");
      assert.equal(answer.message.length, length);
    }
    assert.equal(cluster.limits.requests, 0);
    assert.equal(seen[0]?.host, "policy.infra.svc.cluster.local");
    assert.ok(Number.isFinite(Number(seen[0]?.deadline)));
  });
  test("refused, unknown, silent, given up: why is told, and nothing is left behind", async () => {
    assert.match(await failure(call(Buffer.from("!"))), /^gRPC status 7 no/);
    assert.match(await failure(call(Buffer.from("x"), { path: "/test.Echo/Other" })), /^gRPC status 12/);
    assert.equal(await failure(call(Buffer.from("?"), { timeoutMs: 30 })), "no answer within 30 ms");
    const controller = new AbortController();
    const waiting = failure(call(Buffer.from("?"), { signal: controller.signal }));
    controller.abort();
    assert.equal(await waiting, "cancelled");
    assert.equal(await failure(call(Buffer.from("x"), { signal: controller.signal })), "cancelled");
    assert.equal(cluster.limits.requests, 0);
  });
  test("nobody listens", async () => {
    const nowhere = clusterAt(1, "http2");
    const answer = callGrpc(
      {
        cluster: nowhere,
        context: sampleRequest(),
        path: "/a.B/C",
        message: new Uint8Array(),
        timeoutMs: 5000,
      },
      { clock: systemClock, cancellation: { signal: new AbortController().signal } },
    );
    assert.match(await failure(answer), /ECONNREFUSED/);
    nowhere.drain();
  });
});

describe("answers that are none", () => {
  const ok = HeaderFields.of(["grpc-status", "0"]);
  const answer = (body: readonly number[], code = 200, trailers: HeaderFields | undefined = ok): GrpcAnswer =>
    readGrpcAnswer({
      kind: "answer",
      head: { status: code, headers: new HeaderFields() },
      body: Buffer.from(body),
      trailers,
    });
  test("one plain message is one", () => assert.equal(answer([0, 0, 0, 0, 1, 7]).kind, "message"));
  for (const [name, given] of [
    ["nothing", answer([])],
    ["half a prefix", answer([0, 0, 0])],
    ["a message cut short", answer([0, 0, 0, 0, 2, 7])],
    ["two messages", answer([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ["a compressed message", answer([1, 0, 0, 0, 1, 7])],
    ["another HTTP status", answer([0, 0, 0, 0, 0], 404)],
    ["no gRPC status", answer([0, 0, 0, 0, 0], 200, new HeaderFields())],
    ["another gRPC status", answer([0, 0, 0, 0, 0], 200, HeaderFields.of(["grpc-status", "13"]))],
  ] as const)
    test(name, () => assert.equal(given.kind, "failed"));
});
