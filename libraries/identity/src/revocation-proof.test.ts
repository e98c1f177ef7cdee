import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { createTestAuthority } from "@meltemi/testkit";
import type { Certificate } from "./certificate.ts";
import type { Issuer } from "./issue.ts";
import { issueRevocationList } from "./issue-revocation-list.ts";
import {
  decodeRevocationList,
  type RevocationList,
  readRevocationFile,
  revocationListsPem,
} from "./revocation-list.ts";
import { revocationListFault } from "./revocation-proof.ts";

const authority = createTestAuthority({ intermediates: 1 });
const namesake = createTestAuthority({ intermediates: 1 });
const { root, issuer } = authority;
const known = [root.certificate, issuer.certificate];

function signedBy(one: Issuer): RevocationList {
  const life = { thisUpdateMs: Date.UTC(2026, 0), nextUpdateMs: Date.UTC(2027, 0), number: 1 };
  const list = decodeRevocationList(issueRevocationList(one, { serialNumbers: ["0A"], ...life }));
  assert.ok(list.kind === "ok");
  return list.value;
}

const forged: Issuer = { ...root, key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };
const damaged = (list: RevocationList): RevocationList => ({
  ...list,
  signed: {
    ...list.signed,
    body: Uint8Array.from(list.signed.body, (byte, at) => (at === 60 ? byte ^ 1 : byte)),
  },
});
const unnamed = (list: RevocationList): RevocationList => ({ ...list, authorityKeyIdentifier: undefined });
const limited: Certificate = { ...root.certificate, keyUsage: 0x20 };

interface Row {
  readonly name: string;
  readonly lists: readonly RevocationList[];
  readonly authorities?: readonly Certificate[];
  readonly want: RegExp | undefined;
}
const rows: readonly Row[] = [
  { name: "no list", lists: [], want: undefined },
  { name: "lists of root and intermediate", lists: [signedBy(root), signedBy(issuer)], want: undefined },
  {
    name: "of a CA that is not known",
    lists: [signedBy(namesake.issuer)],
    authorities: [root.certificate],
    want: undefined,
  },
  {
    name: "of another key under a known name, which it says",
    lists: [signedBy(namesake.root)],
    want: undefined,
  },
  {
    name: "of another key under a known name, which it does not say",
    lists: [unnamed(signedBy(namesake.root))],
    want: /^list 1 of 1: not signed by the CA that it names/,
  },
  {
    name: "without key identifier, of the second CA of that name",
    lists: [unnamed(signedBy(namesake.root))],
    authorities: [root.certificate, namesake.root.certificate],
    want: undefined,
  },
  { name: "made up", lists: [signedBy(issuer), signedBy(forged)], want: /^list 2 of 2: not signed/ },
  { name: "damaged", lists: [damaged(signedBy(issuer))], want: /^list 1 of 1: not signed/ },
  {
    name: "of a CA that may not sign lists",
    lists: [signedBy(root)],
    authorities: [limited],
    want: /without cRLSign/,
  },
];
for (const { name, lists, authorities, want } of rows)
  test(`revocation proof: ${name}`, () => {
    const fault = revocationListFault(lists, authorities ?? known);
    if (want === undefined) assert.equal(fault, undefined);
    else assert.match(fault ?? "", want);
  });

test("revocation lists written as PEM are the same lists, and nothing else of the file", () => {
  const text = `${createTestAuthority().rootPem}# a comment\n${authority.crlPem()}`;
  const before = readRevocationFile(Buffer.from(text));
  assert.ok(before.kind === "ok");
  const pem = revocationListsPem(before.value);
  assert.doesNotMatch(pem, /CERTIFICATE|comment/);
  assert.deepEqual(readRevocationFile(Buffer.from(pem)), before);
});
