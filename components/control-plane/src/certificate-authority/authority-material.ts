/** What the CA signs with, as it lies in a Secret under Istio's keys (reference: protocol §4.3). Reading and judging; no IO. */

import {
  type Certificate,
  certificatePem,
  createRootAuthority,
  createRootAuthorityWithKey,
  decodeCertificate,
  decodeCertificates,
  type Issuer,
  isoTime,
  issueLeaf,
  issuerFrom,
  issuingFault,
  type RandomBytes,
  verifyChain,
} from "@meltemi/identity";
import { describeError } from "@meltemi/runtime";
import { REVOCATION_KEY, readRevocationMaterial } from "./revocation-material.ts";

export type AuthoritySource = "plugged-in" | "self-signed";

export const SECRET_NAMES: Readonly<Record<AuthoritySource, string>> = {
  "plugged-in": "cacerts",
  "self-signed": "istio-ca-secret",
};

/** Text values of a Secret's data. */
export type SecretTexts = Readonly<Record<string, string>>;

/** Immutable; replaced as a whole when its Secret changes. */
export interface SigningAuthority {
  readonly source: AuthoritySource;
  readonly issuer: Issuer;
  /** From the signing CA upwards without roots: what workloads present after their own certificate. */
  readonly intermediates: readonly Certificate[];
  /** What workloads trust. Several while a root is being replaced. */
  readonly roots: readonly Certificate[];
  readonly rootBundlePem: string;
  /** What goes out as `istio-ca-crl`; "" when the CA has no revocation lists. */
  readonly revocationListsPem: string;
}

export type AuthorityReading =
  | { readonly kind: "ok"; readonly authority: SigningAuthority }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const SELF_SIGNED_LIFE_MS = 10 * YEAR_MS;
/** Clocks of nodes may run behind ours by this much. */
const SKEW_MS = 2 * 60_000;
/** The last fifth of a self-signed root's life: two years to hand out its successor. */
const RENEWAL_FRACTION = 0.2;

/**
 * Reads and proves a CA: every part parses, the key fits, the certificate may sign, and a certificate signed with it
 * verifies to the roots. All problems are told together, by the Secret's key; none of them shows a key's text.
 */
export function readAuthority(source: AuthoritySource, texts: SecretTexts, nowMs: number): AuthorityReading {
  const problems: string[] = [];
  const name = (key: string): string => `Secret ${SECRET_NAMES[source]}, ${key}`;
  const read = (key: string, fallback?: string): readonly Certificate[] => {
    const text = texts[key]?.trim() ? texts[key] : (fallback ?? "");
    const found = decodeCertificates(text);
    if (found.kind === "bad") problems.push(`${name(key)}: ${found.why}`);
    return found.kind === "ok" ? found.value : [];
  };
  const [certificate] = read("ca-cert.pem");
  // Istio leaves the root empty in the Secret of a self-signed CA: it is the CA itself.
  const roots = read("root-cert.pem", source === "self-signed" ? texts["ca-cert.pem"] : undefined);
  const chain = read("cert-chain.pem");
  if (certificate === undefined)
    problems.push(`${name("ca-cert.pem")}: expected a PEM certificate, got none`);
  if (roots.length === 0) problems.push(`${name("root-cert.pem")}: expected PEM certificates, got none`);
  const issuer =
    certificate && readIssuer(certificate, texts["ca-key.pem"] ?? "", name("ca-key.pem"), problems);
  if (issuer === undefined || problems.length > 0) return { kind: "refused", problems };
  const fault = issuingFault(issuer.certificate, 0);
  if (fault !== undefined) return { kind: "refused", problems: [`${name("ca-cert.pem")}: ${fault}`] };
  const intermediates = pathBelowRoots(issuer.certificate, chain, roots);
  // As Istio: a self-signed CA has none.
  const listsText = source === "plugged-in" ? texts[REVOCATION_KEY] : undefined;
  const lists = readRevocationMaterial(listsText, [issuer.certificate, ...chain, ...roots]);
  if (lists.kind === "refused")
    return { kind: "refused", problems: [`${name(REVOCATION_KEY)}: ${lists.why}`] };
  const authority: SigningAuthority = {
    source,
    issuer,
    intermediates,
    roots,
    rootBundlePem: roots.map(certificatePem).join(""),
    revocationListsPem: lists.pem,
  };
  const chainFault = proveAuthority(authority, nowMs);
  if (chainFault === undefined) return { kind: "ok", authority };
  return {
    kind: "refused",
    problems: [`${name("ca-cert.pem")}: certificates it signs do not verify to root-cert.pem: ${chainFault}`],
  };
}

/** Texts for the Secret of a new self-signed CA with an ECDSA P-256 key of its own. */
export function newSelfSigned(organization: string, nowMs: number, randomBytes: RandomBytes): SecretTexts {
  const life = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + SELF_SIGNED_LIFE_MS };
  const issuer = createRootAuthority({ organization, ...life }, randomBytes);
  return selfSignedTexts(issuer, [issuer.certificate]);
}

/**
 * A new certificate around the same key, the old one staying in the bundle: certificates signed before verify under the new
 * root, and those signed after it under the old one, so nobody notices.
 */
