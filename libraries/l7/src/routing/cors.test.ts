import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import type { CorsPolicy } from "@meltemi/model/l7";
import { RegexCache } from "../text/regex.ts";
import { compileCors, decideCors, grantOrigin } from "./cors.ts";
import { sampleRequest } from "./sample-request.ts";

const policy: CorsPolicy = {
  allowOrigins: [
    { kind: "exact", value: "cors.com" },
    { kind: "regex", pattern: "https://.*\\.ok" },
  ],
  allowMethods: ["POST", "GET"],
  allowHeaders: ["X-Foo-Bar", "X-Foo-Baz"],
  exposeHeaders: [],
  maxAgeSeconds: 86400,
  allowCredentials: false,
  unmatchedPreflights: "forward",
};
const compile = (given: Partial<CorsPolicy> = {}) =>
  compileCors({ ...policy, ...given }, new RegexCache(), assert.fail);
const preflight = (origin: string) => ({
  method: "OPTIONS",
  headers: { origin, "access-control-request-method": "DELETE", "access-control-request-headers": "x-a" },
});

const cases = [
  {
    name: "preflight",
    request: preflight("cors.com"),
    want: [
      ["access-control-allow-origin", "cors.com"],
      ["access-control-allow-methods", "POST,GET"],
      ["access-control-allow-headers", "X-Foo-Bar,X-Foo-Baz"],
      ["access-control-max-age", "86400"],
    ],
  },
  {
    name: "preflight that repeats what was asked for, with credentials",
    policy: { allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true, maxAgeSeconds: 0 },
    request: preflight("https://a.ok"),
    want: [
      ["access-control-allow-origin", "https://a.ok"],
      ["access-control-allow-credentials", "true"],
      ["access-control-allow-methods", "DELETE"],
      ["access-control-allow-headers", "x-a"],
      ["access-control-max-age", "0"],
    ],
  },
  {
    name: "any origin",
    policy: { allowOrigins: [{ kind: "exact", value: "*" }] } as const,
    request: { headers: { origin: "null" } },
    want: "grant",
  },
  { name: "get", request: { headers: { origin: "cors.com" } }, want: "grant" },
  { name: "get no origin match", request: { headers: { origin: "evil.com" } }, want: "pass" },
  {
    name: "an origin that only begins alike",
    request: { headers: { origin: "cors.com.evil" } },
    want: "pass",
  },
  { name: "no origin", request: {}, want: "pass" },
  {
    name: "OPTIONS that is no preflight",
    request: { method: "OPTIONS", headers: { origin: "cors.com" } },
    want: "grant",
  },
  { name: "unmatched preflight is forwarded", request: preflight("evil.com"), want: "pass" },
  {
    name: "unmatched preflight is ignored",
    policy: { unmatchedPreflights: "ignore" } as const,
    request: preflight("evil.com"),
    want: [],
  },
] as const;
for (const { name, request, want, ...given } of cases)
  test(`cors: ${name}`, () => {
    const decision = decideCors(
      compile("policy" in given ? given.policy : {}),
      sampleRequest(request).request,
    );
    if (typeof want === "string") return assert.equal(decision.kind, want);
    assert.equal(decision.kind, "reply");
    if (decision.kind === "reply")
      assert.deepEqual([decision.reply.status, decision.reply.headers], [200, want]);
  });

test("cors: what the service said of the origin is replaced, vary is left", () => {
  const headers = HeaderFields.of(["access-control-allow-origin", "*"], ["vary", "accept"]);
  grantOrigin(compile({ allowCredentials: true, exposeHeaders: ["X-A", "X-B"] }), "cors.com", headers);
  assert.deepEqual(headers.flat, [
    ...["access-control-allow-origin", "cors.com", "vary", "accept"],
    ...["access-control-allow-credentials", "true", "access-control-expose-headers", "X-A,X-B"],
  ]);
});

test("cors: a broken origin never matches and is told", () => {
  const problems: string[] = [];
  const cors = compileCors(
    { ...policy, allowOrigins: [{ kind: "regex", pattern: "(" }], exposeHeaders: ["a\r\nb"] },
    new RegexCache(),
    (what) => problems.push(what),
  );
  assert.equal(problems.length, 2);
  assert.equal(decideCors(cors, sampleRequest({ headers: { origin: "(" } }).request).kind, "pass");
  assert.equal(decideCors(undefined, sampleRequest(preflight("cors.com")).request).kind, "pass");
});
