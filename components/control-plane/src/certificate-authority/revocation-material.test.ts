import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { type Issuer, issueRevocationList, writePem } from "@meltemi/identity";
import { createTestAuthority } from "@meltemi/testkit";
import { readRevocationMaterial } from "./revocation-material.ts";

const authority = createTestAuthority({ intermediates: 1 });
const authorities = [authority.root.certificate, authority.issuer.certificate];
const good = authority.crlPem();

function listPem(issuer: Issuer, entries: number): string {
  const serialNumbers = Array.from({ length: entries }, (_, index) =>
    (2n ** 126n + BigInt(index)).toString(16),
  );
  const life = { thisUpdateMs: Date.UTC(2026, 0), nextUpdateMs: Date.UTC(2027, 0) };
  return writePem(issueRevocationList(issuer, { serialNumbers, number: 1, ...life }), "X509 CRL");
}
const forged = { ...authority.issuer, key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };
const otherCluster = listPem(createTestAuthority({ intermediates: 1 }).issuer, 1);
const key = authority.root.key.export({ format: "pem", type: "pkcs8" }).toString();

const rows: readonly {
  readonly name: string;
  readonly text: string | undefined;
  readonly want: string | RegExp;
}[] = [
  { name: "no key in the Secret", text: undefined, want: "" },
  { name: "a blank text", text: " \n", want: "" },
  { name: "lists of root and intermediate", text: good, want: good },
  {
    name: "a list of another cluster's intermediate",
    text: `${good}${otherCluster}`,
    want: `${good}${otherCluster}`,
  },
  { name: "a private key beside the lists, which stays behind", text: `${key}${good}`, want: good },
  { name: "nonsense", text: "nonsense", want: /no PEM block X509 CRL/ },
  { name: "a list cut short", text: good.replace(/\n[^\n]+\n-----END/, "\n-----END"), want: /list 1 of 2/ },
  {
    name: "a list by another key",
    text: `${good}${listPem(forged, 1)}`,
    want: /list 3 of 3: not signed by the CA/,
  },
  {
    name: "more than a ConfigMap holds",
    text: listPem(authority.issuer, 26_000),
    want: /at most 1048576 fit/,
  },
];
for (const { name, text, want } of rows)
  test(`revocation lists in the Secret: ${name}`, () => {
    const read = readRevocationMaterial(text, authorities);
    if (typeof want === "string") assert.deepEqual(read, { kind: "ok", pem: want });
    else assert.match(read.kind === "refused" ? read.why : "", want);
    assert.ok(!JSON.stringify(read).includes("PRIVATE"));
  });
