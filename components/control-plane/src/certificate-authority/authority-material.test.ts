import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import {
  certificatePem,
  createCertificateSigningRequest,
  createIntermediateAuthority,
  createRootAuthority,
  createRootAuthorityWithKey,
  type Issuer,
  issueLeaf,
  writePem,
} from "@meltemi/identity";
import {
  decideReload,
  needsRenewal,
  newSelfSigned,
  readAuthority,
  renewSelfSigned,
  type SecretTexts,
  type SigningAuthority,
  textsOf,
} from "./authority-material.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const YEAR_MS = 365 * 24 * 3_600_000;
const life = { organization: "corp", notBeforeMs: NOW_MS - YEAR_MS, notAfterMs: NOW_MS + YEAR_MS };
const keyPem = (issuer: Issuer): string => issuer.key.export({ format: "pem", type: "pkcs8" }).toString();
const pem = (...issuers: readonly Issuer[]): string =>
  issuers.map((one) => certificatePem(one.certificate)).join("");

const root = createRootAuthority(life, randomBytes);
const otherRoot = createRootAuthority({ ...life, organization: "new corp" }, randomBytes);
const ca = createIntermediateAuthority(root, { ...life, commonName: "istiod", pathLength: 0 }, randomBytes);
const plugged: SecretTexts = {
  "ca-cert.pem": pem(ca),
  "ca-key.pem": keyPem(ca),
  "cert-chain.pem": pem(ca, root),
  "root-cert.pem": pem(root),
};
const read = (texts: SecretTexts): SigningAuthority => {
  const got = readAuthority("plugged-in", texts, NOW_MS);
  assert.ok(got.kind === "ok", got.kind === "refused" ? got.problems.join("; ") : "");
  return got.authority;
};

test("a plugged-in CA: chain without repeats and roots, bundle as given", () => {
  const authority = read(plugged);
  assert.deepEqual(
    authority.intermediates.map((one) => one.serialNumber),
    [ca.certificate.serialNumber],
  );
  assert.equal(authority.rootBundlePem, pem(root));
  assert.equal(read({ ...plugged, "cert-chain.pem": "" }).intermediates.length, 1);
  assert.equal(read({ ...plugged, "root-cert.pem": pem(root, otherRoot) }).roots.length, 2);
});

test("an RSA-2048 CA and a root that signs itself are accepted", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rsa = createRootAuthorityWithKey(life, privateKey, randomBytes);
  for (const type of ["pkcs8", "pkcs1"] as const) {
    const key = privateKey.export({ format: "pem", type }).toString();
    const texts = {
      "ca-cert.pem": pem(rsa),
      "ca-key.pem": key,
      "root-cert.pem": pem(rsa),
      "cert-chain.pem": pem(rsa),
    };
    assert.deepEqual(read(texts).intermediates, []);
  }
});

const deep = createIntermediateAuthority(ca, { ...life, commonName: "too deep" }, randomBytes);
const expired = createRootAuthority({ ...life, notAfterMs: NOW_MS - 1000 }, randomBytes);
const future = createRootAuthority({ ...life, notBeforeMs: NOW_MS + 3_600_000 }, randomBytes);
const soon = createRootAuthority(
  { ...life, notBeforeMs: NOW_MS - 2 * YEAR_MS, notAfterMs: NOW_MS - YEAR_MS },
  randomBytes,
);
const encrypted = ca.key
  .export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" })
  .toString();
