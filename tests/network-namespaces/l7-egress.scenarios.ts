/** Hosts outside the mesh that are reached through a waypoint, and filters of HTTPRoutes that the mesh profile has no scenario for. */

import { backend, OUTSIDE, prefix, route, serviceEntry, virtualService } from "./l7-objects.fixture.ts";
import { type Check, isAnswered, type Scenario } from "./l7-scenario.fixture.ts";

const HTTP_PORT = { number: 80, name: "http", protocol: "HTTP", targetPort: 8080 };
const USE = { "istio.io/use-waypoint": "waypoint" };
/** Of the program outside the mesh. */
const ELSEWHERE = `external.${OUTSIDE}.svc.cluster.local`;
const external = (host: string, path = "/"): Check["want"] => ({ version: "external", host, path, l7: true });
const calls = (url: string, want: Check["want"], headers: Readonly<Record<string, string>> = {}): Check => ({
  call: () => ({ kind: "http", url, headers }),
  want,
});

export const EGRESS: readonly Scenario[] = [
  {
    // Its address is the control plane's to find.
    name: "TestWaypointDNS",
    objects: (name) => [
      serviceEntry(
        name,
        {
          hosts: ["dns.example"],
          ports: [HTTP_PORT],
          resolution: "DNS",
          location: "MESH_EXTERNAL",
          endpoints: [{ address: ELSEWHERE }],
        },
        USE,
      ),
    ],
    checks: [calls("http://dns.example/", external("dns.example"))],
  },
  {
    name: "TestServiceEntryDNSWithAutoAssign, without a waypoint",
    objects: (name) => [
      serviceEntry(
        name,
        {
          hosts: ["plain-dns.example"],
          ports: [HTTP_PORT],
          resolution: "DNS",
          endpoints: [{ address: ELSEWHERE }],
        },
        { "istio.io/use-waypoint": "none" },
      ),
    ],
    checks: [calls("http://plain-dns.example/", { version: "external", l7: false })],
  },
  {
    name: "TestWaypointAsEgressGateway",
    objects: (name) => [
      serviceEntry(
        name,
        {
          hosts: ["egress.example"],
          addresses: ["240.20.20.20"],
          ports: [HTTP_PORT],
          resolution: "DNS",
          location: "MESH_EXTERNAL",
          endpoints: [{ address: ELSEWHERE }],
        },
        USE,
      ),
      virtualService("egress.example", {
        http: [
          {
            match: [{ uri: { prefix: "/old" } }],
            rewrite: { uri: "/new" },
            route: [{ destination: { host: "egress.example" } }],
          },
        ],
      }),
      {
        apiVersion: "security.istio.io/v1",
        kind: "AuthorizationPolicy",
        metadata: { name, namespace: "apps" },
        spec: {
          targetRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name }],
          action: "DENY",
          rules: [{ to: [{ operation: { paths: ["/old/secret"] } }] }],
        },
      },
    ],
    checks: [
      calls("http://egress.example/old/a", external("egress.example", "/new/a")),
      calls("http://240.20.20.20/old", external("egress.example", "/new"), { Host: "egress.example" }),
      calls("http://egress.example/old/secret", { status: 403 }),
      calls("http://egress.example/other", { status: 404 }),
    ],
  },
];

const preflight = (origin: string, want: Check["want"]): Check => ({
  http: "/",
  method: "OPTIONS",
  headers: { Origin: origin, "Access-Control-Request-Method": "GET" },
  want,
});

export const MORE_FILTERS: readonly Scenario[] = [
  {
    name: "HTTPRoute CORS",
    objects: (service) => [
      route(service, [
        {
          filters: [
            {
              type: "CORS",
              cors: { allowOrigins: ["https://www.example"], allowMethods: ["GET"], maxAge: 60 },
            },
          ],
          backendRefs: [backend("echo-v1", 8080)],
        },
      ]),
    ],
    checks: [
      preflight("https://www.example", {
        headers: { "access-control-allow-origin": "https://www.example", "access-control-max-age": "60" },
      }),
      preflight("https://other.example", { headers: { "access-control-allow-origin": undefined } }),
    ],
  },
  {
    name: "HTTPRoute request mirror",
    objects: (service) => [
      route(service, [
        {
          filters: [{ type: "RequestMirror", requestMirror: { backendRef: backend("echo-v2", 8080) } }],
          backendRefs: [backend("echo-v1", 8080)],
        },
      ]),
    ],
    checks: [
      { http: "/", headers: { "x-echo": "fail=1/route-mirror" }, want: { status: 503, version: "v1" } },
      {
        call: () => ({
          kind: "http",
          url: "http://echo-v2.apps/",
          headers: { "x-echo": "fail=1/route-mirror" },
        }),
        want: { version: "v2" },
      },
    ],
  },
  {
    name: "HTTPRoute response headers, host rewrite and method match",
    objects: (service) => [
      route(service, [
        {
          matches: [{ ...prefix("/"), method: "PUT" }],
          filters: [
            { type: "URLRewrite", urlRewrite: { hostname: "rewritten.example" } },
            {
              type: "ResponseHeaderModifier",
              responseHeaderModifier: { add: [{ name: "x-added", value: "yes" }], remove: ["x-gone"] },
            },
          ],
          backendRefs: [backend("echo-v2", 8080)],
        },
        {
          matches: [{ path: { type: "RegularExpression", value: "/items/[0-9]+" } }],
          backendRefs: [backend("echo-v1", 8080)],
        },
      ]),
    ],
    checks: [
      {
        http: "/",
        method: "PUT",
        headers: { "x-echo": "set=x-gone:1" },
        want: {
          version: "v2",
          host: "rewritten.example",
          headers: { "x-added": "yes", "x-gone": undefined },
        },
      },
      isAnswered("/items/12", { version: "v1" }),
      isAnswered("/items/x", { status: 404 }),
    ],
  },
];
