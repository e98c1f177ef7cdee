import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ip } from "@meltemi/model";
import type {
  PolicyCondition,
  PolicyOperation,
  PolicyRule,
  PolicySource,
  RequestPolicy,
} from "@meltemi/model/l7";
import { bearer, claims, jwtRule, KEY, NOW, OTHER } from "../authentication/token-filter.fixture.ts";
import { authorizer, customPolicy } from "../external-authorization/authorizer.fixture.ts";
import type { LocalReply } from "../request-context.ts";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import { newToken } from "../signatures/token.fixture.ts";
import { buildFilters, type FilterInput } from "./build-filters.ts";
import { buildConnectionAuthorizer } from "./connection-authorizer.ts";
import { FilterMemory } from "./filter-memory.ts";
import { ANY_OPERATION, judge, TestClock } from "./services.fixture.ts";

const ANY_SOURCE: PolicySource = {
  principals: [],
  notPrincipals: [],
  requestPrincipals: [],
  notRequestPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  ipBlocks: [],
  notIpBlocks: [],
  remoteIpBlocks: [],
  notRemoteIpBlocks: [],
  trustDomains: [],
  notTrustDomains: [],
};

function rule(
  from: Partial<PolicySource> | undefined,
  to?: Partial<PolicyOperation>,
  ...when: readonly PolicyCondition[]
): PolicyRule {
  return {
    from: from === undefined ? [] : [{ ...ANY_SOURCE, ...from }],
    to: to === undefined ? [] : [{ ...ANY_OPERATION, ...to }],
    when,
  };
}

function policy(action: RequestPolicy["action"], ...rules: readonly PolicyRule[]): RequestPolicy {
  return { namespace: "ns", name: "policy", action, dryRun: false, rules };
}

function input(fields: Partial<FilterInput>): FilterInput {
  return {
    scope: "ns/echo",
    jwtRules: [],
    policies: [],
    rateLimits: [],
    settings: { trustDomain: "cluster.local", trustDomainAliases: [], authorizers: [authorizer({})] },
    cluster: () => undefined,
    ...fields,
  };
}

function filters(fields: Partial<FilterInput>, problems: string[] = []) {
  const clock = new TestClock();
  clock.ms = NOW * 1000;
  const onProblem = (problem: string): void => void problems.push(problem);
  return buildFilters(input(fields), { memory: new FilterMemory({ clock }), onProblem });
}

async function ask(fields: Partial<FilterInput>, request: SampleRequest): Promise<LocalReply | undefined> {
  return judge(filters(fields), sampleRequest(request));
}

test("what is not configured is not there; what is stands in Istio's order", () => {
  assert.deepEqual(filters({}), []);
  const limit = {
    namespace: "ns",
    name: "l",
    operations: [],
    keys: [],
    limit: { kind: "local", requests: 1, perMs: 1, burst: 1 },
  } as const;
  const all = filters({
    jwtRules: [jwtRule()],
    policies: [policy("allow"), customPolicy("opa")],
    rateLimits: [limit],
  });
  assert.deepEqual(
    all.map(({ name }) => name),
    ["ext_authz", "jwt_authn", "rbac", "ratelimit"],
  );
  assert.deepEqual(
    filters({ policies: [customPolicy("opa")] }).map(({ name }) => name),
    ["ext_authz"],
  );
  assert.deepEqual(filters({ policies: [{ ...policy("audit"), dryRun: true }] }), []);
});

/** As Istio's integration tests of these names (reference: l7-and-cli §8.3). */
describe("TestAuthorizationL7", () => {
  const SLEEP: SampleRequest = { callerNamespace: "sleep" };
  const policies = [
    policy(
      "allow",
      rule({ principals: ["cluster.local/ns/sleep/sa/default"] }, { paths: ["/principal"] }),
      rule({ namespaces: ["sl*"] }, { paths: ["/ns*"], methods: ["GET"] }),
      rule(undefined, { paths: ["*/wildcard"] }),
      rule(
        undefined,
        { paths: ["/headers"] },
        { key: "request.headers[x-token]", values: ["admin"], notValues: [] },
      ),
      rule(undefined, { paths: ["/explicit"] }),
    ),
    policy("deny", rule(undefined, { paths: ["/explicit/deny", "/explicit"], methods: ["DELETE"] })),
  ];
  const cases: readonly (readonly [name: string, request: SampleRequest, allowed: boolean])[] = [
    ["identity", { ...SLEEP, path: "/principal" }, true],
    ["another identity", { callerNamespace: "other", path: "/principal" }, false],
    ["no identity", { path: "/principal" }, false],
    ["namespace and method", { ...SLEEP, path: "/ns/a" }, true],
    ["another method", { ...SLEEP, path: "/ns/a", method: "PUT" }, false],
    ["suffix", { path: "/a/wildcard" }, true],
    ["query is no path", { path: "/x?/wildcard" }, false],
    ["header", { path: "/headers", headers: { "x-token": "admin" } }, true],
    ["another value", { path: "/headers", headers: { "x-token": "guest" } }, false],
    ["no header", { path: "/headers" }, false],
    ["no rule", { ...SLEEP, path: "/other" }, false],
    ["allowed beside a deny", { path: "/explicit" }, true],
    ["explicit deny over allow", { path: "/explicit", method: "DELETE" }, false],
  ];
  for (const [name, request, allowed] of cases)
    test(name, async () => {
      const reply = await ask({ policies }, request);
      assert.equal(reply === undefined, allowed);
      if (reply === undefined) return;
      assert.deepEqual([reply.status, reply.body], [403, "RBAC: access denied"]);
      const by = name.startsWith("explicit") ? "ns[ns]-policy[policy]-rule[0]" : "none";
      assert.equal(reply.details, `rbac_access_denied_matched_policy[${by}]`);
    });
});

