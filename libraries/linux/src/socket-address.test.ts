import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeSocketAddress, encodeSocketAddress, ipBytes, ipText } from "./socket-address.ts";

const TEXTS = [
  { name: "IPv4", given: "10.0.0.1", want: "10.0.0.1" },
  { name: "all zeros", given: "0:0:0:0:0:0:0:0", want: "::" },
  { name: "the longest run is shortened", given: "2001:0:0:1:0:0:0:1", want: "2001:0:0:1::1" },
  { name: "the first of equal runs is shortened", given: "2001:db8:0:0:1:0:0:1", want: "2001:db8::1:0:0:1" },
  { name: "one zero group stays", given: "2001:db8:0:1:1:1:1:1", want: "2001:db8:0:1:1:1:1:1" },
  { name: "IPv4-mapped becomes IPv4", given: "::ffff:10.1.2.3", want: "10.1.2.3" },
] as const;

for (const { name, given, want } of TEXTS)
  test(`ipText: ${name}`, () => assert.equal(ipText(ipBytes(given)), want));

for (const refused of [
  "",
  "10.0.0",
  "10.0.0.256",
  "010.0.0.1",
  "10.0.0.1\n",
  "fe80::1%eth0",
  "host",
  "10.0.0.1\0x",
  ":::",
])
  test(`ipBytes refuses ${JSON.stringify(refused)}`, () => {
    assert.throws(() => ipBytes(refused), { code: "INPUT_INVALID" });
  });

test("encodeSocketAddress refuses a port out of range", () => {
  assert.throws(() => encodeSocketAddress({ ip: "::1", port: 65536 }), { code: "INPUT_INVALID" });
});

test("every address survives the way to the kernel's form and back", () => {
  const ip = fc.oneof(fc.ipV4(), fc.ipV6()).map((text) => ipText(ipBytes(text)));
  fc.assert(
    fc.property(ip, fc.nat(65535), (text, port) => {
      assert.deepEqual(decodeSocketAddress(encodeSocketAddress({ ip: text, port })), { ip: text, port });
    }),
  );
});

test("decodeSocketAddress takes any bytes without throwing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 32 }), (raw) => {
      decodeSocketAddress(Buffer.from(raw));
    }),
  );
});
