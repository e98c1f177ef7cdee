import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodePod, encodeAddressKey, encodeOwnAddress, encodePod, type PodEntry } from "./capture-maps.ts";

const ENTRY: PodEntry = {
  netnsCookie: 7n,
  uid: "a-1",
  captureDns: true,
  captureInbound: false,
  leaving: false,
};

test("a pod's entry has the layout of bpf/capture.h", () => {
  const value = encodePod(ENTRY);
  assert.equal(value.length, 72);
  assert.equal(value.toString("hex", 0, 12), "0100000000000000612d3100");
});

test("an IPv4 address is stored in its mapped form, under its namespace", () => {
  const key = encodeAddressKey(0x0102n, "10.0.0.1");
  assert.equal(key.toString("hex"), "020100000000000000000000000000000000ffff0a000001");
});

for (const { addresses, want } of [
  { addresses: [], want: "0".repeat(64) },
  { addresses: ["10.0.0.1", "10.0.0.2"], want: `00000000000000000000ffff0a000001${"0".repeat(32)}` },
  {
    addresses: ["fd00::2", "10.0.0.1", "fd00::1"],
    want: "00000000000000000000ffff0a000001fd000000000000000000000000000002",
  },
])
  test(`a pod with the addresses ${addresses.join(", ") || "(none)"} is known by the first of each family`, () => {
    assert.equal(encodeOwnAddress(addresses).toString("hex"), want);
  });

test("every entry survives the way to the kernel's form and back", () => {
  const uid = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
  const entry = fc.record(
    {
      netnsCookie: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      uid,
      captureDns: fc.boolean(),
      captureInbound: fc.boolean(),
      leaving: fc.boolean(),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(entry, (one) => assert.deepEqual(decodePod(one.netnsCookie, encodePod(one)), one)));
});

for (const uid of ["", "x".repeat(64), 'a"; flush ruleset', "a b", "ä"])
  test(`encodePod refuses the uid ${JSON.stringify(uid)}`, () => {
    assert.throws(() => encodePod({ ...ENTRY, uid }), { code: "INPUT_INVALID" });
  });
