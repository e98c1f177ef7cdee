import assert from "node:assert/strict";
import { test } from "node:test";
import { createCertificateSigningRequest } from "@meltemi/identity";
import {
  type Caller,
  type ClusterView,
  decideIssue,
  type IssueRequest,
  type PodFacts,
  parseTrustedNodeAccounts,
} from "./decide-issue.ts";

const DAY_MS = 24 * 3_600_000;
const policy = {
  trustDomain: "cluster.local",
  trustedNodeAccounts: [{ namespace: "istio-system", serviceAccount: "ztunnel" }],
  defaultTtlMs: DAY_MS,
  maxTtlMs: 90 * DAY_MS,
};
const csrPem = createCertificateSigningRequest({
  trustDomain: "evil",
  namespace: "kube-system",
  serviceAccount: "admin",
}).pem;
const ztunnel: Caller = {
  namespace: "istio-system",
  serviceAccount: "ztunnel",
  pod: { name: "ztunnel-a", uid: "uid-a" },
};
const client = "spiffe://cluster.local/ns/default/sa/client";

interface PodRow extends PodFacts {
  readonly namespace: string;
  readonly name: string;
}
const pod = (
  namespace: string,
  name: string,
  serviceAccount: string,
  node: string,
  more: Partial<PodRow> = {},
): PodRow => ({
  namespace,
  name,
  serviceAccount,
  node,
  uid: `uid-${name.split("-").at(-1)}`,
  ended: false,
  ...more,
});
const pods: readonly PodRow[] = [
  pod("istio-system", "ztunnel-a", "ztunnel", "node-a"),
  pod("istio-system", "ztunnel-b", "ztunnel", "node-b"),
  pod("istio-system", "ztunnel-pending", "ztunnel", ""),
  pod("istio-system", "ztunnel-ended", "ztunnel", "node-a", { ended: true }),
  pod("istio-system", "istiod-x", "istiod", "node-a"),
  pod("default", "client-1", "client", "node-a"),
  pod("default", "server-1", "server", "node-b"),
  pod("default", "job-1", "job", "node-a", { ended: true }),
  pod("other", "client-2", "client", "node-b"),
];
const view = (complete = true): ClusterView => ({
  complete,
  pod: (namespace, name) => pods.find((one) => one.namespace === namespace && one.name === name),
  podsOn: (node, { namespace, serviceAccount }) =>
    pods.filter(
      (one) => one.node === node && one.namespace === namespace && one.serviceAccount === serviceAccount,
    ),
});
const asking = (changes: Partial<IssueRequest> = {}): IssueRequest => ({
  csrPem,
  validitySeconds: 0n,
  impersonated: client,
  ...changes,
});

const issued = [
  {
    name: "a workload on the caller's node",
    request: asking(),
    caller: ztunnel,
    want: client,
    ttlMs: DAY_MS,
  },
  {
    name: "ztunnel itself",
    request: asking({ impersonated: "spiffe://cluster.local/ns/istio-system/sa/ztunnel" }),
    caller: ztunnel,
    want: "spiffe://cluster.local/ns/istio-system/sa/ztunnel",
    ttlMs: DAY_MS,
  },
  {
    name: "one's own identity, whatever the request says",
    request: asking({ impersonated: undefined }),
    caller: { namespace: "default", serviceAccount: "client" },
    want: client,
    ttlMs: DAY_MS,
  },
  {
    name: "own identity before the pods are listed",
    request: asking({ impersonated: undefined }),
    caller: ztunnel,
    complete: false,
    want: "spiffe://cluster.local/ns/istio-system/sa/ztunnel",
    ttlMs: DAY_MS,
  },
  {
    name: "the longest lifetime",
    request: asking({ validitySeconds: 7_776_000n }),
    caller: ztunnel,
    want: client,
    ttlMs: 90 * DAY_MS,
  },
  {
    name: "a negative lifetime means the default",
    request: asking({ validitySeconds: -5n }),
    caller: ztunnel,
    want: client,
    ttlMs: DAY_MS,
  },
  {
    name: "one second",
    request: asking({ validitySeconds: 1n }),
    caller: ztunnel,
    want: client,
    ttlMs: 1000,
  },
] as const;
for (const c of issued)
  test(`issued: ${c.name}`, () => {
    const got = decideIssue(c.request, c.caller, view(!("complete" in c)), policy);
    assert.equal(got.kind, "issue", got.kind === "refuse" ? got.detail : "");
    if (got.kind !== "issue") return;
    const { trustDomain, namespace, serviceAccount } = got.identity;
    assert.equal(`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`, c.want);
    assert.equal(got.ttlMs, c.ttlMs);
  });

