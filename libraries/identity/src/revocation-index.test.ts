import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { createTestAuthority, type TestAuthority } from "@meltemi/testkit";
import type { Certificate } from "./certificate.ts";
import { issueRevocationList } from "./issue-revocation-list.ts";
import { createRevocationIndex, type PeerChain, type RevocationIndex } from "./revocation-index.ts";
import { decodeRevocationList, type RevocationList, readRevocationFile } from "./revocation-list.ts";
import type { WorkloadCertificate } from "./workload-certificate.ts";

const YEAR_MS = 365 * 24 * 3_600_000;
const LIFE = { thisUpdateMs: Date.UTC(2026, 0), nextUpdateMs: Date.UTC(2027, 0), number: 1 };

const chainOf = ({ leaf, intermediates, roots }: WorkloadCertificate): PeerChain => ({
  der: [leaf, ...intermediates].map(({ der }) => der),
  roots,
});

function listsOf(text: string): readonly RevocationList[] {
  const lists = readRevocationFile(Buffer.from(text));
  assert.ok(lists.kind === "ok", lists.kind === "bad" ? lists.why : "");
  return lists.value;
}

const indexOf = (...authorities: readonly TestAuthority[]): RevocationIndex =>
  createRevocationIndex(authorities.flatMap((one) => listsOf(one.crlPem())));

const signList = (issuer: TestAuthority["issuer"], ...revoked: readonly Certificate[]): RevocationList => {
  const serialNumbers = revoked.map(({ serialNumber }) => serialNumber);
  const list = decodeRevocationList(issueRevocationList(issuer, { ...LIFE, serialNumbers }));
  assert.ok(list.kind === "ok");
  return list.value;
};

interface Row {
  readonly name: string;
  readonly intermediates: number;
  readonly revoke: (authority: TestAuthority, mine: WorkloadCertificate, other: WorkloadCertificate) => void;
  readonly want: "good" | "revoked";
}

const rows: readonly Row[] = [
  { name: "nobody is listed", intermediates: 0, revoke: () => undefined, want: "good" },
  {
    name: "another leaf of the same issuer is listed",
    intermediates: 0,
    revoke: (authority, _, other) => authority.revoke(other.leaf),
    want: "good",
  },
  {
    name: "the leaf is listed by the root",
    intermediates: 0,
    revoke: (authority, { leaf }) => authority.revoke(leaf),
    want: "revoked",
  },
  {
    name: "the leaf is listed by its intermediate",
    intermediates: 1,
    revoke: (authority, { leaf }) => authority.revoke(leaf),
    want: "revoked",
  },
  {
    name: "the intermediate is listed by the root",
    intermediates: 1,
    revoke: (authority, { intermediates: [issuer] }) => authority.revoke(issuer as Certificate),
    want: "revoked",
  },
  {
    name: "the upper of three intermediates is listed",
    intermediates: 3,
    revoke: (authority, { intermediates }) => authority.revoke(intermediates[2] as Certificate),
    want: "revoked",
  },
  {
    name: "the root lists itself",
    intermediates: 1,
    revoke: (authority) => authority.revoke(authority.root.certificate),
    want: "revoked",
  },
];
for (const row of rows)
  test(`revocation index: ${row.name}`, () => {
    const authority = createTestAuthority({ intermediates: row.intermediates });
    const mine = authority.issue("default/mine");
    row.revoke(authority, mine, authority.issue("default/other"));
    assert.equal(indexOf(authority).judge(chainOf(mine)).kind, row.want);
  });

test("revocation index: the verdict names the certificate that is revoked", () => {
  const authority = createTestAuthority({ intermediates: 2 });
  const mine = authority.issue("default/mine");
  authority.revoke(mine.intermediates[1] as Certificate);
  const verdict = indexOf(authority).judge(chainOf(mine));
  assert.ok(verdict.kind === "revoked");
  assert.equal(verdict.certificate.serialNumber, mine.intermediates[1]?.serialNumber);
});

test("revocation index: without lists every chain is good, unread", () => {
  assert.deepEqual(createRevocationIndex([]).judge({ der: [Uint8Array.of(1)], roots: [] }), { kind: "good" });
});

