import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import { encodeGrpcMessage, grpcReplyHead, grpcStatusOf, httpStatusOf, isGrpcRequest } from "./grpc-reply.ts";

const types = [
  ["application/grpc", true],
  ["application/grpc+proto", true],
  ["application/grpc;charset=utf-8", true],
  ["application/grpc-web", false],
  ["application/grpc-web+proto", false],
  ["application/json", false],
  [undefined, false],
] as const;
for (const [type, want] of types)
  test(`isGrpcRequest: ${type}`, () => {
    const headers = type === undefined ? new HeaderFields() : HeaderFields.of(["content-type", type]);
    assert.equal(isGrpcRequest(headers), want);
  });

test("HTTP statuses as gRPC statuses", () => {
  const want = {
    400: 13,
    401: 16,
    403: 7,
    404: 12,
    429: 14,
    502: 14,
    503: 14,
    504: 14,
    500: 2,
    418: 2,
    301: 2,
  };
  for (const [status, grpc] of Object.entries(want)) assert.equal(grpcStatusOf(Number(status)), grpc, status);
});

test("gRPC statuses as HTTP statuses", () => {
  for (const [grpc, status] of [
    [0, 200],
    [14, 503],
    [16, 401],
    [5, 404],
    [99, 500],
  ] as const)
    assert.equal(httpStatusOf(grpc), status);
});

test("an answer is a head alone, and its body the message", () => {
  const reply = {
    status: 403,
    body: "RBAC: access denied",
    headers: [["x-a", "1"]],
    flag: "",
    details: "",
  } as const;
  assert.deepEqual(grpcReplyHead(reply), {
    status: 200,
    headers: HeaderFields.of(
      ["content-type", "application/grpc"],
      ["x-a", "1"],
      ["grpc-status", "7"],
      ["grpc-message", "RBAC: access denied"],
    ),
  });
});

test("a status of its own stands, and no empty message is sent", () => {
  const reply = {
    status: 200,
    body: "",
    headers: [
      ["grpc-status", "8"],
      ["content-type", "text/plain"],
    ],
    flag: "",
    details: "",
  } as const;
  assert.deepEqual(grpcReplyHead(reply).headers.flat, [
    "content-type",
    "application/grpc",
    "grpc-status",
    "8",
  ]);
});

test("messages are percent-encoded UTF-8", () => {
  assert.equal(encodeGrpcMessage("100% é\r\n~"), "100%25 %C3%A9%0D%0A~");
});
