import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type DerReader, decodeDer, TAG } from "./der-reader.ts";
import {
  readBoolean,
  readInteger,
  readNamedBits,
  readObjectIdentifier,
  readSmallInteger,
  readTime,
} from "./der-values.ts";
import * as write from "./der-writer.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const sequenceOf = (reader: DerReader): number => reader.read(TAG.sequence, "it").content.length;

const refusals = [
  { name: "nothing", hex: "", why: /it: missing/ },
  { name: "another tag", hex: "3100", why: /tag 0x31, expected 0x30/ },
  { name: "no length", hex: "30", why: /cut short/ },
  { name: "indefinite length", hex: "30800000", why: /indefinite length/ },
  { name: "reserved length", hex: "30ff", why: /length of 127 bytes/ },
  { name: "length of five bytes", hex: "30850000000001", why: /length of 5 bytes/ },
  { name: "long form for a short length", hex: "30810100", why: /shortest form/ },
  { name: "leading zero in a length", hex: `30820080${"00".repeat(128)}`, why: /shortest form/ },
  { name: "more promised than sent", hex: "300500", why: /length 5, but 1 bytes are left/ },
  { name: "four gigabytes promised", hex: "3084ffffffff", why: /bytes are left/ },
  { name: "bytes after the end", hex: "300000", why: /1 bytes too many/ },
] as const;
for (const c of refusals)
  test(`decodeDer refuses ${c.name}`, () => {
    const got = decodeDer(bytes(c.hex), 1024, sequenceOf);
    assert.equal(got.kind, "bad");
    assert.match(got.kind === "bad" ? got.why : "", c.why);
  });

test("decodeDer refuses more bytes than allowed, tags of several bytes, and bottomless nesting", () => {
  assert.equal(decodeDer(bytes("30020500"), 3, sequenceOf).kind, "bad");
  assert.equal(decodeDer(bytes("1f8101 00"), 64, (reader) => reader.any("it")).kind, "bad");
  let nested = write.sequence();
  for (let depth = 0; depth < 40; depth++) nested = write.sequence(nested);
  const dive = (reader: DerReader): number =>
    reader.done ? 0 : 1 + dive(reader.enter(TAG.sequence, "level"));
  const got = decodeDer(nested, 1024, dive);
  assert.deepEqual(got, { kind: "bad", why: "nested deeper than 16 levels" });
});

const valueRefusals = [
  { name: "empty integer", hex: "0200", read: readInteger },
  { name: "padded integer", hex: "02020001", read: readInteger },
  { name: "padded negative integer", hex: "0202ff80", read: readInteger },
  { name: "negative small integer", hex: "0201ff", read: readSmallInteger },
  { name: "small integer of five bytes", hex: "02050100000000", read: readSmallInteger },
  { name: "boolean that is neither", hex: "010101", read: readBoolean },
  { name: "boolean of two bytes", hex: "0102ffff", read: readBoolean },
  { name: "empty object identifier", hex: "0600", read: readObjectIdentifier },
  { name: "object identifier cut short", hex: "06022a86", read: readObjectIdentifier },
  { name: "padded object identifier", hex: "06032a8001", read: readObjectIdentifier },
  {
    name: "object identifier with a giant arc",
    hex: `060b2a${"ff".repeat(9)}7f`,
    read: readObjectIdentifier,
  },
  { name: "bit string with nine unused bits", hex: "03020900", read: readNamedBits },
  { name: "bit string with unused bits of nothing", hex: "030101", read: readNamedBits },
  { name: "30 February", hex: `170d${Buffer.from("240230000000Z").toString("hex")}`, read: readTime },
  {
    name: "time with fractions",
    hex: `1810${Buffer.from("20240101000000.Z").toString("hex")}`,
    read: readTime,
  },
  { name: "local time", hex: `170c${Buffer.from("240101000000").toString("hex")}`, read: readTime },
  { name: "text for a time", hex: "0c0161", read: readTime },
] as const;
for (const c of valueRefusals)
  test(`refused: ${c.name}`, () => {
    assert.equal(decodeDer<unknown>(bytes(c.hex), 64, (reader) => c.read(reader, "it")).kind, "bad");
  });

test("object identifiers, integers and times come back as written", () => {
  for (const oid of ["2.5.29.17", "1.2.840.10045.4.3.2", "2.999.1", "0.9.2342.19200300.100.1.25"])
    assert.deepEqual(
      decodeDer(write.objectIdentifier(oid), 64, (reader) => readObjectIdentifier(reader, "it")),
      { kind: "ok", value: oid },
    );
  fc.assert(
    fc.property(fc.integer({ min: -600_000_000, max: 8_000_000_000 }), (seconds) => {
      const read = decodeDer(write.time(seconds * 1000), 64, (reader) => readTime(reader, "it"));
      assert.deepEqual(read, { kind: "ok", value: seconds * 1000 });
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (value) => {
      const read = decodeDer(write.unsignedInteger(value), 64, (reader) => readInteger(reader, "it"));
      assert.equal(read.kind, "ok");
      const plain = (source: Uint8Array): string =>
        Buffer.from(source)
          .toString("hex")
          .replace(/^(00)+/, "");
      if (read.kind === "ok") assert.equal(plain(read.value), plain(value));
    }),
  );
  for (let bits = 0; bits < 256; bits++)
    assert.deepEqual(
      decodeDer(write.namedBits(bits), 64, (reader) => readNamedBits(reader, "it")),
      {
        kind: "ok",
        value: bits,
      },
    );
});

test("fuzz: any bytes give a result, never an exception", () => {
  const walk = (reader: DerReader): void => {
    while (!reader.done) {
      const found = reader.any("it");
      if (found.tag & 0x20) walk(reader.within(found));
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
      assert.ok(["ok", "bad"].includes(decodeDer(input, 4096, walk).kind));
    }),
    { numRuns: 2000 },
  );
});
