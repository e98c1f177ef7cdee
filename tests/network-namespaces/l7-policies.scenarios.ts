/** Who may call and how often: policies that a waypoint enforces on requests (reference: l7-and-cli §8.3, §2.1, §2.3). */

import assert from "node:assert/strict";
import type { Answer } from "./l7-calls.fixture.ts";
import { APPS, authorization, rateLimit, requestAuthentication } from "./l7-objects.fixture.ts";
import type { Check, Scenario, Want } from "./l7-scenario.fixture.ts";
import { bearer, ISSUER, JWKS, token, unsignedToken } from "./l7-tokens.fixture.ts";

const DENIED: Want = { status: 403, body: "RBAC: access denied" };
const ALLOWED: Want = { l7: true };

const principal = (account: string, namespace: string = APPS): string =>
  `cluster.local/ns/${namespace}/sa/${account}`;
const from = (source: object): object => ({ from: [{ source }] });
const to = (operation: object): object => ({ to: [{ operation }] });
const when = (key: string, ...values: readonly string[]): object => ({ when: [{ key, values }] });

const calls = (path: string, want: Want, more: Partial<Extract<Check, { http: string }>> = {}): Check => ({
  http: path,
  want,
  ...more,
});

const AUTHORIZATION: readonly Scenario[] = [
  {
    name: "TestAuthorizationServiceAttached, by principal",
    objects: (service) => [authorization(service, { rules: [from({ principals: [principal("client")] })] })],
    checks: [
      calls("/", DENIED, { from: "other" }),
      calls("/", DENIED, { from: "consumer" }),
      calls("/", ALLOWED, { from: "client" }),
      calls("/", ALLOWED, { from: "other", to: "echo-v1.apps" }),
    ],
  },
  {
    name: "TestAuthorizationServiceAttached, by header",
    objects: (service) => [authorization(service, { rules: [when("request.headers[x-access]", "open*")] })],
    checks: [
      calls("/", DENIED),
      calls("/", DENIED, { headers: { "x-access": "closed" } }),
      calls("/", ALLOWED, { headers: { "x-access": "opened" } }),
    ],
  },
  {
    name: "TestAuthorizationL7",
    objects: (service) => [
      authorization(service, {
        rules: [
          to({ paths: ["/allowed"], methods: ["GET"] }),
          { ...to({ paths: ["/allowed-identity"] }), ...from({ principals: [principal("client")] }) },
          { ...to({ paths: ["/allowed-wildcard*"] }), ...from({ principals: ["cluster.local/ns/apps/*"] }) },
          { ...to({ paths: ["/allowed-header"] }), ...when("request.headers[x-allowed]", "yes") },
          { ...to({ paths: ["/allowed-namespace"] }), ...from({ namespaces: ["consumer"] }) },
          to({ paths: ["/items/{*}/price", "/tree/{**}"] }),
          to({ paths: ["*.css"], hosts: ["styles.example"] }),
          to({ paths: ["/explicit-deny"] }),
          to({ paths: ["/only-port"], ports: ["8080"] }),
        ],
      }),
      authorization(
        service,
        { action: "DENY", rules: [to({ paths: ["/explicit-deny"] }), from({ serviceAccounts: ["nobody"] })] },
        `${service}-deny`,
      ),
    ],
    checks: [
      calls("/", DENIED),
      calls("/allowed", ALLOWED),
      calls("/allowed?with=query", ALLOWED),
      calls("/allowed", DENIED, { method: "POST" }),
      calls("/allowed/more", DENIED),
      calls("/allowed-identity", ALLOWED),
      calls("/allowed-identity", DENIED, { from: "other" }),
      calls("/allowed-wildcard/any", ALLOWED, { from: "other" }),
      calls("/allowed-wildcard/any", DENIED, { from: "consumer" }),
      calls("/allowed-header", DENIED),
      calls("/allowed-header", ALLOWED, { headers: { "x-allowed": "yes" } }),
      calls("/allowed-namespace", ALLOWED, { from: "consumer" }),
      calls("/allowed-namespace", DENIED),
      calls("/items/7/price", ALLOWED),
      calls("/items/7/8/price", DENIED),
      calls("/tree/a/b/c", ALLOWED),
      calls("/a.css", DENIED),
      calls("/a.css", ALLOWED, { headers: { Host: "STYLES.example" } }),
      calls("/explicit-deny", DENIED),
      calls("/only-port", DENIED),
      calls("/only-port", ALLOWED, { port: 8080 }),
    ],
  },
  {
    name: "paths are compared as they will be read",
    objects: (service) => [authorization(service, { action: "DENY", rules: [to({ paths: ["/admin*"] })] })],
    checks: [
      calls("/admin/x", DENIED),
      { call: (host) => raw(host, "/public/../admin/x"), want: { body: /^HTTP\/1\.1 403 / } },
      { call: (host) => raw(host, "/%61dmin/x"), want: { body: /^HTTP\/1\.1 403 / } },
      { call: (host) => raw(host, "/.\\admin"), want: { body: /^HTTP\/1\.1 403 / } },
      calls("/public", ALLOWED),
    ],
  },
  {
    name: "an ALLOW without rules denies all, with an empty rule allows all",
    objects: (service) => [
      authorization(service, { action: "ALLOW" }),
      authorization(service, { rules: [to({ paths: ["/open"] })] }, `${service}-open`),
    ],
    checks: [calls("/", DENIED), calls("/open", ALLOWED)],
  },
  {
    name: "AUDIT and dry runs decide nothing",
    objects: (service) => [
      authorization(service, { action: "AUDIT", rules: [{}] }),
      authorization(service, { action: "DENY", rules: [{}] }, `${service}-dry`, {
        "istio.io/dry-run": "true",
      }),
      authorization(service, { action: "DENY", rules: [to({ paths: ["/closed"] })] }, `${service}-wet`),
    ],
    checks: [calls("/closed", DENIED), calls("/", ALLOWED)],
  },
  {
    name: "gRPC is denied as gRPC understands it",
    objects: (service) => [
      authorization(service, { action: "DENY", rules: [to({ paths: ["/echo.Echo/Say"] })] }),
    ],
    checks: [
      { call: (host) => ({ kind: "grpc", target: `${host}:7070` }), want: { status: 7 } },
      { call: (host) => ({ kind: "grpc", target: `${host}:7070`, method: "Other" }), want: {} },
    ],
  },
  {
    name: "TCP is denied by its attributes",
    objects: (service) => [
      authorization(service, {
        action: "DENY",
        rules: [{ ...to({ ports: ["9090"] }), ...from({ namespaces: [APPS] }) }],
      }),
    ],
    checks: [
      { call: (host) => bytes(host), want: { error: /ECONNRESET|without an answer/ } },
      { from: "consumer", call: (host) => bytes(host), want: { body: /^echo-v/ } },
    ],
  },
];

