import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { createTemporaryFolder, createTestAuthority } from "@meltemi/testkit";
import fc from "fast-check";
import { decodeCertificates } from "./certificate.ts";
import * as write from "./der-writer.ts";
import { issueRevocationList } from "./issue-revocation-list.ts";
import { OID } from "./object-identifiers.ts";
import { writePem } from "./pem.ts";
import { createRevocationIndex } from "./revocation-index.ts";
import { decodeRevocationList, readRevocationFile } from "./revocation-list.ts";

const authority = createTestAuthority();
const serial = (text: string): Uint8Array => write.unsignedInteger(Buffer.from(text, "hex"));
const SOON = write.time(Date.UTC(2026, 3, 1));
const ALGORITHM = write.sequence(write.objectIdentifier(OID.ecdsaWithSha256));
const extension = (oid: string, critical: boolean, value: Uint8Array): Uint8Array =>
  write.sequence(
    write.objectIdentifier(oid),
    ...(critical ? [write.trueValue()] : []),
    write.octetString(value),
  );
const entry = (hex: string, ...extensions: readonly Uint8Array[]): Uint8Array =>
  write.sequence(serial(hex), SOON, ...(extensions.length > 0 ? [write.sequence(...extensions)] : []));

interface Parts {
  readonly version?: readonly Uint8Array[];
  readonly inner?: Uint8Array;
  readonly next?: readonly Uint8Array[];
  readonly entries?: readonly Uint8Array[];
  readonly extensions?: readonly Uint8Array[];
  readonly after?: readonly Uint8Array[];
}

/** Malformed at will; the signature is nobody's. */
function listOf(parts: Parts): Uint8Array {
  const entries = parts.entries ?? [entry("0A"), entry("80FF")];
  const body = write.sequence(
    ...(parts.version ?? [write.unsignedInteger(Uint8Array.of(1))]),
    parts.inner ?? ALGORITHM,
    authority.root.certificate.subject,
    SOON,
    ...(parts.next ?? [SOON]),
    write.sequence(...entries),
    ...(parts.extensions === undefined ? [] : [write.explicit(0, write.sequence(...parts.extensions))]),
    ...(parts.after ?? []),
  );
  return write.sequence(body, ALGORITHM, write.bitString(Uint8Array.of(1, 2, 3)));
}

const TRUE_AT = (number: number): Uint8Array =>
  write.sequence(write.element(0x80 | number, Uint8Array.of(0xff)));
const NULL = write.nullValue();

const taken: readonly (readonly [name: string, parts: Parts])[] = [
  ["plain", {}],
  ["without nextUpdate", { next: [] }],
  ["version 1", { version: [] }],
  [
    "with a reason, critical or not",
    { entries: [entry("0A", extension(OID.reasonCode, true, NULL)), entry("80FF")] },
  ],
  [
    "with a number and an unknown extension",
    { extensions: [extension(OID.crlNumber, false, NULL), extension("1.2.3", false, NULL)] },
  ],
  ["only CA certificates", { extensions: [extension(OID.issuingDistributionPoint, true, TRUE_AT(2))] }],
];
for (const [name, parts] of taken)
  test(`revocation list: ${name} is taken`, () => {
    const list = decodeRevocationList(listOf(parts));
    assert.ok(list.kind === "ok", list.kind === "bad" ? list.why : "");
    assert.deepEqual([...list.value.serialNumbers], ["0A", "80FF"]);
  });

const refused: readonly (readonly [name: string, parts: Parts, why: RegExp])[] = [
  ["version 3", { version: [write.unsignedInteger(Uint8Array.of(2))] }, /version: expected 2/],
  [
    "two algorithms",
    { inner: write.sequence(write.objectIdentifier(OID.ecdsaWithSha384)) },
    /differs inside/,
  ],
  ["SHA-1", { inner: write.sequence(write.objectIdentifier("1.2.840.10045.4.1")) }, /expected ECDSA or RSA/],
  ["extensions in version 1", { version: [], extensions: [] }, /not in version 1/],
  ["a delta list", { extensions: [extension(OID.deltaCrlIndicator, true, NULL)] }, /delta lists/],
  [
    "an indirect list",
    { extensions: [extension(OID.issuingDistributionPoint, true, TRUE_AT(4))] },
    /indirect lists/,
  ],
  [
    "attribute certificates",
    { extensions: [extension(OID.issuingDistributionPoint, true, TRUE_AT(5))] },
    /attribute/,
  ],
  [
    "an unknown critical extension",
    { extensions: [extension("1.2.3", true, NULL)] },
    /1\.2\.3: critical and not known/,
  ],
  [
    "an entry of another issuer",
    { entries: [entry("0A", extension(OID.certificateIssuer, true, NULL))] },
    /another issuer/,
  ],
  [
    "an unknown critical entry extension",
    { entries: [entry("0A", extension("1.2.3", true, NULL))] },
    /1\.2\.3: critical/,
  ],
  [
    "a negative serial number",
    { entries: [write.sequence(write.element(2, Uint8Array.of(0x80)), SOON)] },
    /negative/,
  ],
  ["an entry without a date", { entries: [write.sequence(serial("0A"))] }, /revocation date/],
  ["bytes after the body", { after: [NULL] }, /too many at its end/],
];
for (const [name, parts, why] of refused)
  test(`revocation list: ${name} is refused`, () => {
    const list = decodeRevocationList(listOf(parts));
    assert.ok(list.kind === "bad");
    assert.match(list.why, why);
  });

