/** The CA certificates by which revocation lists are proven as they are read: the mesh's roots, and what our own workloads present. */

import {
  type Certificate,
  type CertificateManager,
  decodeCertificates,
  type WorkloadCertificate,
} from "@meltemi/identity";
import { MeshError } from "@meltemi/runtime";

/** A mesh has a root and an intermediate for each cluster, twice during a rotation. The oldest one goes. */
const MAX_AUTHORITIES = 64;

export interface KnownAuthorities extends Disposable {
  /** Rejects when the roots are configured and cannot be read. */
  list(): Promise<readonly Certificate[]>;
}

export interface KnownAuthoritiesDeps {
  readonly certificates: Pick<CertificateManager, "onRotated">;
  /** PEM of the CA's roots; undefined when they are not known by file. */
  readonly readRoots: (() => Promise<string>) | undefined;
}

export function followAuthorities(deps: KnownAuthoritiesDeps): KnownAuthorities {
  const seen = new Map<string, Certificate>();
  const stop = deps.certificates.onRotated(({ intermediates, roots }: WorkloadCertificate) => {
    for (const authority of [...intermediates, ...roots])
      seen.set(Buffer.from(authority.der).toString("latin1"), authority);
    for (const oldest of seen.keys()) {
      if (seen.size <= MAX_AUTHORITIES) break;
      seen.delete(oldest);
    }
  });
  return {
    async list() {
      const pem = await deps.readRoots?.();
      const roots = decodeCertificates(pem ?? "");
      if (roots.kind === "bad") throw new MeshError("INPUT_INVALID", `CA's root certificates: ${roots.why}`);
      return [...roots.value, ...seen.values()];
    },
    [Symbol.dispose]: () => stop(),
  };
}
