import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { FieldKind } from "./header-entry.ts";
import { huffmanCodes } from "./huffman.ts";

type Field = readonly [name: string, value: string];
type Fields = readonly Field[];

const LIMITS = { maxHeaderListBytes: 65_536, maxHeaderFields: 1000 };

const decoderOf = (tableBytes = 4096): HpackDecoder => new HpackDecoder(tableBytes, LIMITS);

function encode(encoder: HpackEncoder, fields: Fields): Buffer {
  encoder.begin();
  for (const [name, value] of fields) encoder.field(name, value);
  return Buffer.from(encoder.finish() ?? assert.fail("refused"));
}

/** What a block says, or why it cannot be read. */
function decode(decoder: HpackDecoder, block: Uint8Array): Fields | string {
  return decoder.decode(block) ?? decoder.fields.map(({ name, value }) => [name, value] as const);
}
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");

/** Decodes blocks in order with one decoder. */
function decodeAll(tableBytes: number, blocks: readonly string[]): (Fields | string)[] {
  const decoder = decoderOf(tableBytes);
  return blocks.map((block) => decode(decoder, hex(block)));
}

const GET: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const REQUESTS: Fields[] = [
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
const RESPONSES: Fields[] = [
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
  const decoder = decoderOf();
  assert.deepEqual(decode(decoder, block), [["a", text]]);
  assert.equal(decoder.fields[0]?.kind, FieldKind.malformed);
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
    assert.equal(typeof decoderOf().decode(hex(block)), "string");
  });
}

test("a list beyond the limit of bytes or fields is cut, and the table stays in step", () => {
  const big: Field[] = Array.from({ length: 40 }, (_, index) => [`name-${index}`, "v".repeat(60)]);
  for (const limits of [
    { maxHeaderListBytes: 1000, maxHeaderFields: 1000 },
    { maxHeaderListBytes: 60_000, maxHeaderFields: 10 },
  ]) {
    const decoder = new HpackDecoder(4096, limits);
    const encoder = new HpackEncoder();
    assert.equal(decoder.decode(encode(encoder, big)), undefined);
    assert.equal(decoder.oversized, true);
    assert.ok(decoder.fields.length < 12);
    assert.deepEqual(decode(decoder, encode(encoder, big.slice(-3))), big.slice(-3));
    assert.equal(decoder.oversized, false);
  }
});

test("a request that repeats costs a byte for each known field", () => {
  const encoder = new HpackEncoder();
  const request: Fields = [
    [":method", "GET"],
    [":authority", "10.0.0.1:8080"],
    ["user-agent", "curl/8"],
    ["x-own", "value"],
  ];
  assert.ok(encode(encoder, request).length > 30);
  assert.equal(encode(encoder, request).length, request.length);
});

const SECRETS = ["authorization", "cookie", "set-cookie", "proxy-authorization", "x-forwarded-client-cert"];
for (const name of SECRETS) {
  test(`${name} is never indexed, however often it comes`, () => {
    const encoder = new HpackEncoder();
    const decoder = decoderOf();
    for (let count = 0; count < 3; count++) {
      const block = encode(encoder, [[name, "secret"]]);
      assert.equal((block[0] ?? 0) & 0xf0, 0x10);
      assert.deepEqual(decode(decoder, block), [[name, "secret"]]);
    }
  });
}

test("a name whose values never repeat stops filling the table, and comes back when they do", () => {
  const encoder = new HpackEncoder();
  const literal = (): boolean => {
    const first = encode(encoder, [["x-user", String(Math.random())]])[0] ?? 0;
    return (first & 0xf0) === 0;
  };
  assert.equal(Array.from({ length: 16 }, literal).includes(true), false);
  assert.equal(Array.from({ length: 16 }, literal).every(Boolean), true);
  for (let count = 0; count < 64; count++) encode(encoder, [["x-user", "steady"]]);
  assert.equal(encode(encoder, [["x-user", "steady"]]).length, 1);
});

test("thousands of names and values in one connection keep encoder and decoder in step", () => {
  const encoder = new HpackEncoder();
  const decoder = decoderOf();
  for (let count = 0; count < 2000; count++) {
    const fields: Fields = [
      [`x-name-${count % 700}`, `value-${count % 3}`],
      ["accept", `type/${count % 5}`],
    ];
    assert.deepEqual(decode(decoder, encode(encoder, fields)), fields);
  }
});

const DROPPED: readonly Field[] = [
  ["connection", "close"],
  ["transfer-encoding", "chunked"],
  ["upgrade", "websocket"],
  ["host", "a"],
  ["te", "gzip"],
];
for (const [name, value] of DROPPED) {
  test(`the encoder leaves out ${JSON.stringify(name)}: ${value}`, () => {
    assert.equal(encode(new HpackEncoder(), [[name, value]]).length, 0);
  });
}

