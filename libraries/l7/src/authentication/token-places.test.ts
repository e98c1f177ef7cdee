import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JwtRule } from "@meltemi/model/l7";
import fc from "fast-check";
import type { RequestContext } from "../request-context.ts";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import { base64url, keySet, newToken } from "../signatures/token.fixture.ts";
import { ask, bearer, claims, good, jwtRule, KEY, OTHER, World } from "./token-filter.fixture.ts";

describe("where tokens are", () => {
  const cases: readonly {
    readonly name: string;
    readonly rule?: Partial<JwtRule>;
    readonly request: (token: string) => SampleRequest;
    readonly found: boolean;
    readonly path?: string;
    readonly headers?: readonly string[];
  }[] = [
    {
      name: "access_token, by default",
      request: (token) => ({ path: `/a?x=1&access_token=${token}&y=2` }),
      found: true,
      path: "/a?x=1&y=2",
    },
    {
      name: "access_token alone",
      request: (token) => ({ path: `/a?access_token=${token}` }),
      found: true,
      path: "/a",
    },
    {
      name: "another scheme of authorization",
      request: (token) => ({ headers: { authorization: `Basic ${token}` } }),
      found: false,
    },
    {
      name: "a header with its prefix",
      rule: { fromHeaders: [{ name: "X-Token", prefix: "t=" }] },
      request: (token) => ({ headers: { "x-token": `t=${token}` } }),
      found: true,
    },
    {
      name: "a header without its prefix",
      rule: { fromHeaders: [{ name: "x-token", prefix: "t=" }] },
      request: (token) => ({ headers: { "x-token": token } }),
      found: false,
    },
    {
      name: "a header without any prefix",
      rule: { fromHeaders: [{ name: "x-token", prefix: "" }] },
      request: (token) => ({ headers: { "x-token": token } }),
      found: true,
    },
    {
      name: "no default where a place is named",
      rule: { fromParams: ["t"] },
      request: bearer,
      found: false,
      headers: ["authorization"],
    },
    {
      name: "a parameter",
      rule: { fromParams: ["t"] },
      request: (token) => ({ path: `/?t=${token}` }),
      found: true,
      path: "/",
    },
    {
      name: "a cookie",
      rule: { fromCookies: ["session"] },
      request: (token) => ({ headers: { cookie: `a=1; session=${token}; b=2` } }),
      found: true,
      headers: ["cookie"],
    },
    {
      name: "no cookie of that name",
      rule: { fromCookies: ["session"] },
      request: (token) => ({ headers: { cookie: `asession=${token}` } }),
      found: false,
      headers: ["cookie"],
    },
  ];
  for (const { name, rule, request, found, path, headers } of cases)
    test(name, () => {
      const { context, reply } = ask([jwtRule(rule)], request(good()));
      assert.equal(reply, undefined);
      assert.equal(context.token !== undefined, found);
      if (path !== undefined) assert.equal(context.request.path, path);
      if (found)
        assert.deepEqual(
          context.request.headers.flat.filter((_, at) => at % 2 === 0),
          headers ?? [],
        );
    });
  test("what is left of cookies", () => {
    const { context } = ask([jwtRule({ fromCookies: ["s"] })], {
      headers: { cookie: `a=1; s=${good()}; b=2` },
    });
    assert.equal(context.request.headers.get("cookie"), "a=1; b=2");
  });
  test("every token of a request must be good", () => {
    const { reply } = ask([jwtRule()], { ...bearer(good()), path: "/?access_token=forged" });
    assert.equal(reply?.status, 401);
    const twice = sampleRequest(bearer(good()));
    twice.request.headers.append("authorization", "Bearer forged");
    assert.equal(new World().filter(jwtRule()).onRequest(twice).kind, "reply");
  });
});