const bytes = (host: string) =>
  ({ kind: "bytes", host, port: 9090, send: "hello\n", until: "hello\n" }) as const;

/** A request line as it stands: clients of better manners tidy it. */
const raw = (host: string, path: string) =>
  ({
    kind: "bytes",
    host,
    port: 80,
    send: `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  }) as const;

const JWT_RULE = { issuer: ISSUER, jwks: JWKS };
const requires = (service: string, rule: object): readonly object[] => [
  requestAuthentication(service, { jwtRules: [{ ...JWT_RULE, ...rule }] }),
  authorization(service, { rules: [from({ requestPrincipals: [`${ISSUER}/*`] })] }),
];
const isRefused = (body: string): Want => ({ status: 401, body });

const TOKENS: readonly Scenario[] = [
  {
    name: "TestL7JWT",
    objects: (service) => [
      requestAuthentication(service, { jwtRules: [JWT_RULE] }),
      {
        apiVersion: "security.istio.io/v1",
        kind: "RequestAuthentication",
        metadata: { name: `${service}-selector`, namespace: APPS },
        spec: {
          selector: { matchLabels: { app: "echo" } },
          jwtRules: [{ issuer: "https://other.example", jwks: JWKS }],
        },
      },
      authorization(service, {
        rules: [
          from({ requestPrincipals: [`${ISSUER}/sub-1`, "https://other.example/sub-3"] }),
          to({ paths: ["/healthz"] }),
        ],
      }),
    ],
    checks: [
      calls("/", DENIED),
      calls("/", ALLOWED, { headers: bearer({ sub: "sub-1" }) }),
      calls("/", DENIED, { headers: bearer({ sub: "sub-2" }) }),
      calls("/", isRefused("Jwt issuer is not configured"), {
        headers: bearer({ sub: "sub-3", iss: "https://other.example" }),
      }),
      calls("/", isRefused("Jwt is expired"), { headers: bearer({ sub: "sub-1", exp: 1 }) }),
      calls("/healthz", ALLOWED),
      calls("/healthz", isRefused("Jwt is expired"), { headers: bearer({ sub: "sub-1", exp: 1 }) }),
      calls("/", { status: 401 }, { headers: { Authorization: "Bearer nonsense" } }),
      calls(
        "/",
        { status: 401 },
        { headers: { Authorization: `Bearer ${unsignedToken({ sub: "sub-1" })}` } },
      ),
      calls(
        "/",
        { status: 401 },
        { headers: { Authorization: `${bearer({ sub: "sub-1" })["Authorization"]}x` } },
      ),
    ],
  },
  {
    name: "tokens from elsewhere, and claims as headers",
    objects: (service) =>
      requires(service, {
        audiences: ["shop"],
        fromHeaders: [{ name: "x-token", prefix: "Token " }],
        fromParams: ["token"],
        fromCookies: ["token"],
        outputClaimToHeaders: [{ header: "x-subject", claim: "sub" }],
        forwardOriginalToken: true,
      }),
    checks: [
      calls("/", DENIED, { headers: bearer({ sub: "a", aud: "shop" }) }),
      calls(
        "/",
        { received: { "x-subject": "sub-1" } },
        {
          headers: {
            "x-token": `Token ${token({ sub: "sub-1", aud: ["shop", "bank"] })}`,
            "x-subject": "forged",
          },
        },
      ),
      calls(`/?token=${token({ sub: "sub-1", aud: "shop" })}`, ALLOWED),
      calls("/", ALLOWED, { headers: { Cookie: `a=b; token=${token({ sub: "sub-1", aud: "shop" })}` } }),
      calls(
        "/",
        { status: 403, body: "Audiences in Jwt are not allowed" },
        { headers: { "x-token": `Token ${token({ sub: "sub-1", aud: "bank" })}` } },
      ),
    ],
  },
  {
    name: "policies by claims",
    objects: (service) => [
      requestAuthentication(service, { jwtRules: [JWT_RULE] }),
      authorization(service, {
        rules: [
          when("request.auth.claims[groups]", "admins"),
          when("request.auth.claims[nested][role]", "owner"),
          when("request.auth.claims[scope]", "write"),
        ],
      }),
    ],
    checks: [
      calls("/", DENIED, { headers: bearer({ sub: "a", groups: ["users"] }) }),
      calls("/", ALLOWED, { headers: bearer({ sub: "a", groups: ["users", "admins"] }) }),
      calls("/", ALLOWED, { headers: bearer({ sub: "a", nested: { role: "owner" } }) }),
      calls("/", ALLOWED, { headers: bearer({ sub: "a", scope: "read write" }) }),
      calls("/", DENIED, { headers: bearer({ sub: "a", scope: "read" }) }),
    ],
  },
  {
    name: "a token is taken off, and the body says how to bring one",
    objects: (service) => requires(service, {}),
    checks: [
      calls("/", { received: { authorization: undefined } }, { headers: bearer({ sub: "a" }) }),
      calls(
        "/x",
        {
          status: 401,
          headers: { "www-authenticate": 'Bearer realm="http://{host}/x", error="invalid_token"' },
        },
        { headers: { Authorization: "Bearer a.b.c" } },
      ),
    ],
  },
];

/** In the mesh's configuration: an echo that decides as the request's own commands tell it. */
export const AUTHORIZERS: string = `
extensionProviders:
- name: ask-echo
  envoyExtAuthzHttp:
    service: authorizer.${APPS}.svc.cluster.local
    port: 80
    includeRequestHeadersInCheck: [x-echo]
    headersToUpstreamOnAllow: [x-authorized]
`;

const custom = (service: string, provider: string): object =>
  authorization(service, {
    action: "CUSTOM",
    provider: { name: provider },
    rules: [to({ paths: ["/asked*"] })],
  });

const CUSTOM: readonly Scenario[] = [
  {
    name: "CUSTOM asks an authorizer",
    objects: (service) => [custom(service, "ask-echo")],
    checks: [
      calls("/asked", { status: 403 }, { headers: { "x-echo": "status=403" } }),
      calls("/asked", { status: 403 }, { headers: { "x-echo": "abort" } }),
      calls(
        "/asked",
        { received: { "x-authorized": "yes" } },
        { headers: { "x-echo": "set=x-authorized:yes" } },
      ),
      calls(
        "/",
        { received: { "x-authorized": undefined } },
        { headers: { "x-echo": "set=x-authorized:yes" } },
      ),
    ],
  },
  {
    name: "CUSTOM by nobody denies",
    objects: (service) => [custom(service, "no-such-provider")],
    checks: [calls("/asked", { status: 403 }), calls("/", ALLOWED)],
  },
];

/** How many of each status. */
const statuses = (answers: readonly Answer[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

const HOUR = "1h";
/** Keys that no try before had: what waits for a policy must not use up its bucket. */
let caller = 0;

const limited = (service: string, allowed: number): Check => ({
  call: (host) => ({
    kind: "http",
    url: `http://${host}/`,
    times: allowed + 3,
    headers: { "x-caller": `${service}-${++caller}` },
  }),
  want: {
    anyStatus: true,
    all: (answers) => assert.deepEqual(statuses(answers), { 200: allowed, 429: 3 }),
  },
});

const RATE_LIMITS: readonly Scenario[] = [
  {
    name: "a local rate limit by header",
    objects: (service) => [
      rateLimit(service, [{ keys: [{ header: "x-caller" }], local: { requests: 4, per: HOUR } }]),
    ],
    checks: [limited("by-header", 4), limited("by-header", 4), calls("/", ALLOWED, { times: 10 })],
  },
  {
    name: "a local rate limit by identity and path",
    objects: (service) => [
      rateLimit(service, [
        {
          operations: [{ paths: ["/limited*"] }],
          keys: [{ attribute: "SourcePrincipal" }],
          local: { requests: 2, per: HOUR, burst: 2 },
        },
      ]),
    ],
    checks: [
      calls("/limited/until", { status: 429 }),
      calls("/limited", { status: 429 }),
      calls("/", ALLOWED, { times: 5 }),
      calls("/limited", ALLOWED, { from: "other" }),
    ],
  },
];

export const POLICIES: readonly Scenario[] = [...AUTHORIZATION, ...TOKENS, ...CUSTOM, ...RATE_LIMITS];
