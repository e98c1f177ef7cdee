import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { ip } from "@meltemi/model";
import fc from "fast-check";
import {
  type Certificate,
  decodeCertificate,
  decodeCertificates,
  isIssuedBy,
  verifyChain,
} from "./certificate.ts";
import { createCertificateSigningRequest } from "./certificate-signing-request.ts";
import {
  createIntermediateAuthority,
  createRootAuthority,
  createRootAuthorityWithKey,
  type Issuer,
  issueLeaf,
  issuerFrom,
} from "./issue.ts";
import { writePem } from "./pem.ts";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const identity = { trustDomain: "cluster.local", namespace: "default", serviceAccount: "client" };
const uri = "spiffe://cluster.local/ns/default/sa/client";
const authority = {
  organization: "cluster.local",
  notBeforeMs: NOW_MS - HOUR_MS,
  notAfterMs: NOW_MS + YEAR_MS,
};
const decoded = (der: Uint8Array): Certificate => {
  const got = decodeCertificate(der);
  assert.ok(got.kind === "ok", got.kind === "bad" ? got.why : "");
  return got.value;
};
const leafOf = (
  issuer: Issuer,
  notAfterMs = NOW_MS + HOUR_MS,
  notBeforeMs = NOW_MS - 120_000,
): Certificate => {
  const { publicKeySpki } = createCertificateSigningRequest(identity);
  const names = { uris: [uri] };
  return decoded(
    issueLeaf(
      issuer,
      { publicKeySpki, names, uses: ["serverAuth", "clientAuth"], notBeforeMs, notAfterMs },
      randomBytes,
    ),
  );
};

const issuers = [
  { name: "P-256 root", make: () => createRootAuthority(authority, randomBytes) },
  { name: "RSA-2048 root", make: () => rootWith("rsa") },
  { name: "P-384 root", make: () => rootWith("P-384") },
] as const;
for (const c of issuers)
  test(`a workload's certificate from a ${c.name} satisfies openssl and node`, () => {
    const root = c.make();
    const leaf = leafOf(root);
    const theirs = new X509Certificate(leaf.der);
    const theirRoot = new X509Certificate(root.certificate.der);
    assert.equal(theirs.subjectAltName, `URI:${uri}`);
    assert.equal(theirs.serialNumber, leaf.serialNumber);
    assert.equal(new Date(theirs.validTo).getTime(), leaf.notAfterMs);
    assert.ok(
      theirs.checkIssued(theirRoot) && theirs.verify(theirRoot.publicKey) && theirRoot.ca && !theirs.ca,
    );
    for (const purpose of ["sslserver", "sslclient"]) opensslVerify(leaf, [], [root.certificate], purpose);
    const text = execFileSync("openssl", ["x509", "-noout", "-text"], { input: pem(leaf) }).toString();
    assert.match(text, /Subject: *\n/);
    assert.match(text, /Subject Alternative Name: critical/);
    assert.match(text, /Key Usage: critical\s+Digital Signature, Key Encipherment\n/);
    assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/);
    assert.match(text, /Basic Constraints: critical\s+CA:FALSE/);
    assert.match(text, /Authority Key Identifier/);
    assert.equal(verifyChain([leaf], [root.certificate], NOW_MS), undefined);
  });

test("a chain over an intermediate verifies with openssl and with ours, with and without the root in it", () => {
  const root = createRootAuthority(authority, randomBytes);
  const middle = createIntermediateAuthority(
    root,
    { ...authority, commonName: "middle", pathLength: 0 },
    randomBytes,
  );
  const leaf = leafOf(middle);
  opensslVerify(leaf, [middle.certificate], [root.certificate], "sslclient");
  assert.equal(verifyChain([leaf, middle.certificate], [root.certificate], NOW_MS), undefined);
  assert.equal(
    verifyChain([leaf, middle.certificate, root.certificate], [root.certificate], NOW_MS),
    undefined,
  );
  const other = createRootAuthority(authority, randomBytes);
  assert.equal(
    verifyChain([leaf, middle.certificate], [other.certificate, root.certificate], NOW_MS),
    undefined,
  );
});