const OPAQUE = "request impersonation authentication failure";
const impersonating = (
  impersonated: unknown,
): { readonly request: IssueRequest; readonly caller: Caller } => ({
  request: asking({ impersonated }),
  caller: ztunnel,
});
const from = (changes: Partial<Caller>): { readonly request: IssueRequest; readonly caller: Caller } => ({
  request: asking(),
  caller: { ...ztunnel, ...changes },
});
const refused: readonly {
  name: string;
  request: IssueRequest;
  caller: Caller;
  complete?: boolean;
  reason: string;
  message?: string;
}[] = [
  { name: "a number for an identity", ...impersonating(7), reason: "impersonation-not-text" },
  { name: "null for an identity", ...impersonating(null), reason: "impersonation-not-text" },
  { name: "an empty identity", ...impersonating(""), reason: "impersonation-malformed" },
  { name: "a path part too many", ...impersonating(`${client}/x`), reason: "impersonation-malformed" },
  {
    name: "an empty service account",
    ...impersonating("spiffe://cluster.local/ns/default/sa/"),
    reason: "impersonation-malformed",
  },
  {
    name: "no scheme",
    ...impersonating("cluster.local/ns/default/sa/client"),
    reason: "impersonation-malformed",
  },
  {
    name: "a foreign trust domain",
    ...impersonating("spiffe://evil/ns/default/sa/client"),
    reason: "impersonation-foreign-trust-domain",
  },
  {
    name: "a trust domain that differs in case",
    ...impersonating("spiffe://Cluster.local/ns/default/sa/client"),
    reason: "impersonation-foreign-trust-domain",
  },
  {
    name: "a caller that may not impersonate",
    ...from({ serviceAccount: "istiod", pod: { name: "istiod-x", uid: "uid-x" } }),
    reason: "impersonation-not-trusted",
  },
  {
    name: "the trusted name in another namespace",
    ...from({ namespace: "default" }),
    reason: "impersonation-not-trusted",
  },
  {
    name: "a token bound to no pod",
    request: asking(),
    caller: { namespace: "istio-system", serviceAccount: "ztunnel" },
    reason: "caller-not-in-a-pod",
  },
  {
    name: "a pod that does not exist",
    ...from({ pod: { name: "ztunnel-z", uid: "uid-z" } }),
    reason: "caller-pod-unknown",
  },
  {
    name: "a pod of an earlier life",
    ...from({ pod: { name: "ztunnel-a", uid: "uid-old" } }),
    reason: "caller-pod-replaced",
  },
  {
    name: "a pod of another account",
    ...from({ pod: { name: "istiod-x", uid: "uid-x" } }),
    reason: "caller-pod-of-other-account",
  },
  {
    name: "a pod that is not scheduled",
    ...from({ pod: { name: "ztunnel-pending", uid: "uid-pending" } }),
    reason: "caller-pod-not-scheduled",
  },
  {
    name: "a pod that has ended",
    ...from({ pod: { name: "ztunnel-ended", uid: "uid-ended" } }),
    reason: "caller-pod-ended",
  },
  {
    name: "a workload of another node",
    ...impersonating("spiffe://cluster.local/ns/default/sa/server"),
    reason: "no-such-workload-on-node",
  },
  {
    name: "another node's ztunnel asking for ours",
    ...from({ pod: { name: "ztunnel-b", uid: "uid-b" } }),
    reason: "no-such-workload-on-node",
  },
  {
    name: "the same account name in another namespace",
    ...impersonating("spiffe://cluster.local/ns/other/sa/client"),
    reason: "no-such-workload-on-node",
  },
  {
    name: "a workload whose pods have ended",
    ...impersonating("spiffe://cluster.local/ns/default/sa/job"),
    reason: "no-such-workload-on-node",
  },
  {
    name: "an account without pods",
    ...impersonating("spiffe://cluster.local/ns/default/sa/nobody"),
    reason: "no-such-workload-on-node",
  },
  {
    name: "anybody before the pods are listed",
    ...impersonating(client),
    complete: false,
    reason: "not-ready",
    message: "certificate authority is not ready",
  },
  {
    name: "an external signer",
    request: asking({ certSigner: "corp.example/signer" }),
    caller: ztunnel,
    reason: "external-signer",
    message: "CSR signing error (CertSigner",
  },
  {
    name: "a lifetime of a second too much",
    request: asking({ validitySeconds: 7_776_001n }),
    caller: ztunnel,
    reason: "ttl-too-long",
    message: "CSR signing error (requested TTL 7776001s is greater than the max allowed TTL 7776000s)",
  },
  {
    name: "the longest lifetime the wire can say",
    request: asking({ validitySeconds: 2n ** 63n - 1n }),
    caller: ztunnel,
    reason: "ttl-too-long",
    message: "CSR signing error",
  },
  {
    name: "no request",
    request: asking({ csrPem: "" }),
    caller: ztunnel,
    reason: "request-malformed",
    message: "CSR signing error (0 PEM blocks",
  },
  {
    name: "a request that is noise",
    request: asking({
      csrPem: "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----",
    }),
    caller: ztunnel,
    reason: "request-malformed",
    message: "CSR signing error (request information: missing)",
  },
  {
    name: "a request without end",
    request: asking({ csrPem: csrPem + "A".repeat(1 << 20) }),
    caller: ztunnel,
    reason: "request-malformed",
    message: "CSR signing error (request of",
  },
];
for (const c of refused)
  test(`refused: ${c.name}`, () => {
    const got = decideIssue(c.request, c.caller, view(c.complete), policy);
    assert.equal(got.kind, "refuse");
    if (got.kind !== "refuse") return;
    assert.equal(got.reason, c.reason);
    assert.ok(got.message.startsWith(c.message ?? OPAQUE), got.message);
    const code =
      c.message === undefined
        ? "UNAUTHENTICATED"
        : c.reason === "not-ready"
          ? "UNAVAILABLE"
          : "INVALID_ARGUMENT";
    assert.equal(got.code, code);
  });

test("trusted accounts are read strictly", () => {
  const problems: string[] = [];
  assert.deepEqual(parseTrustedNodeAccounts(" istio-system/ztunnel, a/b ,", problems), [
    { namespace: "istio-system", serviceAccount: "ztunnel" },
    { namespace: "a", serviceAccount: "b" },
  ]);
  assert.deepEqual(parseTrustedNodeAccounts("", problems), []);
  assert.deepEqual(problems, []);
  assert.deepEqual(parseTrustedNodeAccounts("ztunnel,a/b/c,/x", problems), []);
  assert.equal(problems.length, 3);
});
