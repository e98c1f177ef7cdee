/** Certificates that travel to a child process as PEM. */
import { createPrivateKey } from "node:crypto";
import {
  createTlsContexts,
  decodeCertificates,
  secureContextOptions,
  type TlsContexts,
  type WorkloadCertificate,
} from "@meltemi/identity";
import type { Identity } from "@meltemi/model";
import type { TestAuthority } from "@meltemi/testkit";

export interface Credentials {
  readonly identity: Identity;
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export const CLIENT: Identity = {
  trustDomain: "cluster.local",
  namespace: "bench",
  serviceAccount: "client",
};
export const SERVER: Identity = {
  trustDomain: "cluster.local",
  namespace: "bench",
  serviceAccount: "server",
};

export function credentials(authority: TestAuthority, identity: Identity): Credentials {
  const { key, cert } = secureContextOptions(authority.issue(identity));
  return { identity, key: String(key), cert: String(cert), ca: authority.rootPem };
}

export function contextsOf(from: Credentials): TlsContexts {
  return createTlsContexts(certificateOf(from));
}

export function certificateOf(from: Credentials): WorkloadCertificate {
  const [leaf] = certificatesOf(from.cert);
  if (leaf === undefined) throw new TypeError("no certificate");
  return {
    identity: from.identity,
    leaf,
    intermediates: [],
    roots: certificatesOf(from.ca),
    privateKey: createPrivateKey(from.key),
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs: leaf.notAfterMs,
  };
}

function certificatesOf(pem: string): WorkloadCertificate["roots"] {
  const decoded = decodeCertificates(pem);
  if (decoded.kind === "bad") throw new TypeError(decoded.why);
  return decoded.value;
}
