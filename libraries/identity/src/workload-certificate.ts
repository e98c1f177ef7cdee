/** The certificate of one workload, as the CA's answer gives it: checked as a whole, then believed (reference: protocol §4.1). */

import type { KeyObject } from "node:crypto";
import { formatIdentity, type Identity, parseIdentity, sameIdentity } from "@meltemi/model";
import { type Certificate, decodeCertificates, isoTime, verifyChain } from "./certificate.ts";
import type { Decoded } from "./der-reader.ts";
import type { Validity } from "./issue.ts";
import { writePem } from "./pem.ts";

/** Immutable. The private key is an opaque object: logging or dumping it shows nothing. */
export interface WorkloadCertificate extends Validity {
  readonly identity: Identity;
  readonly leaf: Certificate;
  /** Between leaf and root, in the order a handshake presents them. */
  readonly intermediates: readonly Certificate[];
  /** What this workload trusts: several while a root is being replaced. */
  readonly roots: readonly Certificate[];
  readonly privateKey: KeyObject;
}

export interface CertificateAnswer {
  readonly identity: Identity;
  readonly privateKey: KeyObject;
  /** The public half that was in the request. */
  readonly publicKeySpki: Uint8Array;
  /** `cert_chain` of the CA's response: leaf, intermediates, root bundle last. */
  readonly certChain: readonly string[];
  readonly nowMs: number;
}

/** A CA answer that is anything but what was asked for is refused: a wrong certificate must never be served. */
export function readCertificateAnswer(answer: CertificateAnswer): Decoded<WorkloadCertificate> {
  const [leafPem, ...rest] = answer.certChain;
  const rootsPem = rest.pop();
  if (leafPem === undefined) return bad("certificate response is empty");
  if (rootsPem === undefined) return bad("certificate response has no root");
  const presented = decodeCertificates([leafPem, ...rest].join("\n"));
  if (presented.kind === "bad") return bad(`certificate response: ${presented.why}`);
  const roots = decodeCertificates(rootsPem);
  if (roots.kind === "bad") return bad(`certificate response: roots: ${roots.why}`);
  const [leaf, ...intermediates] = presented.value;
  if (leaf === undefined) return bad("certificate response holds no certificate");
  const fault =
    nameFault(leaf, answer.identity) ??
    (Buffer.compare(leaf.publicKeySpki, answer.publicKeySpki) === 0
      ? undefined
      : "certificate response is for another key than the requested one") ??
    (leaf.basicConstraints.certificateAuthority ? "certificate response has a CA as its leaf" : undefined);
  if (fault !== undefined) return bad(fault);
  const chainFault = verifyChain([leaf, ...intermediates], roots.value, answer.nowMs);
  if (chainFault !== undefined) return bad(`certificate response does not verify: ${chainFault}`);
  const { identity, privateKey } = answer;
  const { notBeforeMs, notAfterMs } = leaf;
  return {
    kind: "ok",
    value: { identity, leaf, intermediates, roots: roots.value, privateKey, notBeforeMs, notAfterMs },
  };
}

/** Leaf and intermediates as a handshake presents them. */
export function chainPem(certificate: WorkloadCertificate): string {
  return [certificate.leaf, ...certificate.intermediates].map(certificatePem).join("");
}

export function certificatePem(certificate: Certificate): string {
  return writePem(certificate.der, "CERTIFICATE");
}

/** One certificate as Istio's config dump shows it (reference: protocol §8.2): `pem` is base64 of the PEM text. */
export interface DumpedCertificate {
  readonly pem: string;
  readonly serialNumber: string;
  readonly validFrom: string;
  readonly expirationTime: string;
}

export function dumpCertificate(certificate: Certificate): DumpedCertificate {
  return {
    pem: Buffer.from(certificatePem(certificate)).toString("base64"),
    serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
    validFrom: isoTime(certificate.notBeforeMs),
    expirationTime: isoTime(certificate.notAfterMs),
  };
}

function nameFault(leaf: Certificate, wanted: Identity): string | undefined {
  const names = leaf.names.uris.map(parseIdentity);
  const [only] = names;
  if (names.length === 1 && only !== undefined && sameIdentity(only, wanted)) return undefined;
  return `certificate response had wrong SAN: expected ${formatIdentity(wanted)}, got ${JSON.stringify(leaf.names.uris)}`;
}

function bad(why: string): { readonly kind: "bad"; readonly why: string } {
  return { kind: "bad", why };
}
