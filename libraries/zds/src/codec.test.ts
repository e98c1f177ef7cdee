import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeAnswer,
  decodeHello,
  decodeRequest,
  encodeAnswer,
  encodeHello,
  encodeRequest,
  type ReceivedPacket,
  type ZdsRequest,
} from "./codec.ts";

const packet = (bytes: Uint8Array, fds: readonly number[] = [], truncated = false): ReceivedPacket => ({
  bytes,
  fds,
  truncated,
});
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");
const WORKLOAD = { name: "a", namespace: "b", serviceAccount: "c" };

// Written down from zds.proto by hand: field 2 of DelWorkload and field 5 of keep are easy to get wrong.
const GOLDEN: readonly { request: ZdsRequest; bytes: string; fds: readonly number[] }[] = [
  {
    request: { kind: "add", uid: "u", workload: WORKLOAD },
    bytes: "0a0e 0a0175 1209 0a0161 120162 1a0163",
    fds: [7],
  },
  { request: { kind: "del", uid: "u" }, bytes: "1203 120175", fds: [] },
  { request: { kind: "snapshotSent" }, bytes: "1a00", fds: [] },
  { request: { kind: "keep", uid: "u" }, bytes: "2a03 0a0175", fds: [] },
];

for (const { request, bytes, fds } of GOLDEN)
  test(`${request.kind} has the bytes of zds.proto and is read back`, () => {
    assert.deepEqual(Buffer.from(encodeRequest(request)), Buffer.from(hex(bytes)));
    assert.deepEqual(decodeRequest(packet(hex(bytes), fds)), { kind: "ok", value: request });
  });

test("hello and answers have the bytes of zds.proto", () => {
  assert.deepEqual(Buffer.from(encodeHello()), Buffer.from(hex("0801")));
  assert.equal(decodeHello(packet(hex("0801"))).kind, "ok");
  assert.deepEqual(Buffer.from(encodeAnswer({ kind: "ack" })), Buffer.from(hex("0a00")));
  assert.deepEqual(decodeAnswer(packet(hex("0a00"))), { kind: "ok", value: { kind: "ack" } });
  const nack = { kind: "nack", why: "no" } as const;
  assert.deepEqual(decodeAnswer(packet(encodeAnswer(nack))), { kind: "ok", value: nack });
});

const REFUSED = [
  { name: "add without a descriptor", packet: packet(hex(GOLDEN[0]?.bytes ?? "")), why: /expected 1 desc/ },
  { name: "add with two descriptors", packet: packet(hex(GOLDEN[0]?.bytes ?? ""), [1, 2]), why: /got 2/ },
  { name: "del with a descriptor", packet: packet(hex("1203120175"), [1]), why: /expected 0 desc/ },
  { name: "add without workload_info", packet: packet(hex("0a030a0175"), [1]), why: /workload_info/ },
  { name: "add without a uid", packet: packet(hex("0a021200"), [1]), why: /expected a uid/ },
  { name: "keep without a uid", packet: packet(hex("2a00")), why: /expected a uid/ },
  { name: "an empty request", packet: packet(hex("")), why: /expected add/ },
  { name: "a truncated packet", packet: packet(hex("1a00"), [], true), why: /at most 1024/ },
  { name: "bytes that are no protobuf", packet: packet(hex("ffffffff")), why: /WorkloadRequest/ },
] as const;

for (const { name, packet: given, why } of REFUSED)
  test(`decodeRequest refuses ${name}`, () => {
    const decoded = decodeRequest(given);
    assert.equal(decoded.kind, "bad");
    assert.match(decoded.kind === "bad" ? decoded.why : "", why);
  });

test("a hello of another version is refused", () => {
  assert.equal(decodeHello(packet(hex("0802"))).kind, "bad");
  assert.equal(decodeHello(packet(hex(""))).kind, "bad");
});

test("a long nack still fits a packet and is valid UTF-8", () => {
  const bytes = encodeAnswer({ kind: "nack", why: "é".repeat(2000) });
  assert.ok(bytes.length <= 1024);
  const decoded = decodeAnswer(packet(bytes));
  assert.ok(decoded.kind === "ok" && decoded.value.kind === "nack");
});

test("decoders take any bytes without throwing", () => {
  const outside = fc.record({
    bytes: fc.uint8Array({ maxLength: 1024 }),
    fds: fc.array(fc.nat(100), { maxLength: 4 }),
    truncated: fc.boolean(),
  });
  fc.assert(
    fc.property(outside, (given) => {
      for (const decode of [decodeRequest, decodeAnswer, decodeHello])
        assert.ok(["ok", "bad"].includes(decode(given).kind));
    }),
  );
});

test("every request survives the way through bytes", () => {
  const text = fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" });
  const workload = fc.record(
    { name: text, namespace: text, serviceAccount: text },
    { noNullPrototype: true },
  );
  const request = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), uid: text, workload }, { noNullPrototype: true }),
    fc.record(
      { kind: fc.constantFrom("keep" as const, "del" as const), uid: text },
      { noNullPrototype: true },
    ),
  );
  fc.assert(
    fc.property(request, (value) => {
      const fds = value.kind === "add" ? [3] : [];
      assert.deepEqual(decodeRequest(packet(encodeRequest(value), fds)), { kind: "ok", value });
    }),
  );
});