describe("several rules", () => {
  const second = jwtRule({ issuer: "https://second", jwks: keySet(OTHER) });
  const ofSecond = newToken(OTHER, { ...claims, iss: "https://second" });
  test("any that takes the token is enough", () => {
    assert.equal(ask([jwtRule(), second], bearer(ofSecond)).context.token?.issuer, "https://second");
    assert.equal(ask([second, jwtRule()], bearer(good())).context.token?.issuer, "https://issuer");
  });
  test("none takes it", () =>
    assert.equal(
      ask([jwtRule(), second], bearer(good({ iss: "x" }))).reply?.body,
      "Jwt issuer is not configured",
    ));
  test("the reason is of the rule whose token it is", () => {
    for (const rules of [
      [jwtRule(), second],
      [second, jwtRule()],
    ])
      assert.equal(ask(rules, bearer(good({ exp: 1 }))).reply?.body, "Jwt is expired");
  });
  test("a bad token elsewhere does not matter beside a good one", () => {
    const elsewhere = { ...second, fromHeaders: [{ name: "x-second", prefix: "" }] };
    const request = { headers: { authorization: `Bearer ${good()}`, "x-second": "noise" } };
    assert.equal(ask([jwtRule(), elsewhere], request).reply, undefined);
    const { reply } = ask([jwtRule(), elsewhere], { headers: { "x-second": "noise" } });
    assert.equal(reply?.status, 401);
  });
});

describe("claims in headers", () => {
  const rule = jwtRule({
    outputPayloadToHeader: "X-Payload",
    outputClaimToHeaders: [
      { header: "x-sub", claim: "sub" },
      { header: "X-Group", claim: "user.group" },
      { header: "x-level", claim: "level" },
      { header: "x-list", claim: "list" },
    ],
  });
  const read = (context: RequestContext): unknown =>
    ["x-payload", "x-sub", "x-group", "x-level", "x-list"].map((name) => context.request.headers.get(name));
  const forged = { "x-payload": "p", "x-sub": "root", "x-group": "admins", "x-level": "9", "x-list": "l" };

  test("of a good token, in place of what the client sent", () => {
    const token = good({ user: { group: "réd" }, level: 7, list: ["a"] });
    const { context } = ask([rule], { headers: { ...forged, authorization: `Bearer ${token}` } });
    assert.deepEqual(read(context), [token.split(".")[1], "sub-1", "r\u00c3\u00a9d", "7", undefined]);
  });
  for (const [name, request] of [
    ["without a token", {}],
    [
      "of a preflight",
      { method: "OPTIONS", headers: { origin: "o", "access-control-request-method": "GET" } },
    ],
  ] as const)
    test(`${name}: none, whatever the client sent`, () => {
      const { context } = ask([rule], {
        ...request,
        headers: { ...forged, ...("headers" in request ? request.headers : {}) },
      });
      assert.deepEqual(read(context), [undefined, undefined, undefined, undefined, undefined]);
    });
  test("nor in a spelling that some frameworks take for the same", () => {
    const { context } = ask([rule], { headers: { x_sub: "root", "x_sub-": "kept" } });
    assert.deepEqual(context.request.headers.flat, ["x_sub-", "kept"]);
  });
  test("a claim with a line break is none", () => {
    const { context } = ask([rule], bearer(good({ user: { group: "a\r\nx-admin: 1" } })));
    assert.equal(context.request.headers.get("x-group"), undefined);
  });
});

test("a preflight carries no token that counts", () => {
  const headers = { origin: "o", "access-control-request-method": "GET", authorization: "Bearer noise" };
  assert.equal(ask([jwtRule()], { method: "OPTIONS", headers }).reply, undefined);
  assert.equal(ask([jwtRule()], { method: "GET", headers }).reply?.status, 401);
});

test("noise is refused and never throws", () => {
  const world = new World();
  const part = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.json({ maxDepth: 3 }).map(base64url),
    fc
      .record({ alg: fc.constantFrom("RS256", "HS256", "none", 1), kid: fc.constantFrom(KEY.keyId, null) })
      .map(base64url),
    fc
      .record({ iss: fc.constant("https://issuer"), exp: fc.anything(), aud: fc.anything() })
      .map((value) => base64url(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? 1 : v)) ?? "")),
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const { context, reply } = ask([jwtRule()], bearer(parts.join(".")), world);
      assert.notEqual(reply, undefined);
      assert.equal(context.token, undefined);
    }),
  );
  const token = good();
  fc.assert(
    fc.property(fc.nat(token.length - 2), fc.constantFrom("A", "b", "-", "_", "."), (at, other) => {
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      if (changed !== token) assert.notEqual(ask([jwtRule()], bearer(changed), world).reply, undefined);
    }),
    { numRuns: 300 },
  );
});
