/** Whether a caller gets the certificate it asks for (reference: protocol §4.3). Pure; the whole of the CA's policy. */

import { readCertificateSigningRequest } from "@meltemi/identity";
import { formatIdentity, type Identity, parseIdentity } from "@meltemi/model";

export interface ServiceAccountName {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Who called, as the API server's TokenReview says. Pod claims are there when the token is bound to a pod. */
export interface Caller extends ServiceAccountName {
  readonly pod?: { readonly name: string; readonly uid: string };
}

/** What the decision must know of a pod. */
export interface PodFacts {
  readonly uid: string;
  readonly serviceAccount: string;
  /** Empty while it is not scheduled. */
  readonly node: string;
  /** Succeeded or Failed: its processes have ended and will not come back. */
  readonly ended: boolean;
}

/** The cluster as far as this decision looks at it. */
export interface ClusterView {
  /** False until every pod has been listed once: nobody can be vouched for before. */
  readonly complete: boolean;
  pod(namespace: string, name: string): PodFacts | undefined;
  /** Pods of this service account on this node. */
  podsOn(node: string, account: ServiceAccountName): readonly PodFacts[];
}

/** CreateCertificate as it came from the wire. */
export interface IssueRequest {
  readonly csrPem: string;
  /** Seconds; zero and less mean the default. */
  readonly validitySeconds: bigint;
  /** `metadata.fields["ImpersonatedIdentity"]`, whatever its type; undefined when absent. */
  readonly impersonated: unknown;
  /** `metadata.fields["CertSigner"]`: an external signer, which this CA has none of. */
  readonly certSigner?: unknown;
}

export interface IssuePolicy {
  readonly trustDomain: string;
  /** Who may ask for others: the nodes' proxies (`CA_TRUSTED_NODE_ACCOUNTS`). */
  readonly trustedNodeAccounts: readonly ServiceAccountName[];
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
}

/** Precise reasons, for our log and metric; the peer hears only {@link IssueDecision}'s `message`. */
type RefusalReason =
  | "not-ready"
  | "external-signer"
  | "impersonation-not-text"
  | "impersonation-malformed"
  | "impersonation-foreign-trust-domain"
  | "impersonation-not-trusted"
  | "caller-not-in-a-pod"
  | "caller-pod-unknown"
  | "caller-pod-replaced"
  | "caller-pod-of-other-account"
  | "caller-pod-not-scheduled"
  | "caller-pod-ended"
  | "no-such-workload-on-node"
  | "request-malformed"
  | "ttl-too-long";

export type IssueDecision =
  | {
      readonly kind: "issue";
      readonly identity: Identity;
      readonly publicKeySpki: Uint8Array;
      readonly ttlMs: number;
    }
  | {
      readonly kind: "refuse";
      readonly code: "UNAUTHENTICATED" | "INVALID_ARGUMENT" | "UNAVAILABLE";
      /** For the peer. About impersonation it tells nothing: a thief of a token learns nothing of the cluster. */
      readonly message: string;
      readonly reason: RefusalReason;
      /** For our log. */
      readonly detail: string;
    };

type Refusal = Extract<IssueDecision, { kind: "refuse" }>;

/** Cheap checks stand before the request's signature is verified, so that only entitled callers cost cryptography. */
export function decideIssue(
  request: IssueRequest,
  caller: Caller,
  view: ClusterView,
  policy: IssuePolicy,
): IssueDecision {
  const subject = decideIdentity(request.impersonated, caller, view, policy);
  if ("kind" in subject) return subject;
  if (request.certSigner !== undefined)
    return invalidRequest("external-signer", "CertSigner: no external signer is configured");
  const ttlMs = request.validitySeconds <= 0n ? policy.defaultTtlMs : Number(request.validitySeconds) * 1000;
  if (ttlMs > policy.maxTtlMs) {
    const detail = `requested TTL ${ttlMs / 1000}s is greater than the max allowed TTL ${policy.maxTtlMs / 1000}s`;
    return invalidRequest("ttl-too-long", detail);
  }
  const csr = readCertificateSigningRequest(request.csrPem);
  if (csr.kind === "bad") return invalidRequest("request-malformed", csr.why);
  return { kind: "issue", identity: subject, publicKeySpki: csr.value.publicKey.spki, ttlMs };
}

/** The identity to certify. What the request itself wishes to be called is never looked at. */
function decideIdentity(
  impersonated: unknown,
  caller: Caller,
  view: ClusterView,
  policy: IssuePolicy,
): Identity | Refusal {
  const { namespace, serviceAccount } = caller;
  if (impersonated === undefined) return { trustDomain: policy.trustDomain, namespace, serviceAccount };
  if (typeof impersonated !== "string")
    return opaque("impersonation-not-text", `ImpersonatedIdentity is a ${typeof impersonated}`);
  const wanted = parseIdentity(impersonated);
  if (wanted === undefined)
    return opaque(
      "impersonation-malformed",
      `not a SPIFFE identity: ${JSON.stringify(impersonated.slice(0, 256))}`,
    );
  const asked = formatIdentity(wanted);
  if (wanted.trustDomain !== policy.trustDomain)
    return opaque(
      "impersonation-foreign-trust-domain",
      `${asked}, trust domain here is ${policy.trustDomain}`,
    );
  if (!policy.trustedNodeAccounts.some((trusted) => sameAccount(trusted, caller)))
    return opaque("impersonation-not-trusted", `${namespace}/${serviceAccount} asked for ${asked}`);
  if (!view.complete)
    return {
      kind: "refuse",
      code: "UNAVAILABLE",
      message: "certificate authority is not ready",
      reason: "not-ready",
      detail: "pods are not listed yet",
    };
  return nodeFault(wanted, caller, view) ?? wanted;
}

/** A node's proxy may have certificates of the workloads on its own node only: stolen, it is worth one node. */
function nodeFault(wanted: Identity, caller: Caller, view: ClusterView): Refusal | undefined {
  const claim = caller.pod;
  const who = `${caller.namespace}/${caller.serviceAccount}`;
  if (claim === undefined) return opaque("caller-not-in-a-pod", `token of ${who} is bound to no pod`);
  const own = view.pod(caller.namespace, claim.name);
  const name = `pod ${caller.namespace}/${claim.name}`;
  if (own === undefined) return opaque("caller-pod-unknown", name);
  if (own.uid !== claim.uid)
    return opaque("caller-pod-replaced", `${name} has uid ${own.uid}, token says ${claim.uid}`);
  if (own.serviceAccount !== caller.serviceAccount)
    return opaque("caller-pod-of-other-account", `${name} runs as ${own.serviceAccount}, token says ${who}`);
  if (own.node === "") return opaque("caller-pod-not-scheduled", name);
  if (own.ended) return opaque("caller-pod-ended", name);
  if (view.podsOn(own.node, wanted).some((pod) => !pod.ended)) return undefined;
  return opaque(
    "no-such-workload-on-node",
    `${formatIdentity(wanted)} has no running pod on node ${own.node}`,
  );
}

/** Reads `CA_TRUSTED_NODE_ACCOUNTS`: `namespace/name,…`. Malformed entries are told in `problems`. */
export function parseTrustedNodeAccounts(text: string, problems: string[]): readonly ServiceAccountName[] {
  const accounts: ServiceAccountName[] = [];
  for (const entry of text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")) {
    const [namespace, serviceAccount, ...rest] = entry.split("/");
    if (!namespace || !serviceAccount || rest.length > 0)
      problems.push(`CA_TRUSTED_NODE_ACCOUNTS: expected namespace/name, got ${JSON.stringify(entry)}`);
    else accounts.push({ namespace, serviceAccount });
  }
  return accounts;
}

function sameAccount(a: ServiceAccountName, b: ServiceAccountName): boolean {
  return a.namespace === b.namespace && a.serviceAccount === b.serviceAccount;
}

function opaque(reason: RefusalReason, detail: string): Refusal {
  const message = "request impersonation authentication failure";
  return { kind: "refuse", code: "UNAUTHENTICATED", message, reason, detail };
}

function invalidRequest(reason: RefusalReason, detail: string): Refusal {
  return {
    kind: "refuse",
    code: "INVALID_ARGUMENT",
    message: `CSR signing error (${detail})`,
    reason,
    detail,
  };
}
