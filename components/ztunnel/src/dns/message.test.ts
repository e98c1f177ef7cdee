import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import packet from "dns-packet";
import fc from "fast-check";
import {
  answerLimit,
  type DnsQuery,
  encodeAnswer,
  encodeError,
  isAnswerTo,
  readQuery,
  withId,
} from "./message.ts";
import { parseNameservers } from "./resolv-conf.ts";
import { FrameReader, frame } from "./tcp-framing.ts";

function ask(given: Partial<packet.Packet> = {}): Buffer {
  return packet.encode({
    type: "query",
    id: 7,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type: "A", name: "Web.Demo" }],
    ...given,
  });
}
function query(bytes: Uint8Array): DnsQuery {
  const read = readQuery(bytes);
  assert.ok(read.kind === "query");
  return read.query;
}

test("a query is read once, in lower case", () => {
  assert.deepEqual(query(ask()), {
    id: 7,
    name: "web.demo",
    rawName: "Web.Demo",
    type: "A",
    recursionDesired: true,
    ednsBytes: undefined,
  });
});

const badCounts = ask();
badCounts.writeUInt16BE(2, 4);
for (const [name, bytes, want] of [
  ["nothing", Buffer.alloc(0), "ignore"],
  ["half a header", Buffer.alloc(11), "ignore"],
  ["an answer", ask({ type: "response" }), "ignore"],
  ["an update", ask({ flags: 5 << 11 }), "NOTIMP"],
  ["no question", ask({ questions: [] }), "FORMERR"],
  [
    "two questions",
    ask({
      questions: [
        { type: "A", name: "a" },
        { type: "A", name: "b" },
      ],
    }),
    "FORMERR",
  ],
  ["fewer questions than it says", badCounts, "FORMERR"],
  ["a question cut short", ask().subarray(0, 20), "FORMERR"],
  [
    "a name that points at itself",
    Buffer.concat([ask().subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
    "FORMERR",
  ],
] as const)
  test(`readQuery: ${name}`, () => {
    const read = readQuery(bytes);
    assert.equal(read.kind === "bad" ? read.code : read.kind, want);
  });

test("noise never throws, and is answered in kind or not at all", () => {
  const mutated = fc
    .tuple(fc.nat(40), fc.nat(255))
    .map(([at, value]) => Buffer.from(ask().map((byte, index) => (index === at ? value : byte))));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
      const read = readQuery(bytes);
      if (read.kind === "query")
        packet.decode(Buffer.from(encodeError(read.query.id, "SERVFAIL", read.query)));
      isAnswerTo(bytes, 7, query(ask()));
    }),
    { numRuns: 3000 },
  );
});

const decode = (bytes: Uint8Array): packet.DecodedPacket => packet.decode(Buffer.from(bytes));

test("an answer carries the name as it was asked", () => {
  const answer = decode(encodeAnswer(query(ask()), "web.demo", [ip("10.0.0.1")], 512));
  assert.deepEqual(
    [answer.id, (answer.flags ?? 0) & 0xf, answer.flag_aa, answer.flag_ra, answer.flag_rd],
    [7, 0, true, true, true],
  );
  assert.equal(answer.questions?.[0]?.name, "Web.Demo");
  assert.deepEqual(
    answer.answers?.map((record) => [
      record.type,
      record.name,
      "ttl" in record && record.ttl,
      "data" in record && record.data,
    ]),
    [["A", "Web.Demo", 30, "10.0.0.1"]],
  );
});

test("a name from a search domain is linked by CNAME", () => {
  const answer = decode(encodeAnswer(query(ask()), "web", [ip("10.0.0.1")], 512));
  assert.deepEqual(
    answer.answers?.map((record) => [record.type, record.name]),
    [
      ["CNAME", "Web.Demo"],
      ["A", "web"],
    ],
  );
});

test("IPv6 addresses are AAAA records", () => {
  const answer = decode(encodeAnswer(query(ask()), "web.demo", [ip("fd00::1")], 512));
  assert.deepEqual(
    answer.answers?.map((record) => [record.type, "data" in record && record.data]),
    [["AAAA", "fd00::1"]],
  );
});

test("what does not fit is cut and said to be", () => {
  const many = Array.from({ length: 200 }, (_, index) => ip(`10.0.0.${index}`));
  const cut = encodeAnswer(query(ask()), "web.demo", many, 512);
  assert.ok(cut.length <= 512);
  assert.equal(decode(cut).flag_tc, true);
  assert.ok((decode(cut).answers?.length ?? 0) > 10);
  const whole = encodeAnswer(query(ask()), "web.demo", many, 65_535);
  assert.deepEqual([decode(whole).flag_tc, decode(whole).answers?.length], [false, 200]);
});

test("EDNS is echoed, and its size bounds the answer", () => {
  const opt = (size: number): packet.Packet["additionals"] => [
    {
      type: "OPT",
      name: ".",
      udpPayloadSize: size,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ];
  const small = query(ask({ additionals: opt(100) }));
  assert.deepEqual([answerLimit(small, "udp"), answerLimit(small, "tcp")], [512, 65_535]);
  assert.equal(answerLimit(query(ask()), "udp"), 512);
  assert.equal(answerLimit(query(ask({ additionals: opt(1232) })), "udp"), 1232);
  assert.equal(answerLimit(query(ask({ additionals: opt(65_000) })), "udp"), 4096);
  const [record] =
    decode(encodeAnswer(query(ask({ additionals: opt(1232) })), "web.demo", [], 512)).additionals ?? [];
  assert.ok(record?.type === "OPT" && record.udpPayloadSize === 1232);
});

test("only an answer to the very question counts", () => {
  const wanted = query(ask());
  const answer = packet.encode({ type: "response", id: 7, questions: [{ type: "A", name: "web.demo" }] });
  assert.equal(isAnswerTo(answer, 7, wanted), true);
  assert.equal(isAnswerTo(answer, 8, wanted), false);
  assert.equal(isAnswerTo(ask(), 7, wanted), false);
  assert.equal(
    isAnswerTo(
      packet.encode({ type: "response", id: 7, questions: [{ type: "A", name: "other" }] }),
      7,
      wanted,
    ),
    false,
  );
  assert.equal(isAnswerTo(withId(answer, 9), 9, wanted), true);
});

test("messages over TCP survive any cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 50 }),
      (messages, step) => {
        const stream = Buffer.concat(messages.map(frame));
        const reader = new FrameReader();
        const got: Uint8Array[] = [];
        for (let at = 0; at < stream.length; at += step) {
          const frames = reader.push(stream.subarray(at, at + step));
          assert.ok(frames.kind === "ok");
          got.push(...frames.messages);
        }
        assert.deepEqual(
          got.map((one) => [...one]),
          messages.map((one) => [...one]),
        );
      },
    ),
  );
  assert.equal(new FrameReader().push(Buffer.from([0, 0])).kind, "bad");
});

test("name servers of resolv.conf", () => {
  const servers = parseNameservers(
    "search a\nnameserver 10.0.0.1\n nameserver\tfd00::1 # x\nnameserver nonsense\n#nameserver 1.1.1.1\nnameserver fe80::1%eth0\nnameserver 9.9.9.9",
  );
  assert.deepEqual(
    servers.map(({ ip, port }) => [ip, port]),
    [
      ["10.0.0.1", 53],
      ["fd00::1", 53],
      ["fe80::1", 53],
    ],
  );
  assert.deepEqual(parseNameservers(""), []);
});
