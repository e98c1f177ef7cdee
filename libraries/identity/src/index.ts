export {
  authenticateClient,
  authenticateServer,
  type HandshakeVerdict,
  PEER_REVOKED,
} from "./authenticate.ts";
export {
  type Certificate,
  decodeCertificate,
  decodeCertificates,
  isIssuedBy,
  isoTime,
  issuingFault,
  verifyChain,
} from "./certificate.ts";
export {
  type CertificateClient,
  type CertificateClientOptions,
  createCertificateClient,
  type TextSource,
} from "./certificate-client.ts";
export {
  type CertificateManager,
  type CertificateManagerDeps,
  type CertificateManagerOptions,
  type CertificateState,
  createCertificateManager,
} from "./certificate-manager.ts";
export type { Priority } from "./certificate-schedule.ts";
export {
  type CertificateSigningRequest,
  createCertificateSigningRequest,
  createLeafKey,
  type LeafKey,
  MAX_REQUEST_BYTES,
  type NewRequest,
  readCertificateSigningRequest,
} from "./certificate-signing-request.ts";
export type { Decoded } from "./der-reader.ts";
export {
  type AuthorityRequest,
  type CertificateUse,
  createIntermediateAuthority,
  createRootAuthority,
  createRootAuthorityWithKey,
  type Issuer,
  issueLeaf,
  issuerFrom,
  type LeafRequest,
  type RandomBytes,
  type Validity,
} from "./issue.ts";
export { issueRevocationList, type RevocationListRequest } from "./issue-revocation-list.ts";
export { type PeerVerdict, verifyClientPeer, verifyServerPeer } from "./peer.ts";
export { writePem } from "./pem.ts";
export {
  createRevocationIndex,
  type PeerChain,
  type RevocationIndex,
  type RevocationVerdict,
} from "./revocation-index.ts";
export {
  decodeRevocationList,
  MAX_REVOCATION_FILE_BYTES,
  type RevocationList,
  readRevocationFile,
  revocationListsPem,
} from "./revocation-list.ts";
export { revocationListFault } from "./revocation-proof.ts";
export {
  type CompliancePolicy,
  createTlsContextCache,
  createTlsContexts,
  HBONE_ALPN,
  type RevocationCheck,
  secureContextOptions,
  type TlsContexts,
} from "./tls-contexts.ts";
export {
  type CertificateAnswer,
  certificatePem,
  chainPem,
  type DumpedCertificate,
  dumpCertificate,
  readCertificateAnswer,
  type WorkloadCertificate,
} from "./workload-certificate.ts";
