import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  cidr,
  cidrContains,
  formatCidr,
  formatSocketAddress,
  ip,
  ipBytes,
  ipFromBytes,
  isLoopback,
  parseCidr,
  parseIp,
  parseSocketAddress,
} from "./address.ts";

const ADDRESSES: readonly (readonly [text: string, want: string | undefined])[] = [
  ["10.0.0.1", "10.0.0.1"],
  ["255.255.255.255", "255.255.255.255"],
  ["256.0.0.1", undefined],
  ["10.0.0", undefined],
  ["10.0.0.1.2", undefined],
  ["010.0.0.1", undefined],
  ["10.0.0.1 ", undefined],
  ["10.0.0.-1", undefined],
  ["", undefined],
  ["localhost", undefined],
  ["::", "::"],
  ["::1", "::1"],
  ["FD00::A", "fd00::a"],
  ["fd00:0:0:0:0:0:0:1", "fd00::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::ffff:0a00:0001", "10.0.0.1"],
  ["::10.0.0.1", "::a00:1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:192.0.2.33", "1:2:3:4:5:6:c000:221"],
  [":", undefined],
  [":::", undefined],
  ["1::2::3", undefined],
  ["1:2:3:4:5:6:7", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["1:2:3:4::5:6:7:8", undefined],
  ["1:2:3:4:5:6:7:192.0.2.33", undefined],
  ["192.0.2.33::1", undefined],
  ["::1.2.3", undefined],
  ["12345::", undefined],
  ["g::", undefined],
  ["fe80::1%eth0", undefined],
  ["1:", undefined],
];
for (const [text, want] of ADDRESSES)
  test(`parseIp ${JSON.stringify(text)} → ${want}`, () => assert.equal(parseIp(text), want));

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const zeroRuns = fc
  .tuple(bytes16, fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 16 }))
  .map(([bytes, a, b]) => bytes.fill(0, Math.min(a, b), Math.max(a, b)));

test("bytes and text of an address round-trip", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), bytes16, zeroRuns), (bytes) => {
      const address = ipFromBytes(bytes);
      assert.ok(address !== undefined);
      assert.equal(parseIp(address), address);
      assert.equal(ipFromBytes(ipBytes(address)), address);
      const mapped = bytes.length === 16 && !address.includes(":");
      assert.deepEqual([...ipBytes(address)], [...(mapped ? bytes.subarray(12) : bytes)]);
    }),
  );
});

test("every spelling of an IPv6 address gives one text", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const address = parseIp(text);
      assert.ok(address !== undefined, text);
      assert.equal(parseIp(text.toUpperCase()), address);
      assert.equal(new URL(`http://[${text}]/`).hostname.includes("["), true);
    }),
  );
});

test("the canonical text is that of the URL standard", () => {
  fc.assert(
    fc.property(zeroRuns, (bytes) => {
      const address = ipFromBytes(bytes) ?? "";
      fc.pre(address.includes(":"));
      assert.equal(new URL(`http://[${address}]/`).hostname, `[${address}]`);
    }),
  );
});

test("no text makes the parsers throw, and what they take is canonical", () => {
  const noise = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./[\]]{0,40}$/));
  fc.assert(
    fc.property(noise, (text) => {
      const address = parseIp(text);
      if (address !== undefined) assert.equal(parseIp(address), address);
      parseCidr(text);
      const socket = parseSocketAddress(text);
      if (socket !== undefined) assert.deepEqual(parseSocketAddress(formatSocketAddress(socket)), socket);
    }),
    { numRuns: 2000 },
  );
});

test("bytes of a wrong length are no address", () => {
  for (const length of [0, 3, 5, 15, 17]) assert.equal(ipFromBytes(new Uint8Array(length)), undefined);
});

test("ip throws for what is no address", () => assert.throws(() => ip("nonsense"), /not an IPv4 or IPv6/));

for (const [text, want] of [
  ["127.0.0.1", true],
  ["127.255.0.3", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["128.0.0.1", false],
  ["::", false],
] as const)
  test(`isLoopback ${text}`, () => assert.equal(isLoopback(ip(text)), want));

for (const [text, want] of [
  ["10.0.0.1:80", "10.0.0.1:80"],
  ["[fd00::1]:65535", "[fd00::1]:65535"],
  ["[::ffff:10.0.0.1]:80", "10.0.0.1:80"],
  ["10.0.0.1:0", "10.0.0.1:0"],
  ["10.0.0.1:65536", undefined],
  ["10.0.0.1", undefined],
  ["10.0.0.1:", undefined],
  ["fd00::1:80", undefined],
  ["[10.0.0.1]:80", undefined],
  ["[fd00::1]80", undefined],
  ["server.default.svc:80", undefined],
] as const)
  test(`parseSocketAddress ${text} → ${want}`, () => {
    const parsed = parseSocketAddress(text);
    assert.equal(parsed === undefined ? undefined : formatSocketAddress(parsed), want);
  });

for (const [network, address, want] of [
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["10.0.0.1", "10.0.0.1", true],
  ["10.0.0.1", "10.0.0.2", false],
  ["10.0.0.128/25", "10.0.0.200", true],
  ["10.0.0.128/25", "10.0.0.100", false],
  ["0.0.0.0/0", "1.2.3.4", true],
  ["0.0.0.0/0", "fd00::1", false],
  ["::/0", "fd00::1", true],
  ["::/0", "1.2.3.4", false],
  ["fd00:1::/33", "fd00:1:7fff::", true],
  ["fd00:1::/33", "fd00:1:8000::", false],
  ["::ffff:10.0.0.0/104", "10.1.2.3", true],
] as const)
  test(`${network} contains ${address}: ${want}`, () => {
    const parsed = parseCidr(network);
    assert.ok(parsed !== undefined);
    assert.equal(cidrContains(parsed, ip(address)), want);
  });

for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "fd00::/129", "x/8", "/8"])
  test(`parseCidr refuses ${text}`, () => assert.equal(parseCidr(text), undefined));

test("a network keeps no host bits and prints as it parses", () => {
  assert.equal(
    formatCidr(parseCidr("10.1.2.3/8") ?? { bytes: new Uint8Array(), prefixLength: 0 }),
    "10.0.0.0/8",
  );
  fc.assert(
    fc.property(bytes16, fc.integer({ min: 0, max: 128 }), (bytes, length) => {
      const network = cidr(bytes, length);
      assert.ok(network !== undefined);
      assert.deepEqual(parseCidr(formatCidr(network)), network);
    }),
  );
  assert.equal(cidr(new Uint8Array(4), 1.5), undefined);
});
