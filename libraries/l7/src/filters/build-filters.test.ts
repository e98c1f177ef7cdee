import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ip } from "@meltemi/model";
import type {
  ExternalAuthorizer,
  PolicyCondition,
  PolicyOperation,
  PolicyRule,
  PolicySource,
  RequestPolicy,
} from "@meltemi/model/l7";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { externalAuthorization as wire } from "@meltemi/wire";
import { bearer, claims, jwtRule, KEY, NOW, OTHER } from "../authentication/token-filter.fixture.ts";
import { authorizer, customPolicy } from "../external-authorization/authorizer.fixture.ts";
import { CHECK_PATH } from "../external-authorization/grpc-authorizer.ts";
import type { LocalReply } from "../request-context.ts";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import { newToken } from "../signatures/token.fixture.ts";
import type { ClientConnectionFacts, TcpSite } from "../tcp/tcp-site.ts";
import type { LiveCluster } from "../upstream/live-cluster.ts";
import { buildFilters, type FilterInput } from "./build-filters.ts";
import { buildConnectionAuthorizer } from "./connection-authorizer.ts";
import { FilterMemory } from "./filter-memory.ts";
import { FilterMeter, type UnjudgedPass } from "./filter-meter.ts";
import {
  ANY_OPERATION,
  clusterAt,
  type GrpcServer,
  judge,
  startGrpcServer,
  TestClock,
} from "./services.fixture.ts";

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
  const CONNECTION: ClientConnectionFacts = {
    caller,
    destination: { ip: ip("10.96.0.1"), port: 3306 },
    serverName: "db.example",
  };
  const authorizerOf = (
    policies: readonly RequestPolicy[],
    authorizers: readonly ExternalAuthorizer[] = [],
    cluster?: LiveCluster,
    memory: FilterMemory = new FilterMemory({ clock: systemClock }),
  ): TcpSite["authorize"] =>
    buildConnectionAuthorizer(
      { policies, settings: { ...settings, authorizers }, cluster: () => cluster },
      { memory },
    ).authorize;
  const authorize = (...policies: readonly RequestPolicy[]): string | undefined => {
    const verdict = authorizerOf(policies)(CONNECTION);
    assert.ok(!(verdict instanceof Promise), "nobody has to be asked");
    return verdict?.details;
  };
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
  test("open ones are judged by policies alone; without policies there is nothing to judge", () => {
    const rejudge = (...policies: readonly RequestPolicy[]): string | undefined =>
      buildConnectionAuthorizer(
        { policies, settings: { ...settings, authorizers: [] }, cluster: () => undefined },
        { memory: new FilterMemory({ clock: systemClock }) },
      ).rejudge?.(CONNECTION);
    assert.equal(rejudge(), undefined);
    assert.equal(rejudge(policy({ provider: "opa" }, rule(undefined))), undefined);
    assert.equal(rejudge(policy("deny", rule({ namespaces: ["a"] }))), denied(first));
  });
  test("a provider that nobody knows refuses what it would have to judge", async () => {
    const details = async (namespace: string): Promise<string | undefined> =>
      (await authorizerOf([policy({ provider: "opa" }, rule({ namespaces: [namespace] }))])(CONNECTION))
        ?.details;
    assert.equal(await details("a"), denied(`${first}-deny-due-to-bad-CUSTOM-action`));
    assert.equal(await details("x"), undefined);
  });
  test("a provider over HTTP is not asked and refuses, open to failures or not", async () => {
    const opa = authorizer({ protocol: "http", failOpen: true });
    const denial = await authorizerOf([policy({ provider: "opa" }, rule(undefined))], [opa])(CONNECTION);
    assert.deepEqual([denial?.flag, denial?.details], ["UAEX", "ext_authz_error"]);
    assert.match(denial?.upstreamFailure ?? "", /opa is asked over HTTP.*expected envoyExtAuthzGrpc/);
  });

  describe("of a provider over gRPC", () => {
    let server: GrpcServer;
    let cluster: LiveCluster;
    let asked: wire.AttributeContext | undefined;
    before(async () => {
      server = await startGrpcServer(CHECK_PATH);
      cluster = clusterAt(server.port, "http2");
    });
    after(() => {
      cluster.drain();
      server.close();
    });
    const ask = (
      code: number | undefined,
      fields: Partial<ExternalAuthorizer> = {},
      memory?: FilterMemory,
      more: readonly RequestPolicy[] = [],
    ): ReturnType<TcpSite["authorize"]> => {
      server.answer = (message) => {
        asked = fromBinary(wire.CheckRequestSchema, message).attributes;
        return code === undefined
          ? undefined
          : toBinary(wire.CheckResponseSchema, create(wire.CheckResponseSchema, { status: { code } }));
      };
      const policies = [policy({ provider: "opa" }, rule(undefined)), ...more];
      return authorizerOf(
        policies,
        [authorizer({ protocol: "grpc", ...fields })],
        cluster,
        memory,
      )(CONNECTION);
    };
    test("it is told who calls whom, and nothing of HTTP", async () => {
      assert.equal(await ask(0), undefined);
      assert.equal(asked?.source?.principal, "spiffe://old/ns/a/sa/b");
      assert.equal(asked.source.address?.socketAddress?.address, "10.0.0.1");
      assert.equal(asked.destination?.address?.socketAddress?.portValue, 3306);
      assert.deepEqual([asked.request, asked.tlsSession?.sni], [undefined, "db.example"]);
    });
    test("it refuses", async () =>
      assert.deepEqual(await ask(7), { flag: "UAEX", details: "ext_authz_denied", upstreamFailure: "" }));
    test("it allows, and a DENY policy refuses all the same", async () => {
      const denial = await ask(0, {}, undefined, [policy("deny", rule(undefined, { ports: [3306] }))]);
      assert.deepEqual([denial?.flag, denial?.details], ["", denied(first)]);
    });
    test("it does not answer: refused, or let pass, counted and told", async () => {
      const registry = createRegistry();
      const passed: UnjudgedPass[] = [];
      const meter = new FilterMeter({ registry, onUnjudgedPass: (one) => void passed.push(one) });
      const memory = new FilterMemory({ clock: systemClock, meter });
      const denial = await ask(undefined, {}, memory);
      assert.deepEqual([denial?.flag, denial?.details], ["UAEX", "ext_authz_error"]);
      assert.match(denial?.upstreamFailure ?? "", /14 not now/);
      assert.equal(await ask(undefined, { failOpen: true }, memory), undefined);
      const counted = registry.exposition(undefined).body;
      assert.match(
        counted,
        /^# TYPE envoy_ext_authz_tcp_error unknown\nenvoy_ext_authz_tcp_error\{provider="opa"\} 2$/m,
      );
      assert.match(counted, /^envoy_ext_authz_tcp_failure_mode_allowed\{provider="opa"\} 1$/m);
      assert.deepEqual(passed, [{ filter: "ext_authz", name: "opa", why: "gRPC status 14 not now" }]);
    });
  });
});