describe("TestL7JWT", () => {
  const policies = [
    policy(
      "allow",
      rule({ requestPrincipals: ["https://issuer/sub-1"] }),
      rule(undefined, { paths: ["/healthz"] }),
    ),
  ];
  const token = (more: Readonly<Record<string, unknown>>, key = KEY): SampleRequest =>
    bearer(newToken(key, { ...claims, ...more }));
  const cases: readonly (readonly [name: string, request: SampleRequest, status: number])[] = [
    ["no token", {}, 403],
    ["sub-1", token({ sub: "sub-1" }), 200],
    ["sub-2", token({ sub: "sub-2" }), 403],
    [
      "sub-3, whose issuer no rule of this waypoint knows",
      token({ sub: "sub-3", iss: "https://third" }, OTHER),
      401,
    ],
    ["expired", token({ sub: "sub-1", exp: NOW - 3600 }), 401],
    ["/healthz", { path: "/healthz" }, 200],
    ["/healthz with a bad token", { ...bearer("bad"), path: "/healthz" }, 401],
  ];
  for (const [name, request, status] of cases)
    test(name, async () => {
      const reply = await ask({ jwtRules: [jwtRule()], policies }, request);
      assert.equal(reply?.status ?? 200, status);
    });
});

describe("notes", () => {
  test("AUDIT and policies on trial leave their marks, and change nothing", async () => {
    const policies = [
      policy("audit", rule(undefined)),
      { ...policy("deny", rule(undefined)), dryRun: true },
      { ...policy("allow"), dryRun: true },
    ];
    const context = sampleRequest();
    assert.equal(await judge(filters({ policies }), context), undefined);
    assert.deepEqual(context.metadata.get("envoy.common"), { access_log_hint: true });
    assert.deepEqual(context.metadata.get("envoy.filters.http.rbac"), {
      istio_dry_run_deny_shadow_engine_result: "denied",
      istio_dry_run_deny_shadow_effective_policy_id: "ns[ns]-policy[policy]-rule[0]",
      istio_dry_run_allow_shadow_engine_result: "denied",
    });
  });
  test("what cannot be met is told", () => {
    const problems: string[] = [];
    filters(
      { jwtRules: [jwtRule({ jwks: "" })], policies: [policy("deny", rule({ ipBlocks: ["x"] }))] },
      problems,
    );
    assert.equal(problems.length, 2);
    assert.match(
      problems.join("\n"),
      /ipBlocks.*\n.*keys of issuer https:\/\/issuer: Jwks is an invalid JSON/,
    );
  });
});

describe("connections", () => {
  const caller = {
    ip: ip("10.0.0.1"),
    port: 1,
    identity: { trustDomain: "old", namespace: "a", serviceAccount: "b" },
    workload: undefined,
    labels: {},
  };
  const settings = { trustDomain: "cluster.local", trustDomainAliases: ["old"] };
  const authorize = (...policies: readonly RequestPolicy[]): string | undefined =>
    buildConnectionAuthorizer({ policies, settings: { ...settings, authorizers: [] } })({
      caller,
      destination: { ip: ip("10.96.0.1"), port: 3306 },
      serverName: "db.example",
    });
  const denied = (by: string): string => `rbac_access_denied_matched_policy[${by}]`;
  const first = "ns[ns]-policy[policy]-rule[0]";
  test("without policies pass", () => assert.equal(authorize(), undefined));
  test("by identity, name of the mesh before or now", () =>
    assert.equal(authorize(policy("allow", rule({ principals: ["cluster.local/ns/a/sa/b"] }))), undefined));
  test("by server name and port", () => {
    const sni = { key: "connection.sni", values: ["db.*"], notValues: [] };
    assert.equal(authorize(policy("deny", rule(undefined, { ports: [3306] }, sni))), denied(first));
  });
  test("an ALLOW rule on requests allows no connection", () =>
    assert.equal(authorize(policy("allow", rule(undefined, { methods: ["GET"] }))), denied("none")));
  test("a DENY rule on requests denies every connection it is of", () => {
    assert.equal(authorize(policy("deny", rule(undefined, { methods: ["GET"] }))), denied(first));
    assert.equal(authorize(policy("deny", rule(undefined, { methods: ["GET"], ports: [80] }))), undefined);
  });
  test("what a provider would have to judge is refused", () => {
    assert.equal(authorize(policy({ provider: "opa" }, rule({ namespaces: ["a"] }))), denied(first));
    assert.equal(authorize(policy({ provider: "opa" }, rule({ namespaces: ["x"] }))), undefined);
  });
});
