import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HeaderField, HeaderFields } from "../headers.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { huffmanCodes } from "./huffman.ts";

const LIST_LIMIT = 65_536;
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");

/** Decodes blocks in order with one decoder. */
function decodeAll(tableBytes: number, blocks: readonly string[]): HeaderFields[] {
  const decoder = new HpackDecoder(tableBytes);
  return blocks.map((block) => {
    const result = decoder.decode(hex(block), LIST_LIMIT);
    assert.equal(result.kind, "ok", JSON.stringify(result));
    return result.kind === "ok" ? result.fields : [];
  });
}

const GET: HeaderFields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const REQUESTS: HeaderFields[] = [
  GET,
  [...GET, ["cache-control", "no-cache"]],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];
const RESPONSES: HeaderFields[] = [
  [
    [":status", "302"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "307"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "200"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
    ["location", "https://www.example.com"],
    ["content-encoding", "gzip"],
    ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

test("RFC 7541 C.3: requests without Huffman", () => {
  const blocks = [
    "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    "8286 84be 5808 6e6f 2d63 6163 6865",
    "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
  ];
  assert.deepEqual(decodeAll(4096, blocks), REQUESTS);
});

test("RFC 7541 C.4: requests with Huffman", () => {
  const blocks = [
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
  ];
  assert.deepEqual(decodeAll(4096, blocks), REQUESTS);
});

test("RFC 7541 C.6: responses with Huffman and eviction from a table of 256 bytes", () => {
  const blocks = [
    "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    "4883 640e ffc1 c0bf",
    "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
  ];
  assert.deepEqual(decodeAll(256, blocks), RESPONSES);
});

test("Huffman: every symbol survives, and the codes are complete", () => {
  const codes = huffmanCodes();
  assert.equal(
    codes.reduce((sum, { bits }) => sum + 2 ** -bits, 0),
    1,
  );
  const text = Buffer.from(Uint8Array.from({ length: 256 }, (_, symbol) => symbol)).toString("latin1");
  const bits = [...Buffer.from(text, "latin1")]
    .map((symbol) => (codes[symbol]?.code ?? 0).toString(2).padStart(codes[symbol]?.bits ?? 0, "0"))
    .join("");
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  const bytes = Uint8Array.from({ length: padded.length / 8 }, (_, index) =>
    Number.parseInt(padded.slice(index * 8, index * 8 + 8), 2),
  );
  // Literal without indexing, name "a", value of more than 127 Huffman bytes.
  const length = bytes.length - 127;
  const block = Buffer.concat([
    hex("00 01 61 ff"),
    Buffer.from([(length & 0x7f) | 0x80, length >>> 7]),
    Buffer.from(bytes),
  ]);
  const result = new HpackDecoder(4096).decode(block, LIST_LIMIT);
  assert.deepEqual(result, { kind: "ok", fields: [["a", text]], oversized: false });
});

const REFUSALS: readonly (readonly [name: string, block: string])[] = [
  ["index 0", "80"],
  ["index beyond both tables", "be"],
  ["name index beyond both tables", "7f 20 01 61"],
  ["string cut short", "00 05 61 62"],
  ["no value", "00 01 61"],
  ["length that never ends", "00 7f ff ff ff ff ff ff ff ff 0f"],
  ["index that never ends", "ff ff ff ff ff ff ff ff ff ff ff 0f"],
  ["table size beyond what we announced", "3f e2 1f"],
  ["table size update after a field", "82 20"],
  ["Huffman padding of 8 bits and more", "00 01 61 82 1f ff"],
  ["Huffman padding with a zero bit", "00 01 61 81 18"],
  ["Huffman EOS", "00 01 61 84 ff ff ff ff"],
];
for (const [name, block] of REFUSALS) {
  test(`HPACK refuses: ${name}`, () => {
    assert.equal(new HpackDecoder(4096).decode(hex(block), LIST_LIMIT).kind, "bad");
  });
}

test("a list beyond the limit is cut, and the table stays in step", () => {
  const decoder = new HpackDecoder(4096);
  const encoder = new HpackEncoder();
  const big: HeaderField[] = Array.from({ length: 40 }, (_, index) => [`name-${index}`, "v".repeat(60)]);
  const result = decoder.decode(encoder.encode(big), 1000);
  assert.equal(result.kind === "ok" && result.oversized, true);
  assert.equal(result.kind === "ok" && result.fields.length < 12, true);
  const again = decoder.decode(encoder.encode(big.slice(-3)), 1000);
  assert.deepEqual(again, { kind: "ok", fields: big.slice(-3), oversized: false });
});

test("a CONNECT that repeats costs a byte for each known field", () => {
  const encoder = new HpackEncoder();
  const connect: HeaderFields = [
    [":method", "CONNECT"],
    [":authority", "10.0.0.1:8080"],
    ["baggage", "k8s.namespace.name=default"],
  ];
  assert.ok(encoder.encode(connect).length > 50);
  assert.equal(encoder.encode(connect).length, 3);
});

test("property: what is encoded is decoded, over many blocks and changing table limits", () => {
  const field = fc.tuple(
    fc.constantFrom(":authority", "baggage", "forwarded", "x", "y".repeat(50)),
    fc.oneof(fc.constantFrom("a", "b", "c".repeat(300)), fc.string({ maxLength: 40, unit: "binary-ascii" })),
  );
  const step = fc.record({
    fields: fc.array(field, { maxLength: 8 }),
    limit: fc.option(fc.constantFrom(0, 64, 256, 4096, 65_536), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder(4096);
      for (const { fields, limit } of steps) {
        if (limit !== undefined) encoder.limitTable(limit);
        assert.deepEqual(decoder.decode(encoder.encode(fields), 1e6), {
          kind: "ok",
          fields,
          oversized: false,
        });
      }
    }),
  );
});

test("fuzz: any bytes give a result", () => {
  const decoder = new HpackDecoder(4096);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const result = decoder.decode(bytes, 1000);
      assert.ok(result.kind === "ok" || result.kind === "bad");
    }),
    { numRuns: 3000 },
  );
});
