/** The CRDs of the mesh on the real API server: its schemas and CEL rules must refuse exactly what our own parsers refuse. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from "@meltemi/kubernetes";
import {
  customResourceDefinitions,
  type Parsed,
  parseAuthorizationPolicy,
  parsePeerAuthentication,
  parseServiceEntry,
  parseWorkloadEntry,
} from "@meltemi/resources";
import { eventually } from "@meltemi/testkit";
import { startTestCluster, type TestCluster } from "./cluster.testing.ts";

interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly parse?: (value: unknown) => Parsed<unknown>;
}

const SECURITY = "security.istio.io/v1";
const NETWORKING = "networking.istio.io/v1";
const GATEWAY = "gateway.networking.k8s.io/v1";
const KINDS = {
  ap: {
    apiVersion: SECURITY,
    kind: "AuthorizationPolicy",
    plural: "authorizationpolicies",
    parse: parseAuthorizationPolicy,
  },
  pa: {
    apiVersion: SECURITY,
    kind: "PeerAuthentication",
    plural: "peerauthentications",
    parse: parsePeerAuthentication,
  },
  ra: { apiVersion: SECURITY, kind: "RequestAuthentication", plural: "requestauthentications" },
  se: { apiVersion: NETWORKING, kind: "ServiceEntry", plural: "serviceentries", parse: parseServiceEntry },
  we: { apiVersion: NETWORKING, kind: "WorkloadEntry", plural: "workloadentries", parse: parseWorkloadEntry },
  gw: { apiVersion: GATEWAY, kind: "Gateway", plural: "gateways" },
  hr: { apiVersion: GATEWAY, kind: "HTTPRoute", plural: "httproutes" },
  gr: { apiVersion: GATEWAY, kind: "GRPCRoute", plural: "grpcroutes" },
} as const satisfies Readonly<Record<string, Kind>>;

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster([]);
  for (const definition of customResourceDefinitions())
    await cluster.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition as CustomResourceDefinition);
});
after(() => cluster.stop());

const selector = { matchLabels: { app: "a" } };
const hosts = ["a.b"];
const mesh = { name: "mesh", port: 15008, protocol: "HBONE" };
const ref = { kind: "Service", group: "", name: "a", port: 80 };
/** Name, whether it is accepted, kind, spec. */
const cases: readonly (readonly [
  name: string,
  accepted: boolean,
  kind: keyof typeof KINDS,
  spec: unknown,
])[] = [
  [
    "deny a principal",
    true,
    "ap",
    { selector, action: "DENY", rules: [{ from: [{ source: { principals: ["a"] } }] }] },
  ],
  ["two targets", false, "ap", { selector, targetRefs: [] }],
  [
    "accounts with namespaces",
    false,
    "ap",
    { rules: [{ from: [{ source: { serviceAccounts: ["a"], namespaces: ["b"] } }] }] },
  ],
  ["wildcard label", false, "ap", { selector: { matchLabels: { a: "b*" } } }],
  ["a target elsewhere", false, "ap", { targetRefs: [{ kind: "Service", name: "a", namespace: "b" }] }],
  [
    "strict but a port",
    true,
    "pa",
    { selector, mtls: { mode: "STRICT" }, portLevelMtls: { "8080": { mode: "DISABLE" } } },
  ],
  ["ports without selector", false, "pa", { portLevelMtls: { "8080": { mode: "DISABLE" } } }],
  ["port 0", false, "pa", { selector, portLevelMtls: { "0": {} } }],
  ["an issuer", true, "ra", { jwtRules: [{ issuer: "a", jwksUri: "https://a/b", timeout: "5s" }] }],
  ["keys by FTP", false, "ra", { jwtRules: [{ issuer: "a", jwksUri: "ftp://a/b" }] }],
  ["keys twice", false, "ra", { jwtRules: [{ issuer: "a", jwksUri: "https://a/b", jwks: "x" }] }],
  ["a timeout of microseconds", false, "ra", { jwtRules: [{ issuer: "a", timeout: "10us" }] }],
  [
    "two ports",
    true,
    "se",
    {
      hosts,
      ports: [
        { name: "a", number: 80 },
        { name: "b", number: 81 },
      ],
      resolution: "STATIC",
      endpoints: [{ address: "10.0.0.1" }],
    },
  ],
  [
    "endpoints and selector",
    false,
    "se",
    { hosts, resolution: "STATIC", endpoints: [], workloadSelector: {} },
  ],
  ["a block with DNS", false, "se", { hosts, resolution: "DNS", addresses: ["10.0.0.0/8"] }],
  ["endpoints with NONE", false, "se", { hosts, endpoints: [{ address: "10.0.0.1" }] }],
  [
    "two endpoints with DNS_ROUND_ROBIN",
    false,
    "se",
    { hosts, resolution: "DNS_ROUND_ROBIN", endpoints: [{ address: "a" }, { address: "b" }] },
  ],
  [
    "a port twice",
    false,
    "se",
    {
      hosts,
      ports: [
        { name: "a", number: 1 },
        { name: "b", number: 1 },
      ],
    },
  ],
  [
    "a port name twice",
    false,
    "se",
    {
      hosts,
      ports: [
        { name: "a", number: 1 },
        { name: "a", number: 2 },
      ],
    },
  ],
  ["the wildcard host", false, "se", { hosts: ["*"] }],
  ["a socket", true, "we", { address: "unix:///a", serviceAccount: "x" }],
  ["no address", false, "we", {}],
  ["a relative socket", false, "we", { address: "unix://a" }],
  ["a socket with ports", false, "we", { address: "unix:///a", ports: { a: 1 } }],
  ["a port name with a dot", false, "we", { address: "1.1.1.1", ports: { "a.b": 1 } }],
  ["a waypoint", true, "gw", { gatewayClassName: "istio-waypoint", listeners: [mesh] }],
  ["no listener", false, "gw", { gatewayClassName: "istio-waypoint", listeners: [] }],
  [
    "TLS on HTTP",
    false,
    "gw",
    {
      gatewayClassName: "c",
      listeners: [{ name: "a", port: 80, protocol: "HTTP", tls: { mode: "Passthrough" } }],
    },
  ],
  [
    "TLS without mode",
    false,
    "gw",
    { gatewayClassName: "c", listeners: [{ name: "a", port: 443, protocol: "TLS" }] },
  ],
  [
    "HTTPS passed through",
    false,
    "gw",
    {
      gatewayClassName: "c",
      listeners: [{ name: "a", port: 443, protocol: "HTTPS", tls: { mode: "Passthrough" } }],
    },
  ],
  [
    "terminate without certificate",
    false,
    "gw",
    { gatewayClassName: "c", listeners: [{ name: "a", port: 443, protocol: "HTTPS", tls: {} }] },
  ],
  [
    "two listeners in one place",
    false,
    "gw",
    {
      gatewayClassName: "c",
      listeners: [
        { name: "a", port: 80, protocol: "HTTP" },
        { name: "b", port: 80, protocol: "HTTP" },
      ],
    },
  ],
  [
    "a rewritten prefix",
    true,
    "hr",
    {
      parentRefs: [ref],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/a" } }],
          backendRefs: [ref],
          filters: [
            {
              type: "URLRewrite",
              urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
            },
          ],
        },
      ],
    },
  ],
  ["defaults only", true, "hr", { parentRefs: [ref] }],
  ["a service without port", false, "hr", { rules: [{ backendRefs: [{ name: "a" }] }] }],
  ["a relative path", false, "hr", { rules: [{ matches: [{ path: { value: "a" } }] }] }],
  ["an empty segment", false, "hr", { rules: [{ matches: [{ path: { value: "/a//b" } }] }] }],
  ["a space in a path", false, "hr", { rules: [{ matches: [{ path: { value: "/a b" } }] }] }],
  ["a filter without its field", false, "hr", { rules: [{ filters: [{ type: "CORS" }] }] }],
  [
    "a filter with another's field",
    false,
    "hr",
    { rules: [{ filters: [{ type: "CORS", cors: {}, urlRewrite: {} }] }] },
  ],
  [
    "CORS twice",
    false,
    "hr",
    {
      rules: [
        {
          filters: [
            { type: "CORS", cors: {} },
            { type: "CORS", cors: {} },
          ],
        },
      ],
    },
  ],
  [
    "redirect and backend",
    false,
    "hr",
    { rules: [{ backendRefs: [ref], filters: [{ type: "RequestRedirect", requestRedirect: {} }] }] },
  ],
  [
    "one try longer than all",
    false,
    "hr",
    { rules: [{ timeouts: { request: "1s", backendRequest: "2s" } }] },
  ],
  [
    "redirect with 200",
    false,
    "hr",
    { rules: [{ filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 200 } }] }] },
  ],
  ["a parent twice", false, "hr", { parentRefs: [ref, ref] }],
  ["parents in two namespaces", true, "hr", { parentRefs: [ref, { ...ref, namespace: "b" }] }],
  [
    "180 matches",
    false,
    "hr",
    {
      rules: Array.from({ length: 3 }, () => ({
        matches: Array.from({ length: 60 }, () => ({ method: "GET" })),
      })),
    },
  ],
  [
    "prefix replaced without prefix",
    false,
    "hr",
    {
      rules: [
        {
          matches: [{ path: { type: "Exact", value: "/a" } }],
          filters: [
            {
              type: "URLRewrite",
              urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
            },
          ],
        },
      ],
    },
  ],
  [
    "a method",
    true,
    "gr",
    {
      parentRefs: [ref],
      rules: [{ matches: [{ method: { service: "a.B", method: "C" } }], backendRefs: [ref] }],
    },
  ],
  ["neither service nor method", false, "gr", { rules: [{ matches: [{ method: { type: "Exact" } }] }] }],
  ["a slash in a service", false, "gr", { rules: [{ matches: [{ method: { service: "a/b" } }] }] }],
];

for (const [name, accepted, kind, spec] of cases) {
  const { apiVersion, kind: kindName, plural, parse }: Kind = KINDS[kind];
  test(`${kindName} ${accepted ? "accepted" : "refused"}: ${name}`, async () => {
    const object = { apiVersion, kind: kindName, metadata: { name: "x", namespace: "default" }, spec };
    const path = `/apis/${apiVersion}/namespaces/default/${plural}?dryRun=All`;
    const answer = await eventually(async () => {
      const body = JSON.stringify(object);
      const got = await cluster.client.request({
        method: "POST",
        path,
        contentType: "application/json",
        body,
      });
      // A kind is served a moment after its CRD is stored.
      return got.status === 404 ? undefined : got;
    });
    assert.equal(answer?.status, accepted ? 201 : 422, answer?.body);
    assert.doesNotMatch(answer?.body ?? "", /rule evaluation error|rule compile error/);
    if (parse !== undefined) assert.equal(parse(object).kind, accepted ? "ok" : "invalid");
  });
}