test("revocation list: more entries than there is room for", () => {
  assert.equal(decodeRevocationList(listOf({}), 2).kind, "ok");
  const full = decodeRevocationList(listOf({}), 1);
  assert.ok(full.kind === "bad" && /more entries than the 1/.test(full.why));
});

test("revocation file: PEM blocks one after another, or one DER", () => {
  const der = listOf({});
  const pem = writePem(der, "X509 CRL");
  const sizes = [Buffer.from(`# comment\n${pem}\n${pem}`), der].map((bytes) => {
    const lists = readRevocationFile(bytes);
    return lists.kind === "ok" ? lists.value.length : lists.why;
  });
  assert.deepEqual(sizes, [2, 1]);
});

const files: readonly (readonly [name: string, text: string, why: RegExp])[] = [
  ["empty", "", /no PEM block X509 CRL/],
  ["a certificate", authority.rootPem, /no PEM block X509 CRL/],
  [
    "one good list and one bad",
    `${writePem(listOf({}), "X509 CRL")}${writePem(Uint8Array.of(0x30, 0), "X509 CRL")}`,
    /list 2 of 2/,
  ],
  ["not base64", "-----BEGIN X509 CRL-----\n!!!!\n-----END X509 CRL-----\n", /not base64/],
  ["too many lists", writePem(listOf({}), "X509 CRL").repeat(65), /65 lists, at most 64/],
];
for (const [name, text, why] of files)
  test(`revocation file: ${name} is refused`, () => {
    const lists = readRevocationFile(Buffer.from(text));
    assert.ok(lists.kind === "bad");
    assert.match(lists.why, why);
  });

test("revocation list: damaged bytes are refused or read, and never throw", () => {
  const whole = issueRevocationList(authority.root, {
    serialNumbers: ["0A", "80FF"],
    thisUpdateMs: 0,
    nextUpdateMs: 1000,
    number: 7,
  });
  for (let cut = 0; cut < whole.length; cut++)
    assert.equal(decodeRevocationList(whole.subarray(0, cut)).kind, "bad");
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const damaged = Uint8Array.from(whole);
      damaged[at] = byte;
      decodeRevocationList(damaged);
    }),
    { numRuns: 3000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readRevocationFile(bytes)));
});

test("revocation list: openssl reads ours and verifies it", async () => {
  await using folder = await createTemporaryFolder("crl");
  const mine = authority.issue("default/mine");
  authority.revoke(mine.leaf);
  writeFileSync(folder.file("ca.pem"), authority.rootPem);
  writeFileSync(folder.file("crl.pem"), authority.crlPem());
  const args = ["crl", "-in", folder.file("crl.pem"), "-CAfile", folder.file("ca.pem"), "-text", "-noout"];
  const text = execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  assert.match(text, new RegExp(`Serial Number: ${mine.leaf.serialNumber}`));
  assert.match(text, /Version 2/);
});

test("revocation list: openssl's own list is read and revokes openssl's certificate", async () => {
  await using folder = await createTemporaryFolder("crl");
  const at = folder.file;
  const openssl = (...args: readonly string[]): Buffer =>
    execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
  writeFileSync(
    at("ca.cnf"),
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${at("index")}\nserial=${at("serial")}\nnew_certs_dir=${folder.path}\ndefault_md=sha256\n` +
      `default_crl_days=1\ndefault_days=1\npolicy=p\ncrl_extensions=x\ncrlnumber=${at("number")}\n[p]\ncommonName=supplied\n` +
      "[x]\nauthorityKeyIdentifier=keyid\n[req]\ndistinguished_name=n\nx509_extensions=v\n[n]\n[v]\nbasicConstraints=critical,CA:true\n" +
      "keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
  );
  writeFileSync(at("index"), "");
  writeFileSync(at("serial"), "C0FFEE01\n");
  writeFileSync(at("number"), "01\n");
  const config = ["-config", at("ca.cnf")];
  const key = ["-newkey", "rsa:2048", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...config,
    ...key,
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
    "-subj",
    "/CN=ca",
  );
  openssl("req", ...config, ...key, "-keyout", at("leaf.key"), "-out", at("leaf.csr"), "-subj", "/CN=leaf");
  const ca = ["ca", ...config, "-batch", "-cert", at("ca.pem"), "-keyfile", at("ca.key")];
  writeFileSync(at("leaf.cnf"), "basicConstraints=CA:false\n");
  openssl(...ca, "-in", at("leaf.csr"), "-out", at("leaf.pem"), "-notext", "-extfile", at("leaf.cnf"));
  openssl(...ca, "-revoke", at("leaf.pem"), "-crl_reason", "keyCompromise");
  openssl(...ca, "-gencrl", "-out", at("crl.pem"));
  const der = openssl("crl", "-in", at("crl.pem"), "-outform", "DER");
  const pem = openssl("crl", "-in", at("crl.pem"));
  const read = (name: string) => {
    const found = decodeCertificates(openssl("x509", "-in", at(name)).toString());
    assert.ok(found.kind === "ok");
    return found.value;
  };
  for (const bytes of [der, pem]) {
    const lists = readRevocationFile(bytes);
    assert.ok(lists.kind === "ok", lists.kind === "bad" ? lists.why : "");
    assert.deepEqual([...(lists.value[0]?.serialNumbers ?? [])], ["C0FFEE01"]);
    const chain = { der: read("leaf.pem").map((one) => one.der), roots: read("ca.pem") };
    assert.equal(createRevocationIndex(lists.value).judge(chain).kind, "revoked");
  }
});
