/** A certificate authority in memory: real certificates for tests, with no server, no file and no waiting. */

import { randomBytes } from "node:crypto";
import {
  type Certificate,
  type CertificateUse,
  certificatePem,
  createIntermediateAuthority,
  createLeafKey,
  createRootAuthority,
  decodeCertificate,
  type Issuer,
  isIssuedBy,
  issueLeaf,
  issueRevocationList,
  type WorkloadCertificate,
  writePem,
} from "@meltemi/identity";
import { type Identity, parseIdentity } from "@meltemi/model";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** As Istio: clocks of nodes may differ by this much. */
const SKEW_MS = 120_000;

export interface TestAuthorityOptions {
  /** Default `cluster.local`. */
  readonly trustDomain?: string;
  /** The middle of the certificates' lives; default the machine's clock, since TLS judges by that. */
  readonly nowMs?: number;
  /** CAs between root and leaf; default 0. */
  readonly intermediates?: number;
}

export interface TestCertificateOptions {
  /** Default one hour from now. Before now for an expired certificate. */
  readonly notAfterMs?: number;
  /** Default two minutes ago. After now for one that is not yet valid. */
  readonly notBeforeMs?: number;
  /** Default both. */
  readonly uses?: readonly CertificateUse[];
  /** Names in the certificate instead of the identity. */
  readonly uris?: readonly string[];
  /** What the workload trusts; default this authority's root. */
  readonly trust?: readonly TestAuthority[];
}

export interface TestAuthority {
  readonly trustDomain: string;
  readonly root: Issuer;
  /** Who signs leaves: the root, or the last intermediate. */
  readonly issuer: Issuer;
  readonly rootPem: string;
  /** `spiffe://…`, or `namespace/serviceAccount` in the authority's trust domain. */
  issue(identity: Identity | string, options?: TestCertificateOptions): WorkloadCertificate;
  expired(identity: Identity | string): WorkloadCertificate;
  notYetValid(identity: Identity | string): WorkloadCertificate;
  /** PEM pair for a TLS server with these DNS names (127.0.0.1 clients use `servername`). */
  serverPem(...dnsNames: readonly string[]): { readonly cert: string; readonly key: string };
  /** From now on {@link crlPem} lists it: a leaf, or an intermediate. */
  revoke(certificate: Certificate): void;
  /** The revocation lists of root and intermediates, as `ca-crl.pem` has them. */
  crlPem(): string;
}

export function createTestAuthority(options: TestAuthorityOptions = {}): TestAuthority {
  const trustDomain = options.trustDomain ?? "cluster.local";
  const nowMs = options.nowMs ?? Date.now();
  const life = { notBeforeMs: nowMs - YEAR_MS, notAfterMs: nowMs + YEAR_MS };
  const random = (count: number): Uint8Array => randomBytes(count);
  const root = createRootAuthority({ organization: trustDomain, ...life }, random);
  const path: Issuer[] = [root];
  for (let level = 1; level <= (options.intermediates ?? 0); level++) {
    const name = { organization: trustDomain, commonName: `intermediate ${level}` };
    path.push(createIntermediateAuthority(path.at(-1) ?? root, { ...name, ...life }, random));
  }
  const issuer = path.at(-1) ?? root;
  const rootPem = certificatePem(root.certificate);
  const issue = (who: Identity | string, wish: TestCertificateOptions = {}): WorkloadCertificate => {
    const identity = typeof who === "string" ? identityFrom(who, trustDomain) : who;
    const { privateKey, publicKeySpki } = createLeafKey();
    const uris = wish.uris ?? [
      `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`,
    ];
    const validity = {
      notBeforeMs: wish.notBeforeMs ?? nowMs - SKEW_MS,
      notAfterMs: wish.notAfterMs ?? nowMs + HOUR_MS,
    };
    const uses = wish.uses ?? ["serverAuth", "clientAuth"];
    const leaf = decodeCertificate(
      issueLeaf(issuer, { publicKeySpki, names: { uris }, uses, ...validity }, random),
    );
    if (leaf.kind === "bad") throw new TypeError(leaf.why);
    return {
      identity,
      leaf: leaf.value,
      intermediates: path
        .slice(1)
        .reverse()
        .map((one) => one.certificate),
      roots: wish.trust?.map((one) => one.root.certificate) ?? [root.certificate],
      privateKey,
      notBeforeMs: leaf.value.notBeforeMs,
      notAfterMs: leaf.value.notAfterMs,
    };
  };
  return {
    trustDomain,
    root,
    issuer,
    rootPem,
    issue,
    expired: (who) => issue(who, { notBeforeMs: nowMs - 2 * HOUR_MS, notAfterMs: nowMs - HOUR_MS }),
    notYetValid: (who) => issue(who, { notBeforeMs: nowMs + HOUR_MS, notAfterMs: nowMs + 2 * HOUR_MS }),
    serverPem(...dnsNames) {
      const { privateKey, publicKeySpki } = createLeafKey();
      const validity = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + HOUR_MS };
      const request = { publicKeySpki, names: { dnsNames }, uses: ["serverAuth"] as const, ...validity };
      const leaf = writePem(issueLeaf(issuer, request, random), "CERTIFICATE");
      const middle = path
        .slice(1)
        .reverse()
        .map((one) => certificatePem(one.certificate));
      return {
        cert: [leaf, ...middle].join(""),
        key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      };
    },
    ...createRevocation(path, nowMs),
  };
}

function createRevocation(path: readonly Issuer[], nowMs: number): Pick<TestAuthority, "revoke" | "crlPem"> {
  const revoked = new Map<Issuer, string[]>(path.map((one) => [one, []]));
  let number = 0;
  return {
    revoke(certificate) {
      const by = path.find((one) => isIssuedBy(certificate, one.certificate));
      if (by === undefined) throw new TypeError("revoke: the certificate is of another authority");
      revoked.get(by)?.push(certificate.serialNumber);
    },
    crlPem() {
      number++;
      const life = { thisUpdateMs: nowMs - SKEW_MS, nextUpdateMs: nowMs + HOUR_MS };
      return [...revoked]
        .map(([one, serialNumbers]) => issueRevocationList(one, { serialNumbers, number, ...life }))
        .map((der) => writePem(der, "X509 CRL"))
        .join("");
    },
  };
}

function identityFrom(text: string, trustDomain: string): Identity {
  const [namespace = "", serviceAccount = ""] = text.split("/");
  const identity = text.startsWith("spiffe://")
    ? parseIdentity(text)
    : { trustDomain, namespace, serviceAccount };
  if (identity === undefined || identity.serviceAccount === "")
    throw new TypeError(`test identity ${text}: expected namespace/serviceAccount or spiffe://…`);
  return identity;
}
