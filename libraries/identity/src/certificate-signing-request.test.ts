import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  createCertificateSigningRequest,
  decodeCertificateSigningRequest,
  MAX_REQUEST_BYTES,
  readCertificateSigningRequest,
} from "./certificate-signing-request.ts";
import { contextTag } from "./der-reader.ts";
import * as write from "./der-writer.ts";
import { subjectAltNameExtension } from "./extensions.ts";
import { OID } from "./object-identifiers.ts";
import { readOnePem, writePem } from "./pem.ts";

const identity = { trustDomain: "cluster.local", namespace: "default", serviceAccount: "client" };
const uri = "spiffe://cluster.local/ns/default/sa/client";
const whyOf = (pem: string): string => {
  const got = readCertificateSigningRequest(pem);
  assert.equal(got.kind, "bad");
  return got.kind === "bad" ? got.why : "";
};

test("our request is what ztunnel sends: P-256, empty subject, one critical SPIFFE name", () => {
  const made = createCertificateSigningRequest(identity);
  const got = readCertificateSigningRequest(made.pem);
  assert.equal(got.kind, "ok");
  if (got.kind !== "ok") return;
  assert.equal(got.value.publicKey.algorithm, "P-256");
  assert.ok(got.value.emptySubject && got.value.namesCritical);
  assert.deepEqual(got.value.names.uris, [uri]);
  const text = execFileSync("openssl", ["req", "-noout", "-text", "-verify"], {
    input: made.pem,
    stdio: "pipe",
  }).toString();
  assert.match(text, /Subject: *\n/);
  assert.match(
    text,
    /X509v3 Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/default\/sa\/client/,
  );
  assert.match(text, /ecdsa-with-SHA256/);
});

const opensslKeys = [
  ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
  ["rsa:2048"],
] as const;
for (const key of opensslKeys)
  test(`a request made by openssl is read: ${key.join(" ")}`, () => {
    const pem = openssl(key, ["-addext", `subjectAltName=URI:${uri},DNS:a.example`]);
    const got = readCertificateSigningRequest(pem);
    assert.equal(got.kind, "ok");
    if (got.kind === "ok") assert.deepEqual(got.value.names, { uris: [uri], dnsNames: ["a.example"] });
  });

const weak = [
  { name: "RSA of 1024 bits", key: ["rsa:1024"], why: /RSA of 1024 bits, expected 2048 to 4096/ },
  {
    name: "P-521",
    key: ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    why: /curve 1\.3\.132\.0\.35, expected P-256 or P-384/,
  },
  { name: "Ed25519", key: ["ed25519"], why: /expected ECDSA/ },
  { name: "SHA-1", key: ["rsa:2048", "-sha1"], why: /SHA-256, SHA-384 or SHA-512/ },
] as const;
for (const c of weak) test(`refused: ${c.name}`, () => assert.match(whyOf(openssl(c.key, [])), c.why));

test("refused: a signature by another key, and a body changed after signing", () => {
  const ours = createCertificateSigningRequest(identity);
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  assert.match(whyOf(request({ key: stranger, spki: ours.publicKeySpki })), /proof of possession/);
  const der = readOnePem(ours.pem, "CERTIFICATE REQUEST");
  assert.ok(der.kind === "ok");
  const changed = Buffer.from(der.value);
  const at = changed.indexOf("client");
  changed.write("server", at);
  assert.match(whyOf(writePem(changed, "CERTIFICATE REQUEST")), /proof of possession/);
});

test("refused: a point that is not on the curve", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = new Uint8Array(createPublicKey(privateKey).export({ format: "der", type: "spki" }));
  spki[spki.length - 1] = (spki.at(-1) ?? 0) ^ 1;
  assert.match(whyOf(request({ key: privateKey, spki })), /make no key/);
});

const malformed = [
  { name: "nothing", pem: "", why: /0 PEM blocks/ },
  { name: "two requests", pem: createCertificateSigningRequest(identity).pem.repeat(2), why: /2 PEM blocks/ },
  {
    name: "a certificate's label",
    pem: createCertificateSigningRequest(identity).pem.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE"),
    why: /0 PEM blocks/,
  },
  {
    name: "no base64",
    pem: "-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n",
    why: /not base64/,
  },
  { name: "too large", pem: "A".repeat(2 * MAX_REQUEST_BYTES + 1), why: /at most/ },
  { name: "version 2", pem: request({ version: 1 }), why: /version: expected 0/ },
  { name: "the extension request twice", pem: request({ repeatAttribute: true }), why: /given twice/ },
  { name: "the same extension twice", pem: request({ repeatExtension: true }), why: /given twice/ },
  {
    name: "a name with a NUL in it",
    pem: request({ rawName: Buffer.from("spiffe://a\0b") }),
    why: /printable ASCII/,
  },
] as const;
for (const c of malformed) test(`refused: ${c.name}`, () => assert.match(whyOf(c.pem), c.why));

test("every cut and every changed byte gives a result, and no changed request is accepted", () => {
  const der = readOnePem(createCertificateSigningRequest(identity).pem, "CERTIFICATE REQUEST");
  assert.ok(der.kind === "ok");
  for (let cut = 0; cut < der.value.length; cut++)
    assert.equal(decodeCertificateSigningRequest(der.value.subarray(0, cut)).kind, "bad");
  fc.assert(
    fc.property(fc.nat(der.value.length - 1), fc.integer({ min: 1, max: 255 }), (index, flip) => {
      const changed = Uint8Array.from(der.value);
      changed[index] = (changed[index] ?? 0) ^ flip;
      assert.equal(readCertificateSigningRequest(writePem(changed, "CERTIFICATE REQUEST")).kind, "bad");
    }),
    { numRuns: 400 },
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      assert.equal(readCertificateSigningRequest(text).kind, "bad");
    }),
  );
});

function openssl(key: readonly string[], more: readonly string[]): string {
  const args = [
    "req",
    "-new",
    "-nodes",
    "-subj",
    "/O=test",
    "-keyout",
    "/dev/null",
    "-newkey",
    ...key,
    ...more,
  ];
  return execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] }).toString();
}

interface Faults {
  readonly key?: KeyObject;
  readonly spki?: Uint8Array;
  readonly version?: number;
  readonly repeatAttribute?: boolean;
  readonly repeatExtension?: boolean;
  readonly rawName?: Uint8Array;
}

/** A request with one fault in it, signed properly all the same. */
function request(faults: Faults): string {
  const key = faults.key ?? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const spki = faults.spki ?? new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));
  const names =
    faults.rawName === undefined
      ? subjectAltNameExtension({ uris: [uri] }, true)
      : write.sequence(
          write.objectIdentifier(OID.subjectAltName),
          write.octetString(write.sequence(write.element(0x86, faults.rawName))),
        );
  const extensions = write.sequence(names, ...(faults.repeatExtension ? [names] : []));
  const attribute = write.sequence(write.objectIdentifier(OID.extensionRequest), write.setOfOne(extensions));
  const info = write.sequence(
    write.unsignedInteger(Uint8Array.of(faults.version ?? 0)),
    write.sequence(),
    spki,
    write.element(contextTag(0), attribute, ...(faults.repeatAttribute ? [attribute] : [])),
  );
  const algorithm = write.sequence(write.objectIdentifier(OID.ecdsaWithSha256));
  const der = write.sequence(info, algorithm, write.bitString(sign("sha256", info, key)));
  return writePem(der, "CERTIFICATE REQUEST");
}