const refusals: readonly { name: string; texts: SecretTexts; why: readonly RegExp[] }[] = [
  {
    name: "an empty Secret",
    texts: {},
    why: [/ca-cert\.pem: expected a PEM certificate/, /root-cert\.pem: expected PEM certificates/],
  },
  { name: "no key", texts: { ...plugged, "ca-key.pem": "" }, why: [/ca-key\.pem: read CA private key/] },
  {
    name: "another's key",
    texts: { ...plugged, "ca-key.pem": keyPem(root) },
    why: [/ca-key\.pem: .*not the key of the CA certificate/],
  },
  {
    name: "an encrypted key",
    texts: { ...plugged, "ca-key.pem": encrypted },
    why: [/expected an unencrypted PEM key/],
  },
  {
    name: "no root",
    texts: { ...plugged, "root-cert.pem": "" },
    why: [/root-cert\.pem: expected PEM certificates/],
  },
  { name: "another root", texts: { ...plugged, "root-cert.pem": pem(otherRoot) }, why: [/no trusted root/] },
  {
    name: "a missing link",
    texts: { ...plugged, "ca-cert.pem": pem(deep), "ca-key.pem": keyPem(deep), "cert-chain.pem": "" },
    why: [/no trusted root/],
  },
  {
    name: "a path longer than its CA allows",
    texts: {
      ...plugged,
      "ca-cert.pem": pem(deep),
      "ca-key.pem": keyPem(deep),
      "cert-chain.pem": pem(deep, ca),
    },
    why: [/path length 0/],
  },
  {
    name: "an expired CA",
    texts: { "ca-cert.pem": pem(expired), "ca-key.pem": keyPem(expired), "root-cert.pem": pem(expired) },
    why: [/expired/],
  },
  {
    name: "a long expired CA",
    texts: { "ca-cert.pem": pem(soon), "ca-key.pem": keyPem(soon), "root-cert.pem": pem(soon) },
    why: [/end before it begins.*CA valid from/],
  },
  {
    name: "a CA of tomorrow",
    texts: { "ca-cert.pem": pem(future), "ca-key.pem": keyPem(future), "root-cert.pem": pem(future) },
    why: [/CA valid from 2026-06-01T01:00:00Z/],
  },
  {
    name: "a broken chain",
    texts: { ...plugged, "cert-chain.pem": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----" },
    why: [/cert-chain\.pem: certificate 1 of 1/],
  },
];
for (const c of refusals)
  test(`refused: ${c.name}`, () => {
    const got = readAuthority("plugged-in", c.texts, NOW_MS);
    assert.equal(got.kind, "refused");
    const text = got.kind === "refused" ? got.problems.join("\n") : "";
    for (const why of c.why) assert.match(text, why);
    assert.ok(!text.includes("PRIVATE KEY"), "no key in a message");
  });

test("refused: a certificate that is no CA", () => {
  const { privateKey, publicKeySpki } = createCertificateSigningRequest({
    trustDomain: "a",
    namespace: "b",
    serviceAccount: "c",
  });
  const fields = { publicKeySpki, names: { dnsNames: ["x"] }, uses: ["serverAuth"] as const, ...life };
  const leafPem = writePem(issueLeaf(root, fields, randomBytes), "CERTIFICATE");
  const leafKey = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const got = readAuthority(
    "plugged-in",
    { ...plugged, "ca-cert.pem": leafPem, "ca-key.pem": leafKey },
    NOW_MS,
  );
  assert.match(got.kind === "refused" ? got.problems.join() : "", /not a certificate authority/);
});

test("a new self-signed CA is read back, renewed with the same key in its last fifth, and both roots stay", () => {
  const texts = newSelfSigned("cluster.local", NOW_MS, randomBytes);
  const first = readAuthority("self-signed", texts, NOW_MS);
  assert.ok(first.kind === "ok");
  assert.equal(first.authority.intermediates.length, 0);
  assert.deepEqual(textsOf(first.authority), texts);
  const istios = readAuthority("self-signed", { ...texts, "root-cert.pem": "" }, NOW_MS);
  assert.equal(
    istios.kind === "ok" && istios.authority.rootBundlePem,
    first.authority.rootBundlePem,
    "Istio leaves the root empty",
  );
  assert.equal(needsRenewal(first.authority, NOW_MS + 7.9 * YEAR_MS), false);
  assert.equal(needsRenewal(first.authority, NOW_MS + 8.1 * YEAR_MS), true);
  const laterMs = NOW_MS + 8.1 * YEAR_MS;
  const renewed = readAuthority(
    "self-signed",
    renewSelfSigned(first.authority, "cluster.local", laterMs, randomBytes),
    laterMs,
  );
  assert.ok(renewed.kind === "ok");
  assert.equal(renewed.authority.roots.length, 2);
  assert.deepEqual(decideReload(first.authority, renewed.authority), { kind: "accept" });
  assert.equal(needsRenewal(renewed.authority, laterMs), false);
  const afterMs = NOW_MS + 11 * YEAR_MS;
  const third = readAuthority(
    "self-signed",
    renewSelfSigned(renewed.authority, "cluster.local", afterMs, randomBytes),
    afterMs,
  );
  assert.equal(third.kind === "ok" && third.authority.roots.length, 2, "an expired root leaves the bundle");
});

test("roll-over of the root: announce, then sign, then retire; every short cut is refused", () => {
  const newCa = createIntermediateAuthority(otherRoot, { ...life, commonName: "istiod" }, randomBytes);
  const withNew = { "ca-cert.pem": pem(newCa), "ca-key.pem": keyPem(newCa), "cert-chain.pem": "" };
  const before = read(plugged);
  const announced = read({ ...plugged, "root-cert.pem": pem(root, otherRoot) });
  const signing = read({ ...withNew, "root-cert.pem": pem(root, otherRoot) });
  const retired = read({ ...withNew, "root-cert.pem": pem(otherRoot) });
  const table = [
    { name: "nothing changed", from: before, to: read(plugged), want: "unchanged" },
    { name: "announce", from: before, to: announced, want: "accept" },
    { name: "sign", from: announced, to: signing, want: "accept" },
    { name: "retire", from: signing, to: retired, want: "accept" },
    { name: "back out before signing", from: announced, to: before, want: "accept" },
    { name: "sign without announcing", from: before, to: signing, want: "refuse" },
    { name: "replace at once", from: before, to: retired, want: "refuse" },
    { name: "retire what is in use", from: announced, to: retired, want: "refuse" },
    {
      name: "another intermediate of the same root",
      from: before,
      to: read({ ...plugged, ...intermediate() }),
      want: "accept",
    },
  ];
  for (const row of table) assert.equal(decideReload(row.from, row.to).kind, row.want, row.name);
});

function intermediate(): SecretTexts {
  const fresh = createIntermediateAuthority(root, { ...life, commonName: "istiod 2" }, randomBytes);
  return { "ca-cert.pem": pem(fresh), "ca-key.pem": keyPem(fresh), "cert-chain.pem": "" };
}
