/**
 * Keeps certificates warm for the identities of this node's workloads (reference: protocol §3.2, §4.2): fetched before
 * the first connection asks, forgotten when the last workload of the identity has left.
 */

import type { CertificateManager } from "@meltemi/identity";
import {
  type AddressChange,
  formatIdentity,
  type Identity,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";

export interface CertificatePrefetch {
  /** To be called with every batch of changes. */
  follow(changes: readonly AddressChange[]): void;
}

export function createCertificatePrefetch(
  options: { readonly node: string },
  deps: { readonly certificates: Pick<CertificateManager, "get" | "forget"> },
): CertificatePrefetch {
  const identityByUid = new Map<string, Identity>();
  const usersByIdentity = new Map<string, number>();

  const retain = (identity: Identity): void => {
    const key = formatIdentity(identity);
    const users = (usersByIdentity.get(key) ?? 0) + 1;
    usersByIdentity.set(key, users);
    // A failure is retried by the manager, and told by it; whoever needs the certificate gets the error himself.
    if (users === 1) deps.certificates.get(identity, "warmup").catch(() => undefined);
  };
  const release = (identity: Identity): void => {
    const key = formatIdentity(identity);
    const users = (usersByIdentity.get(key) ?? 1) - 1;
    if (users > 0) {
      usersByIdentity.set(key, users);
      return;
    }
    usersByIdentity.delete(key);
    deps.certificates.forget(identity);
  };
  /** Retains before it releases, so that an identity that stays keeps its certificate. */
  const replace = (uid: string, next: Identity | undefined): void => {
    const before = identityByUid.get(uid);
    if (next === undefined) identityByUid.delete(uid);
    else {
      identityByUid.set(uid, next);
      retain(next);
    }
    if (before !== undefined) release(before);
  };
  const isLocal = (workload: Workload): boolean =>
    options.node !== "" &&
    workload.node === options.node &&
    (workload.tunnelProtocol === "hbone" || workload.nativeTunnel);

  return {
    follow(changes) {
      for (const change of changes) {
        if (change.kind === "remove") replace(change.name, undefined);
        if (change.kind !== "workload") continue;
        const { workload } = change;
        replace(workload.uid, isLocal(workload) ? workloadIdentity(workload) : undefined);
      }
    },
  };
}
