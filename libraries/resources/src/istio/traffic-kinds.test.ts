import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseGrpcRoute, parseHttpRoute, parseTcpRoute, parseTlsRoute } from "../gateway-api/parse-route.ts";
import { parseRateLimitPolicy } from "../meltemi/rate-limit-policy.ts";
import { formatProblems, type Parsed } from "../problem.ts";
import { parseDestinationRule } from "./destination-rule.ts";
import { parseRequestAuthentication } from "./request-authentication.ts";
import { parseTelemetry } from "./telemetry.ts";
import { parseVirtualService } from "./virtual-service.ts";

type Parse = (object: unknown) => Parsed<unknown>;

function problemsOf(parse: Parse, spec: unknown): string {
  const parsed = parse({ metadata: { namespace: "ns", name: "a" }, spec });
  return parsed.kind === "ok" ? "" : formatProblems(parsed.problems);
}

const route = [{ destination: { host: "a" } }];

describe("read", () => {
  const cases: readonly (readonly [string, Parse, unknown])[] = [
    ["VirtualService", parseVirtualService, { hosts: ["a"], http: [{ match: [{ uri: {} }], route }] }],
    ["a delegate", parseVirtualService, { http: [{ directResponse: { status: 200 } }] }],
    ["null as absent", parseVirtualService, { hosts: ["a"], http: [{ route, timeout: null }] }],
    ["DestinationRule", parseDestinationRule, { host: "a", subsets: [{ name: "v1" }] }],
    ["Telemetry", parseTelemetry, { tracing: [{ randomSamplingPercentage: 0.5 }] }],
    ["RequestAuthentication", parseRequestAuthentication, { jwtRules: [{ issuer: "a", jwks: "{}" }] }],
    ["HTTPRoute", parseHttpRoute, { rules: [{}] }],
    ["GRPCRoute", parseGrpcRoute, {}],
    ["TCPRoute", parseTcpRoute, { rules: [{ backendRefs: [{ name: "a", port: 1 }] }] }],
    ["TLSRoute", parseTlsRoute, { hostnames: ["*.a"], rules: [{ backendRefs: [{ name: "a", port: 1 }] }] }],
  ];
  for (const [name, parse, spec] of cases) test(name, () => assert.equal(problemsOf(parse, spec), ""));
  test("null does not stay in what was read", () => {
    const spec = { hosts: ["a"], http: [{ route, timeout: null }] };
    const parsed = parseVirtualService({ metadata: { name: "a" }, spec });
    assert.ok(parsed.kind === "ok" && !("timeout" in (parsed.value.spec.http?.[0] ?? {})));
  });
});

describe("refused", () => {
  const target = { kind: "Service", name: "a" };
  const limited = (limit: object): object => ({ targetRefs: [target], limits: [limit] });
  const local = { requests: 1, per: "1s" };
  const cases: readonly (readonly [string, Parse, unknown, RegExp])[] = [
    [
      "two actions",
      parseVirtualService,
      { http: [{ route, redirect: {} }] },
      /spec\.http\[0\]: exactly one of route, redirect/,
    ],
    ["no action", parseVirtualService, { http: [{}] }, /exactly one of/],
    [
      "two kinds of match",
      parseVirtualService,
      { http: [{ match: [{ uri: { exact: "/", prefix: "/" } }], route }] },
      /match\[0\]\.uri: at most one of exact, prefix, regex/,
    ],
    [
      "a field there is not",
      parseVirtualService,
      { http: [{ route, timeoot: "1s" }] },
      /timeoot: there is no such field/,
    ],
    ["no duration", parseVirtualService, { http: [{ route, timeout: "soon" }] }, /must be a valid duration/],
    [
      "a line end in a header",
      parseVirtualService,
      { http: [{ route, headers: { request: { set: { "x-a": "b\r\nx-evil: 1" } } } }] },
      /without CR, LF and NUL/,
    ],
    [
      "a header name that is none",
      parseVirtualService,
      { http: [{ route, headers: { request: { remove: ["a b"] } } }] },
      /remove\[0\]/,
    ],
    [
      "no subnet",
      parseVirtualService,
      { tcp: [{ match: [{ destinationSubnets: ["10.0.0.0/33"] }], route }] },
      /must be an IP address or CIDR block/,
    ],
    ["a host is missing", parseDestinationRule, {}, /spec\.host: expected a value/],
    [
      "one name twice",
      parseDestinationRule,
      { host: "a", subsets: [{ name: "a" }, { name: "a" }] },
      /names must be unique/,
    ],
    [
      "two hash keys",
      parseDestinationRule,
      {
        host: "a",
        trafficPolicy: {
          loadBalancer: { consistentHash: { useSourceIp: true, httpHeaderName: "a" } },
        },
      },
      /at most one of httpHeaderName/,
    ],
    [
      "a table beyond memory",
      parseDestinationRule,
      {
        host: "a",
        trafficPolicy: {
          loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 1e9 } } },
        },
      },
      /tableSize: expected a whole number/,
    ],
    [
      "more than all",
      parseTelemetry,
      { tracing: [{ randomSamplingPercentage: 101 }] },
      /expected a number from 0 to 100/,
    ],
    [
      "tokens of nobody",
      parseRequestAuthentication,
      { jwtRules: [{ jwks: "{}" }] },
      /issuer: expected a value/,
    ],
    [
      "keys from a file",
      parseRequestAuthentication,
      { jwtRules: [{ issuer: "a", jwksUri: "file:///etc/shadow" }] },
      /scheme http/,
    ],
    ["no target", parseRateLimitPolicy, { limits: [{ local }] }, /targetRefs/],
    ["no limit", parseRateLimitPolicy, { targetRefs: [target], limits: [] }, /limits: expected at least 1/],
    [
      "two kinds of limit",
      parseRateLimitPolicy,
      limited({ local, global: { domain: "d", service: { host: "a", port: 1 } } }),
      /exactly one of local, global/,
    ],
    [
      "no time",
      parseRateLimitPolicy,
      limited({ local: { requests: 1, per: "0s" } }),
      /expected a duration of at least 1ms/,
    ],
    [
      "two keys in one",
      parseRateLimitPolicy,
      limited({ local, keys: [{ header: "a", claim: "b" }] }),
      /exactly one of header/,
    ],
    [
      "no port",
      parseRateLimitPolicy,
      limited({ local, operations: [{ ports: ["http"] }] }),
      /ports\[0\]: expected a port/,
    ],
    [
      "another namespace's",
      parseRateLimitPolicy,
      { ...limited({ local }), targetRefs: [{ ...target, namespace: "x" }] },
      /cross namespace/,
    ],
    ["a route without backends", parseTcpRoute, { rules: [{}] }, /backendRefs/],
  ];
  for (const [name, parse, spec, says] of cases)
    test(name, () => assert.match(problemsOf(parse, spec), says));
});

test("whatever the object is, it is read or refused", () => {
  const parsers: readonly Parse[] = [
    parseVirtualService,
    parseDestinationRule,
    parseTelemetry,
    parseRequestAuthentication,
    parseRateLimitPolicy,
    parseHttpRoute,
    parseTcpRoute,
  ];
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.jsonValue(), (parse, spec) => {
      assert.match(parse({ metadata: { name: "a" }, spec }).kind, /^(?:ok|invalid)$/);
    }),
    { numRuns: 500 },
  );
});