const LONG = "long ".repeat(20);
const REFUSED: readonly Field[] = [
  ["Upper", "a"],
  ["", "a"],
  ["a b", "c"],
  ["a\r\nb", "c"],
  ["a\0b", "c"],
  ["x\u0161", "c"],
  ["x", "a\r\nset-cookie: b"],
  ["x", "a\0b"],
  ["x", "a\x7f"],
  ["x", `${LONG}\r\nx`],
  [":path", "/\n"],
  [":status", "200\n"],
  ["authorization", "a\n"],
  // The low byte of these is LF, and a letter.
  ["x", "a\u010ab"],
  ["x", `${LONG}\u010a`],
  ["x", "\u0141dmin"],
  ["x", `${LONG}\u0141dmin`],
];
for (const [name, value] of REFUSED) {
  test(`the encoder refuses ${JSON.stringify(name)}: ${JSON.stringify(value)}, and both tables stay the same`, () => {
    const encoder = new HpackEncoder();
    const decoder = decoderOf();
    const before: Fields = [["x-before", "1"]];
    assert.deepEqual(decode(decoder, encode(encoder, before)), before);
    encoder.begin();
    encoder.field("x-lost", "1");
    encoder.field(name, value);
    encoder.field("x-after", "1");
    assert.equal(encoder.finish(), undefined);
    const after: Fields = [
      ["x-after", "1"],
      ["x-lost", "1"],
      ["x-before", "1"],
      ["x", "a\tb\xff"],
    ];
    for (let times = 0; times < 3; times++) assert.deepEqual(decode(decoder, encode(encoder, after)), after);
    assert.equal(encode(encoder, after).length, after.length);
  });
}

test("a refusal does not undo a limit that was to be announced", () => {
  const encoder = new HpackEncoder();
  const decoder = decoderOf();
  encoder.limitTable(64);
  encoder.begin();
  encoder.field("x", "\n");
  assert.equal(encoder.finish(), undefined);
  assert.deepEqual(encode(encoder, [["x-a", "1"]]).subarray(0, 3), hex("20 3f 21"));
  assert.deepEqual(decode(decoder, encode(encoder, [["x-a", "1"]])), [["x-a", "1"]]);
});

const KINDS: readonly (readonly [name: string, value: string, kind: number])[] = [
  ["x", "", FieldKind.regular],
  ["x", "a b\tc\xff", FieldKind.regular],
  ["x", " a", FieldKind.malformed],
  ["x", "a\t", FieldKind.malformed],
  ["x", "a\nb", FieldKind.malformed],
  ["x", "a\0b", FieldKind.malformed],
  ["X", "a", FieldKind.malformed],
  ["x y", "a", FieldKind.malformed],
  ["x:", "a", FieldKind.malformed],
  ["\xe4", "a", FieldKind.malformed],
  [":unknown", "a", FieldKind.malformed],
  ["connection", "a", FieldKind.connection],
  [":path", "/", FieldKind.path],
  [":path", " /", FieldKind.malformed],
];
for (const [name, value, kind] of KINDS) {
  for (const indexed of [false, true]) {
    const how = indexed ? "and from the table" : "as a literal";
    test(`${JSON.stringify(name)}: ${JSON.stringify(value)} is of kind ${kind} ${how}`, () => {
      const decoder = decoderOf();
      const string = (text: string): Buffer =>
        Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
      const literal = Buffer.concat([Buffer.from([indexed ? 0x40 : 0]), string(name), string(value)]);
      assert.equal(decoder.decode(literal), undefined);
      assert.deepEqual([decoder.fields[0]?.kind, decoder.fields[0]?.value], [kind, value]);
      if (!indexed) return;
      assert.equal(decoder.decode(hex("be")), undefined);
      assert.equal(decoder.fields[0]?.kind, kind);
      // Its name alone, with a proper value, is judged anew.
      assert.equal(decoder.decode(hex("7e 01 61")), undefined);
      const proper = value === "" || value === "/" || kind !== FieldKind.malformed;
      if (!proper && (name === "x" || name === ":path"))
        assert.notEqual(decoder.fields[0]?.kind, FieldKind.malformed);
    });
  }
}

test("property: what is encoded is decoded, over many blocks and changing table limits", () => {
  const field = fc.tuple(
    fc.constantFrom(":authority", "accept", "baggage", "cookie", "forwarded", "x", "y".repeat(50)),
    fc.oneof(
      fc.constantFrom("a", "b", "c".repeat(300), "d".repeat(5000)),
      fc.stringMatching(/^[ -~]{0,60}$/),
    ),
  );
  const step = fc.record({
    fields: fc.array(field, { maxLength: 8 }),
    limit: fc.option(fc.constantFrom(0, 64, 256, 4096, 65_536), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder(4096, { maxHeaderListBytes: 1e6, maxHeaderFields: 1e3 });
      for (const { fields, limit } of steps) {
        if (limit !== undefined) encoder.limitTable(limit);
        assert.deepEqual(decode(decoder, encode(encoder, fields)), fields);
      }
    }),
  );
});

test("fuzz: any bytes give a result, and no table exceeds its bound", () => {
  const decoder = new HpackDecoder(4096, { maxHeaderListBytes: 1000, maxHeaderFields: 20 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      decoder.decode(bytes);
      assert.ok(decoder.fields.length <= 20);
      assert.ok(decoder.fields.reduce((sum, field) => sum + field.bytes, 0) <= 1000);
    }),
    { numRuns: 3000 },
  );
});