test("verifyChain refuses", () => {
  const root = createRootAuthority(authority, randomBytes);
  const middle = createIntermediateAuthority(
    root,
    { ...authority, commonName: "middle", pathLength: 0 },
    randomBytes,
  );
  const deeper = createIntermediateAuthority(middle, { ...authority, commonName: "deeper" }, randomBytes);
  const twin = createRootAuthority(authority, randomBytes);
  const leaf = leafOf(root);
  const posing = { certificate: leaf, key: twin.key };
  const roots = [root.certificate];
  const cases = [
    { name: "an empty chain", chain: [], why: /empty/ },
    { name: "a root of the same name with another key", chain: [leafOf(twin)], why: /no trusted root/ },
    { name: "a missing intermediate", chain: [leafOf(middle)], why: /no trusted root/ },
    { name: "no roots at all", chain: [leaf], roots: [], why: /no trusted root/ },
    { name: "an expired leaf", chain: [leafOf(root, NOW_MS - 1000)], why: /leaf: expired/ },
    {
      name: "a leaf of tomorrow",
      chain: [leafOf(root, NOW_MS + 2 * HOUR_MS, NOW_MS + HOUR_MS)],
      why: /leaf: not valid before/,
    },
    { name: "a leaf that signs", chain: [leafOf(posing), leaf], why: /not a certificate authority/ },
    {
      name: "too long a path",
      chain: [leafOf(deeper), deeper.certificate, middle.certificate],
      why: /path length 0/,
    },
    { name: "the wrong order", chain: [middle.certificate, leafOf(middle)], why: /no trusted root/ },
    { name: "an unending chain", chain: new Array(9).fill(leaf), why: /at most 8/ },
    { name: "an expired root", chain: [leaf], nowMs: NOW_MS + 2 * YEAR_MS, why: /expired/ },
  ];
  for (const c of cases)
    assert.match(verifyChain(c.chain, c.roots ?? roots, c.nowMs ?? NOW_MS) ?? "accepted", c.why, c.name);
});

test("a leaf never outlives its issuer, and an expired issuer issues nothing", () => {
  const root = createRootAuthority(authority, randomBytes);
  assert.equal(leafOf(root, NOW_MS + 50 * YEAR_MS).notAfterMs, root.certificate.notAfterMs);
  assert.equal(leafOf(root, NOW_MS + HOUR_MS, 0).notBeforeMs, root.certificate.notBeforeMs);
  assert.throws(() => leafOf(root, NOW_MS + 3 * YEAR_MS, NOW_MS + 2 * YEAR_MS), /end before it begins/);
});

test("serial numbers are positive and 16 bytes, whatever the randomness", () => {
  const root = createRootAuthority(authority, randomBytes);
  const { publicKeySpki } = createCertificateSigningRequest(identity);
  for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
    const der = issueLeaf(
      root,
      {
        publicKeySpki,
        names: { uris: [uri] },
        uses: ["clientAuth"],
        notBeforeMs: NOW_MS,
        notAfterMs: NOW_MS + HOUR_MS,
      },
      (count) => new Uint8Array(count).fill(byte),
    );
    assert.match(decoded(der).serialNumber, /^[4-7][0-9A-F]{31}$/);
  }
});

test("server names: DNS and IP of both families", () => {
  const root = createRootAuthority(authority, randomBytes);
  const names = { dnsNames: ["istiod.istio-system.svc"], ipAddresses: [ip("10.0.0.1"), ip("fd00::1")] };
  const { publicKeySpki } = createCertificateSigningRequest(identity);
  const validity = { notBeforeMs: NOW_MS, notAfterMs: NOW_MS + HOUR_MS };
  const der = issueLeaf(root, { publicKeySpki, names, uses: ["serverAuth"], ...validity }, randomBytes);
  assert.equal(
    new X509Certificate(der).subjectAltName,
    "DNS:istiod.istio-system.svc, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1",
  );
  assert.deepEqual(decoded(der).extendedKeyUsage, ["1.3.6.1.5.5.7.3.1"]);
});