test("revocation index: two issuers of one name revoke their own certificates alone", () => {
  const [one, two] = [createTestAuthority(), createTestAuthority()];
  assert.deepEqual(one.root.certificate.subject, two.root.certificate.subject);
  const mine = one.issue("default/mine", { trust: [one, two] });
  assert.equal(createRevocationIndex([signList(two.root, mine.leaf)]).judge(chainOf(mine)).kind, "good");
  assert.equal(createRevocationIndex([signList(one.root, mine.leaf)]).judge(chainOf(mine)).kind, "revoked");
  const both = createRevocationIndex([signList(two.root, mine.leaf), signList(one.root, mine.leaf)]);
  assert.equal(both.judge(chainOf(mine)).kind, "revoked");
});

test("revocation index: a list under the issuer's name and another key counts for nobody", () => {
  const authority = createTestAuthority();
  const mine = authority.issue("default/mine");
  const forged = { ...authority.root, key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };
  assert.equal(createRevocationIndex([signList(forged, mine.leaf)]).judge(chainOf(mine)).kind, "good");
});

test("revocation index: the issuer's issuer cannot list the leaf, by whatever serial number", () => {
  const authority = createTestAuthority({ intermediates: 1 });
  const mine = authority.issue("default/mine");
  assert.equal(
    createRevocationIndex([signList(authority.root, mine.leaf)]).judge(chainOf(mine)).kind,
    "good",
  );
});

test("revocation index: a CA that may not sign lists revokes nobody", () => {
  const authority = createTestAuthority();
  const mine = authority.issue("default/mine");
  const list = signList(authority.root, mine.leaf);
  const limited = { ...authority.root.certificate, keyUsage: 0x20 };
  const index = createRevocationIndex([list]);
  assert.equal(index.judge({ ...chainOf(mine), roots: [limited] }).kind, "good");
});

test("revocation index: strangers that the peer presents besides hide nothing", () => {
  const authority = createTestAuthority({ intermediates: 1 });
  const mine = authority.issue("default/mine");
  authority.revoke(mine.intermediates[0] as Certificate);
  const [leaf, ...issuers] = chainOf(mine).der as [Uint8Array, ...Uint8Array[]];
  const stranger = createTestAuthority({ intermediates: 1 }).issue("default/stranger");
  const der = [leaf, ...chainOf(stranger).der, ...issuers];
  assert.equal(indexOf(authority).judge({ der, roots: mine.roots }).kind, "revoked");
});

test("revocation index: an intermediate that is trusted and not presented is judged too", () => {
  const authority = createTestAuthority({ intermediates: 1 });
  const mine = authority.issue("default/mine");
  authority.revoke(mine.intermediates[0] as Certificate);
  const chain = { der: [mine.leaf.der], roots: [...mine.roots, ...mine.intermediates] };
  assert.equal(indexOf(authority).judge(chain).kind, "revoked");
});

test("revocation index: what cannot be read is untracked, and what can be is still judged", () => {
  const authority = createTestAuthority();
  const mine = authority.issue("default/mine");
  const junk = Uint8Array.of(0x30, 0);
  authority.revoke(authority.issue("default/other").leaf);
  const { der, roots } = chainOf(mine);
  assert.equal(indexOf(authority).judge({ der: [...der, junk], roots }).kind, "untracked");
  assert.equal(indexOf(authority).judge({ der: [], roots }).kind, "untracked");
  authority.revoke(mine.leaf);
  assert.equal(indexOf(authority).judge({ der: [...der, junk], roots }).kind, "revoked");
});

test("revocation index: one among 100 000", () => {
  const authority = createTestAuthority({ nowMs: Date.UTC(2026, 5) });
  const [mine, other] = [authority.issue("default/mine"), authority.issue("default/other")];
  const serialNumbers = Array.from({ length: 100_000 }, (_, index) =>
    (2n ** 126n + BigInt(index)).toString(16).toUpperCase(),
  );
  serialNumbers[77_777] = mine.leaf.serialNumber;
  const life = { thisUpdateMs: 0, nextUpdateMs: YEAR_MS, number: 1 };
  const list = decodeRevocationList(issueRevocationList(authority.root, { serialNumbers, ...life }));
  assert.ok(list.kind === "ok");
  const index = createRevocationIndex([list.value]);
  assert.equal(index.size, 100_000);
  assert.deepEqual([index.judge(chainOf(mine)).kind, index.judge(chainOf(other)).kind], ["revoked", "good"]);
});
