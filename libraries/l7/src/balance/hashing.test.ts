import assert from "node:assert/strict";
import { test } from "node:test";
import type { HashKey } from "@meltemi/model/l7";
import fc from "fast-check";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import { hashRequest } from "./hash-key.ts";
import { remainder64, xxHash64 } from "./xxhash64.ts";

const hex = (text: string, seed = 0): string => {
  const { high, low } = xxHash64(text, seed);
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
};

/** Published values of the reference implementation. */
const vectors = [
  ["", 0, "ef46db3751d8e999"],
  ["a", 0, "d24ec4f1a98c6e5b"],
  ["abc", 0, "44bc2cf5ad770999"],
  ["xxhash", 0, "32dd38952c4bc720"],
  ["xxhash", 20141025, "b559b98d844e0635"],
  ["Nobody inspects the spammish repetition", 0, "fbcea83c8a378bf1"],
] as const;
for (const [text, seed, want] of vectors)
  test(`xxHash64 of ${JSON.stringify(text)}`, () => assert.equal(hex(text, seed), want));

const MASK = (1n << 64n) - 1n;
const P = [
  0n,
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;
const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK;
const round = (acc: bigint, lane: bigint): bigint => (rotate((acc + lane * P[2]) & MASK, 31n) * P[1]) & MASK;

/** The specification once more, in plain big integers. */
function plainXxHash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer);
  let at = 0;
  let hash: bigint = P[5];
  if (bytes.length >= 32) {
    const lanes: bigint[] = [(P[1] + P[2]) & MASK, P[2], 0n, -P[1] & MASK];
    for (; at + 32 <= bytes.length; at += 32)
      for (const [index, lane] of lanes.entries())
        lanes[index] = round(lane, view.getBigUint64(at + 8 * index, true));
    hash = [1n, 7n, 12n, 18n].reduce(
      (sum, bits, index) => (sum + rotate(lanes[index] ?? 0n, bits)) & MASK,
      0n,
    );
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P[1] + P[4]) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8)
    hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P[1] + P[4]) & MASK;
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * P[1]) & MASK), 23n) * P[2] + P[3]) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++)
    hash = (rotate(hash ^ ((BigInt(bytes[at] ?? 0) * P[5]) & MASK), 11n) * P[1]) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P[2]) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P[3]) & MASK;
  return hash ^ (hash >> 32n);
}

test("property: xxHash64 is that of the specification, and so is its remainder", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.integer({ min: 1, max: 5_000_011 }),
      (given, divisor) => {
        const bytes = Uint8Array.from(given);
        const want = plainXxHash64(bytes);
        const text = String.fromCharCode(...bytes);
        assert.equal(hex(text), want.toString(16).padStart(16, "0"));
        assert.equal(remainder64(xxHash64(text), divisor), Number(want % BigInt(divisor)));
      },
    ),
    { numRuns: 2000 },
  );
});

const cookie = (given: Partial<Extract<HashKey, { kind: "cookie" }>>): HashKey => ({
  kind: "cookie",
  name: "user",
  path: "",
  attributes: [],
  ...given,
});
const made = "0".repeat(16);
const keys: readonly {
  name: string;
  key: HashKey;
  request: SampleRequest;
  of: string | undefined;
  setCookie?: string;
}[] = [
  {
    name: "http header",
    key: { kind: "header", name: "X-User" },
    request: { headers: { "x-user": "anna" } },
    of: "anna",
  },
  {
    name: "http header that is not there",
    key: { kind: "header", name: "x-user" },
    request: {},
    of: undefined,
  },
  {
    name: "query param",
    key: { kind: "queryParam", name: "user" },
    request: { path: "/?a=b&user=anna" },
    of: "anna",
  },
  {
    name: "query param without value",
    key: { kind: "queryParam", name: "user" },
    request: { path: "/?user" },
    of: undefined,
  },
  { name: "source ip", key: { kind: "sourceIp" }, request: {}, of: "10.0.0.1" },
  {
    name: "http cookie",
    key: cookie({}),
    request: { headers: { cookie: "a=b; user=anna; user=bert" } },
    of: "anna",
  },
  {
    name: "http cookie in quotes",
    key: cookie({ ttlMs: 0 }),
    request: { headers: { cookie: 'user="anna"' } },
    of: "anna",
  },
  {
    name: "http cookie without ttl",
    key: cookie({}),
    request: { headers: { cookie: "usher=anna" } },
    of: undefined,
  },
  {
    name: "http cookie with ttl",
    key: cookie({
      ttlMs: 3_600_000,
      path: "/a",
      attributes: [
        ["SameSite", "Strict"],
        ["Secure", ""],
      ],
    }),
    request: {},
    of: made,
    setCookie: `user="${made}"; Max-Age=3600; Path=/a; SameSite=Strict; Secure; HttpOnly`,
  },
  {
    name: "http cookie whose attributes would end the header",
    key: cookie({ ttlMs: 0, attributes: [["Secure\r\nx-injected", "1"]] }),
    request: {},
    of: made,
  },
  {
    name: "http cookie of the session",
    key: cookie({ ttlMs: 0 }),
    request: { headers: { cookie: "user=" } },
    of: made,
    setCookie: `user="${made}"; HttpOnly`,
  },
];
for (const { name, key, request, of, setCookie } of keys)
  test(`consistent-hash: ${name}`, () => {
    const got = hashRequest(key, sampleRequest(request), () => 0);
    assert.deepEqual(got.hash, of === undefined ? undefined : xxHash64(of));
    assert.equal(got.setCookie, setCookie);
  });