test("issuerFrom refuses a key that is not the certificate's, and never repeats what it was given", () => {
  const root = createRootAuthority(authority, randomBytes);
  const keyPem = root.key.export({ format: "pem", type: "pkcs8" }).toString();
  assert.ok(issuerFrom(root.certificate, keyPem));
  const other = createRootAuthority(authority, randomBytes);
  assert.throws(() => issuerFrom(other.certificate, keyPem), /not the key of the CA certificate/);
  assert.throws(
    () => issuerFrom(root.certificate, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"),
    (error: Error) => !error.message.includes("c2VjcmV0") && error.cause === undefined,
  );
});

const weakKeys = [
  {
    name: "RSA of 1024 bits",
    key: () => generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey,
    why: /rsa 1024, expected/,
  },
  { name: "Ed25519", key: () => generateKeyPairSync("ed25519").privateKey, why: /ed25519, expected/ },
  {
    name: "P-521",
    key: () => generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
    why: /ec secp521r1, expected/,
  },
] as const;
for (const c of weakKeys)
  test(`issuerFrom refuses a CA key of ${c.name}`, () => {
    const root = createRootAuthority(authority, randomBytes);
    const keyPem = c.key().export({ format: "pem", type: "pkcs8" }).toString();
    assert.throws(() => issuerFrom(root.certificate, keyPem), c.why);
  });

test("a bundle is read whole or refused, naming the broken one", () => {
  const root = createRootAuthority(authority, randomBytes).certificate;
  const got = decodeCertificates(`# comment\n${pem(root)}${pem(root)}`);
  assert.equal(got.kind === "ok" ? got.value.length : 0, 2);
  const broken = decodeCertificates(pem(root) + writePem(root.der.subarray(0, 80), "CERTIFICATE"));
  assert.match(broken.kind === "bad" ? broken.why : "", /certificate 2 of 2/);
});

test("every public root that Node ships is read as Node reads it", () => {
  let verified = 0;
  for (const text of rootCertificates) {
    const theirs = new X509Certificate(text);
    const ours = decoded(theirs.raw);
    assert.equal(BigInt(`0x${ours.serialNumber}`), BigInt(`0x${theirs.serialNumber}`), theirs.subject);
    assert.equal(ours.notBeforeMs, new Date(theirs.validFrom).getTime(), theirs.subject);
    assert.equal(ours.notAfterMs, new Date(theirs.validTo).getTime(), theirs.subject);
    assert.equal(ours.basicConstraints.certificateAuthority, theirs.ca, theirs.subject);
    if (isIssuedBy(ours, ours)) verified++;
  }
  // The rest sign themselves with SHA-1, which we do not take.
  assert.ok(verified > rootCertificates.length * 0.9, `${verified} of ${rootCertificates.length}`);
});

test("fuzz: every cut is refused, every changed byte gives a result", () => {
  const { der } = leafOf(createRootAuthority(authority, randomBytes));
  for (let cut = 0; cut < der.length; cut++)
    assert.equal(decodeCertificate(der.subarray(0, cut)).kind, "bad");
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.nat(255), (index, value) => {
      const changed = Uint8Array.from(der);
      changed[index] = value;
      assert.ok(["ok", "bad"].includes(decodeCertificate(changed).kind));
    }),
    { numRuns: 1500 },
  );
});

function rootWith(kind: "rsa" | "P-384"): Issuer {
  const { privateKey } =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-384" });
  return createRootAuthorityWithKey(authority, privateKey, randomBytes);
}

function pem(certificate: Certificate): string {
  return writePem(certificate.der, "CERTIFICATE");
}

function opensslVerify(
  leaf: Certificate,
  middle: readonly Certificate[],
  roots: readonly Certificate[],
  purpose: string,
): void {
  const folder = mkdtempSync(join(tmpdir(), "meltemi-certificate-"));
  try {
    const write = (name: string, certificates: readonly Certificate[]): string => {
      writeFileSync(join(folder, name), certificates.map(pem).join(""));
      return join(folder, name);
    };
    const untrusted = middle.length > 0 ? ["-untrusted", write("middle", middle)] : [];
    const args = [
      "verify",
      "-x509_strict",
      "-purpose",
      purpose,
      "-CAfile",
      write("roots", roots),
      ...untrusted,
    ];
    execFileSync("openssl", [...args, write("leaf", [leaf])], { stdio: "pipe" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
