/**
 * TLS of the mesh (reference: protocol §1.1): 1.3 only, AES-GCM, ALPN h2, both sides authenticated, no SNI, no resumption.
 * Making a context costs 2 ms of CPU, so one is made per certificate and shared by all its connections, in both directions.
 */

import { constants } from "node:crypto";
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocketOptions,
} from "node:tls";
import type { Identity } from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";
import { verifyServerPeer } from "./peer.ts";
import type { PeerChain } from "./revocation-index.ts";
import { certificatePem, chainPem, type WorkloadCertificate } from "./workload-certificate.ts";

/** AES-128 first: both ends offer both, and its bulk rate is the higher one. ChaCha20 is not offered. */
const CIPHER_SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";

export const HBONE_ALPN: readonly string[] = ["h2"];

/** `pqc`: only the hybrid post-quantum key exchange, as `COMPLIANCE_POLICY=pqc` asks. */
export type CompliancePolicy = "none" | "pqc";

const KEY_EXCHANGE: Readonly<Record<CompliancePolicy, string>> = {
  none: "X25519:P-256:P-384",
  pqc: "X25519MLKEM768",
};

export interface TlsContexts {
  readonly certificate: WorkloadCertificate;
  readonly secureContext: SecureContext;
  /**
   * For `new TLSSocket(socket, server)`. Such a socket lets everybody in, `rejectUnauthorized` or not: on `secure`,
   * `authenticateClient` decides, before a byte is read.
   */
  readonly server: TLSSocketOptions;
  /** Asked by `authenticateClient` and `authenticateServer` about a peer that is good in all else. */
  readonly isRevoked: RevocationCheck | undefined;
  /** Asked by `authenticateClient`: trust domains that count as our own (`meshConfig.trustDomainAliases`). */
  readonly trustDomainAliases: (() => readonly string[]) | undefined;
  /** For `tls.connect`: the chain is verified, then the SPIFFE identity must be one of `expected`. */
  client(expected: readonly Identity[]): ConnectionOptions;
}

/** Whether a revocation list names this peer, which is the client or the server of the connection. */
export type RevocationCheck = (chain: PeerChain, role: "client" | "server") => boolean;

/** Options of a context, for `tls.createServer` and gRPC. Holds the private key in plain text: never log it. */
export function secureContextOptions(
  certificate: WorkloadCertificate,
  policy: CompliancePolicy = "none",
): SecureContextOptions {
  return {
    key: certificate.privateKey.export({ format: "pem", type: "pkcs8" }),
    cert: chainPem(certificate),
    ca: certificate.roots.map(certificatePem),
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    ciphers: CIPHER_SUITES,
    ecdhCurve: KEY_EXCHANGE[policy],
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

export function createTlsContexts(
  certificate: WorkloadCertificate,
  policy: CompliancePolicy = "none",
  isRevoked?: RevocationCheck,
  trustDomainAliases?: () => readonly string[],
): TlsContexts {
  const secureContext = createSecureContext(secureContextOptions(certificate, policy));
  const alpn = [...HBONE_ALPN];
  return {
    certificate,
    secureContext,
    isRevoked,
    trustDomainAliases,
    server: {
      isServer: true,
      secureContext,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: alpn,
    },
    client: (expected) => ({
      secureContext,
      rejectUnauthorized: true,
      ALPNProtocols: alpn,
      checkServerIdentity: (_host, { raw }) => {
        const verdict = verifyServerPeer(raw, expected);
        return verdict.kind === "ok" ? undefined : new MeshError("IDENTITY_INVALID", verdict.reason);
      },
    }),
  };
}

/** Contexts by certificate, made at first use and dropped together with their certificate after a rotation. */
export function createTlsContextCache(
  policy: CompliancePolicy = "none",
  isRevoked?: RevocationCheck,
  trustDomainAliases?: () => readonly string[],
): (certificate: WorkloadCertificate) => TlsContexts {
  const made = new WeakMap<WorkloadCertificate, TlsContexts>();
  return (certificate) => {
    const known = made.get(certificate);
    if (known !== undefined) return known;
    const contexts = createTlsContexts(certificate, policy, isRevoked, trustDomainAliases);
    made.set(certificate, contexts);
    return contexts;
  };
}