export function renewSelfSigned(
  authority: SigningAuthority,
  organization: string,
  nowMs: number,
  randomBytes: RandomBytes,
): SecretTexts {
  const life = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + SELF_SIGNED_LIFE_MS };
  const issuer = createRootAuthorityWithKey({ organization, ...life }, authority.issuer.key, randomBytes);
  const lasting = authority.roots.filter((root) => root.notAfterMs > nowMs);
  return selfSignedTexts(issuer, [issuer.certificate, ...lasting]);
}

/** The Secret's texts of a self-signed CA that is in use, to put them back when the Secret was deleted. */
export function textsOf(authority: SigningAuthority): SecretTexts {
  return selfSignedTexts(authority.issuer, authority.roots);
}

export function needsRenewal(authority: SigningAuthority, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = authority.issuer.certificate;
  return (
    authority.source === "self-signed" && notAfterMs - nowMs < (notAfterMs - notBeforeMs) * RENEWAL_FRACTION
  );
}

export type ReloadDecision =
  | { readonly kind: "unchanged" }
  | { readonly kind: "accept" }
  | { readonly kind: "refuse"; readonly why: string };

/**
 * Whether a running CA may change to other material without breaking connections: what is in use must stay trusted, and
 * what will sign must have been trusted before (decision record 0008: roll-over of the root).
 */
export function decideReload(current: SigningAuthority, next: SigningAuthority): ReloadDecision {
  const same =
    Buffer.compare(current.issuer.certificate.der, next.issuer.certificate.der) === 0 &&
    current.rootBundlePem === next.rootBundlePem &&
    current.revocationListsPem === next.revocationListsPem;
  if (same) return { kind: "unchanged" };
  const keepsOld = rootOf(current).some((root) => next.roots.some((one) => sameAuthority(one, root)));
  if (!keepsOld)
    return {
      kind: "refuse",
      why: "root-cert.pem lacks the root of the certificates in use: keep it there until they have expired",
    };
  const announced = rootOf(next).some((root) => current.roots.some((one) => sameAuthority(one, root)));
  if (!announced)
    return {
      kind: "refuse",
      why: "the new CA's root was not in root-cert.pem before: add it there first, let workloads renew, then change the CA",
    };
  return { kind: "accept" };
}

/** What was revoked stays so until a list says otherwise: lists that are gone from the Secret stay in use. */
export function keepRevocations(
  current: SigningAuthority | undefined,
  next: SigningAuthority,
): { readonly authority: SigningAuthority; readonly kept: boolean } {
  const lists = current?.revocationListsPem ?? "";
  if (lists === "" || next.revocationListsPem !== "") return { authority: next, kept: false };
  return { authority: { ...next, revocationListsPem: lists }, kept: true };
}

/** Roots that the signing path ends in; two when a renewed root shares its key with the old one. */
function rootOf(authority: SigningAuthority): readonly Certificate[] {
  const top = authority.intermediates.at(-1) ?? authority.issuer.certificate;
  return authority.roots.filter(
    (root) =>
      Buffer.compare(root.subject, authority.intermediates.length > 0 ? top.issuer : top.subject) === 0,
  );
}

/** The same name and key: each verifies what the other signed, whatever their dates. */
function sameAuthority(a: Certificate, b: Certificate): boolean {
  return Buffer.compare(a.subject, b.subject) === 0 && Buffer.compare(a.publicKeySpki, b.publicKeySpki) === 0;
}

function readIssuer(
  certificate: Certificate,
  keyPem: string,
  where: string,
  problems: string[],
): Issuer | undefined {
  try {
    return issuerFrom(certificate, keyPem);
  } catch (error) {
    problems.push(`${where}: ${describeError(error)}`);
    return undefined;
  }
}

/** Users put the CA, its issuers and often the root into `cert-chain.pem`; each belongs into the chain once, roots never. */
function pathBelowRoots(
  certificate: Certificate,
  chain: readonly Certificate[],
  roots: readonly Certificate[],
): readonly Certificate[] {
  const path: Certificate[] = [];
  for (const one of [certificate, ...chain]) {
    const known = [...path, ...roots].some((other) => Buffer.compare(one.der, other.der) === 0);
    if (!known) path.push(one);
  }
  return path;
}

/** Signs a certificate and verifies it as a workload would: the one check that leaves nothing out. */
function proveAuthority(authority: SigningAuthority, nowMs: number): string | undefined {
  const validity = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + HOUR_MS };
  try {
    const der = issueLeaf(
      authority.issuer,
      {
        publicKeySpki: authority.issuer.certificate.publicKeySpki,
        names: { uris: ["spiffe://proof/ns/proof/sa/proof"] },
        uses: ["clientAuth"],
        ...validity,
      },
      (count) => new Uint8Array(count),
    );
    const leaf = decodeCertificate(der);
    if (leaf.kind === "bad") return leaf.why;
    return verifyChain([leaf.value, ...authority.intermediates], authority.roots, nowMs);
  } catch (error) {
    const { notBeforeMs, notAfterMs } = authority.issuer.certificate;
    return `${describeError(error)} (CA valid from ${isoTime(notBeforeMs)} to ${isoTime(notAfterMs)})`;
  }
}

function selfSignedTexts(issuer: Issuer, roots: readonly Certificate[]): SecretTexts {
  return {
    "ca-cert.pem": certificatePem(issuer.certificate),
    "ca-key.pem": issuer.key.export({ format: "pem", type: "pkcs8" }).toString(),
    "root-cert.pem": roots.map(certificatePem).join(""),
    "cert-chain.pem": "",
  };
}
