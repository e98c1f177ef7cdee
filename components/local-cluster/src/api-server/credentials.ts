/** Credentials of a local cluster: its certificate authority, server and client certificates, and kubeconfig files. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { isIP } from "node:net";
import { stringify } from "yaml";
import { bitString, element, explicit, integer, objectIdentifier, sequence, TAG, time } from "./der.ts";
import { addressBytes } from "./resources/address-range.ts";

export interface KeyAndCertificate {
  /** PKCS#8 */
  readonly keyPem: string;
  readonly certPem: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** Become groups when it is a client's certificate. */
  readonly organizations?: readonly string[];
  /** DNS names and IP addresses that a server answers to. */
  readonly subjectAlternativeNames?: readonly string[];
  readonly use: "server" | "client";
}

/** A local cluster lives on one machine and for as long as its folder does. */
const VALIDITY_MS = 10 * 365 * 24 * 60 * 60 * 1000;
/** Clocks of machines differ a little. */
const BACKDATE_MS = 5 * 60 * 1000;

/** A new self-signed authority with a P-256 key. */
export function createClusterAuthority(name: string, nowMs: number): KeyAndCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyId = keyIdentifier(publicKey);
  const extensions = [
    extension("2.5.29.19", true, sequence(element(TAG.boolean, Buffer.from([0xff])))),
    // digitalSignature, keyCertSign, cRLSign
    extension("2.5.29.15", true, bitString(Buffer.from([0x86]), 1)),
    extension("2.5.29.14", false, element(TAG.octetString, keyId)),
  ];
  const subject = distinguishedName(name, []);
  return pair(
    privateKey,
    signCertificate({ issuer: subject, subject, publicKey, extensions, signer: privateKey, nowMs }),
  );
}

/** A key and a certificate for a server or a client, signed by the authority. */
export function issueCertificate(
  authority: KeyAndCertificate,
  authorityName: string,
  request: CertificateRequest,
  nowMs: number,
): KeyAndCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = createPrivateKey(authority.keyPem);
  const names = request.subjectAlternativeNames ?? [];
  const extensions = [
    extension("2.5.29.19", true, sequence()),
    // digitalSignature
    extension("2.5.29.15", true, bitString(Buffer.from([0x80]), 7)),
    extension(
      "2.5.29.37",
      false,
      sequence(objectIdentifier(request.use === "server" ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")),
    ),
    extension("2.5.29.35", false, sequence(element(0x80, keyIdentifier(createPublicKey(signer))))),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", false, sequence(...names.map(alternativeName)))]),
  ];
  const issuer = distinguishedName(authorityName, []);
  const subject = distinguishedName(request.commonName, request.organizations ?? []);
  return pair(privateKey, signCertificate({ issuer, subject, publicKey, extensions, signer, nowMs }));
}

/** Names that every client of the cluster may reach the API server by; `addresses` are its own. */
export function apiServerNames(addresses: readonly string[]): string[] {
  const names = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  return [...new Set([...names, "127.0.0.1", "::1", "10.96.0.1", ...addresses])];
}

/** A P-256 key for service-account tokens, PKCS#8 PEM. */
export function createServiceAccountKey(): string {
  return pemOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
}

/** 256 bits, as text that fits a header. */
export function createAdminToken(): string {
  return randomBytes(32).toString("base64url");
}

export interface KubeconfigOptions {
  readonly clusterName: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly caPem: string;
  readonly user:
    | { readonly kind: "token"; readonly token: string }
    | ({ readonly kind: "certificate" } & KeyAndCertificate);
  readonly namespace?: string;
}

/** The text of a kubeconfig file with one cluster, one user and one context, all named after the cluster. */
export function kubeconfigText(options: KubeconfigOptions): string {
  const name = options.clusterName;
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const user =
    options.user.kind === "token"
      ? { token: options.user.token }
      : {
          "client-certificate-data": base64(options.user.certPem),
          "client-key-data": base64(options.user.keyPem),
        };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name, cluster: { server: options.server, "certificate-authority-data": base64(options.caPem) } },
    ],
    users: [{ name: `${name}-admin`, user }],
    contexts: [
      {
        name,
        context: {
          cluster: name,
          user: `${name}-admin`,
          ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
        },
      },
    ],
    "current-context": name,
  });
}

interface ToSign {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly signer: KeyObject;
  readonly nowMs: number;
}

/** RFC 5280 §4.1, signed with ECDSA and SHA-256 (RFC 5758). */
function signCertificate(parts: ToSign): Buffer {
  const algorithm = sequence(objectIdentifier("1.2.840.10045.4.3.2"));
  // A serial number is positive and unguessable: 127 random bits.
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) & 0x7f;
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    parts.issuer,
    sequence(time(parts.nowMs - BACKDATE_MS), time(parts.nowMs + VALIDITY_MS)),
    parts.subject,
    parts.publicKey.export({ type: "spki", format: "der" }),
    explicit(3, sequence(...parts.extensions)),
  );
  return sequence(body, algorithm, bitString(sign("sha256", body, parts.signer)));
}

function pair(key: KeyObject, certificate: Buffer): KeyAndCertificate {
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    keyPem: pemOf(key),
    certPem: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
  };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

function keyIdentifier(publicKey: KeyObject): Buffer {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest()
    .subarray(0, 20);
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [element(TAG.boolean, Buffer.from([0xff]))] : [];
  return sequence(objectIdentifier(id), ...flag, element(TAG.octetString, value));
}

function distinguishedName(commonName: string, organizations: readonly string[]): Buffer {
  const attribute = (id: string, text: string): Buffer =>
    element(TAG.set, sequence(objectIdentifier(id), element(TAG.utf8String, Buffer.from(text))));
  return sequence(
    ...organizations.map((name) => attribute("2.5.4.10", name)),
    attribute("2.5.4.3", commonName),
  );
}

function alternativeName(name: string): Buffer {
  if (isIP(name) === 0) return element(0x82, Buffer.from(name));
  return element(0x87, addressBytes(name));
}
