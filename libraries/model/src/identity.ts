/** SPIFFE identity of a workload: `spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>` (reference: protocol §1.1). */

export interface Identity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

export const DEFAULT_TRUST_DOMAIN = "cluster.local";

/** Strict: exactly the five path parts, none empty; anything else is undefined. */
export function parseIdentity(text: string): Identity | undefined {
  const prefix = "spiffe://";
  if (!text.startsWith(prefix)) return undefined;
  const parts = text.slice(prefix.length).split("/");
  const [trustDomain, ns, namespace, sa, serviceAccount] = parts;
  if (parts.length !== 5 || ns !== "ns" || sa !== "sa") return undefined;
  if (!trustDomain || !namespace || !serviceAccount) return undefined;
  return { trustDomain, namespace, serviceAccount };
}

export function formatIdentity(identity: Identity): string {
  return `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  return (
    a.trustDomain === b.trustDomain && a.namespace === b.namespace && a.serviceAccount === b.serviceAccount
  );
}
