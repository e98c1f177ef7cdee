/** Matches, rewrites and redirects of VirtualServices, by the case names of Istio's traffic suite (reference: l7-and-cli §8.4), and more. */

import { APPS, destinationRule, SUBSETS, to, toSubset, virtualService } from "./l7-objects.fixture.ts";
import { goesTo, isAnswered, isRedirected, oneRule, type Scenario } from "./l7-scenario.fixture.ts";

const setHost = (name: string, value: string): object => ({
  headers: { request: { set: { [name]: value } } },
});

const HOSTS: readonly Scenario[] = [
  oneRule("set authority header", () => setHost(":authority", "my-custom-authority"), [
    isAnswered("/", { host: "my-custom-authority" }),
  ]),
  oneRule(
    "set host header in destination",
    (host) => ({ route: [to(host, setHost("Host", "my-custom-authority"))] }),
    [isAnswered("/", { host: "my-custom-authority" })],
  ),
  oneRule(
    "set authority header in destination",
    (host) => ({ route: [to(host, setHost(":authority", "my-custom-authority"))] }),
    [isAnswered("/", { host: "my-custom-authority" })],
  ),
  oneRule(
    "set host header in route and destination",
    (host) => ({
      route: [to(host, setHost("Host", "dest-authority"))],
      ...setHost(":authority", "route-authority"),
    }),
    [isAnswered("/", { host: "route-authority" })],
  ),
  oneRule(
    "set host header in route and multi destination",
    (host) => ({
      route: [to(host, { weight: 50, ...setHost("Host", "dest-authority") }), to(host, { weight: 50 })],
      ...setHost(":authority", "route-authority"),
    }),
    [{ http: "/", times: 10, want: { host: "route-authority" } }],
  ),
  oneRule(
    "set host header multi destination",
    (host) => ({
      route: [1, 2].map(() => to(host, { weight: 50, ...setHost("Host", "dest-authority") })),
    }),
    [{ http: "/", times: 10, want: { host: "dest-authority" } }],
  ),
  oneRule(
    "rewrite authority",
    () => ({ match: [{ uri: { exact: "/foo" } }], rewrite: { authority: "new-authority" } }),
    [isAnswered("/foo", { host: "new-authority" })],
  ),
];

const HEADERS: readonly Scenario[] = [
  oneRule(
    "added header",
    () => ({ headers: { request: { add: { "istio-custom-header": "user-defined-value" } } } }),
    [isAnswered("/", { received: { "istio-custom-header": "user-defined-value" } })],
  ),
  oneRule("set header", () => ({ headers: { request: { set: { "x-custom": "some-value" } } } }), [
    { http: "/", headers: { "x-custom": "other" }, want: { received: { "x-custom": "some-value" } } },
  ]),
  oneRule(
    "removed and answered headers",
    () => ({
      headers: {
        request: { remove: ["x-secret"] },
        response: { set: { "x-answered-by": "waypoint" }, remove: ["x-internal"] },
      },
    }),
    [
      {
        http: "/",
        headers: { "x-secret": "1", "x-echo": "set=x-internal:1" },
        want: {
          received: { "x-secret": undefined },
          headers: { "x-answered-by": "waypoint", "x-internal": undefined },
        },
      },
    ],
  ),
];

const REDIRECTS: readonly Scenario[] = [
  {
    name: "redirect",
    objects: (host) => [
      virtualService(host, {
        http: [
          { match: [{ uri: { exact: "/foo" } }], redirect: { uri: "/new/path" } },
          { match: [{ uri: { exact: "/new/path" } }], route: [to(host)] },
        ],
      }),
    ],
    checks: [
      isRedirected("/foo?key=value", 301, "http://{host}/new/path?key=value"),
      isAnswered("/new/path?key=value", { path: "/new/path?key=value" }),
      isAnswered("/other", { status: 404 }),
    ],
  },
  {
    name: "redirect port and scheme",
    objects: (host) => [
      virtualService(host, {
        http: [
          {
            match: [{ uri: { exact: "/foo" } }],
            redirect: { derivePort: "FROM_REQUEST_PORT", scheme: "https" },
          },
        ],
      }),
    ],
    checks: [isRedirected("/foo", 301, "https://{host}:80/foo")],
  },
  {
    name: "redirect request port",
    objects: (host) => [
      virtualService(host, {
        http: [{ match: [{ uri: { exact: "/foo" } }], redirect: { derivePort: "FROM_REQUEST_PORT" } }],
      }),
    ],
    checks: [
      { http: "/foo", headers: { Host: "b" }, want: { status: 301, headers: { location: "http://b/foo" } } },
      {
        http: "/foo",
        headers: { Host: "b:80" },
        want: { status: 301, headers: { location: "http://b:80/foo" } },
      },
      {
        http: "/foo",
        port: 85,
        version: "2",
        headers: { Host: "b" },
        want: { status: 301, headers: { location: "http://b:85/foo" } },
      },
      {
        http: "/foo",
        port: 85,
        version: "2",
        headers: { Host: "b:85" },
        want: { status: 301, headers: { location: "http://b:85/foo" } },
      },
    ],
  },
  {
    name: "redirect prefix_rewrite",
    objects: (host) => [
      virtualService(host, {
        http: [{ match: [{ uri: { prefix: "/foo/" } }], redirect: { prefixRewrite: "/new/" } }],
      }),
    ],
    checks: [isRedirected("/foo/bar", 301, "http://{host}/new/bar")],
  },
  {
    name: "direct response",
    objects: (host) => [
      virtualService(host, { http: [{ directResponse: { status: 418, body: { string: "a teapot" } } }] }),
    ],
    checks: [isAnswered("/", { status: 418, body: "a teapot" })],
  },
];

const ABSURD_HEADER = "a!#$%&'*+-.^_`|~z";

const MATCHES: readonly Scenario[] = [
  oneRule("weird header matches", () => ({ match: [{ headers: { [ABSURD_HEADER]: { exact: "why" } } }] }), [
    isAnswered("/", { status: 404 }),
    { http: "/", headers: { [ABSURD_HEADER]: "why" }, want: {} },
  ]),
  oneRule("pseudo header matches", () => ({ match: [{ headers: { ":method": { exact: "GET" } } }] }), [
    { http: "/", method: "POST", want: { status: 404 } },
    { http: "/", method: "GET", want: {} },
  ]),
  oneRule("rewrite uri", () => ({ match: [{ uri: { exact: "/foo" } }], rewrite: { uri: "/new/path" } }), [
    isAnswered("/foo?key=value", { path: "/new/path?key=value" }),
  ]),
  oneRule(
    "rewrite by expression",
    () => ({
      rewrite: { uriRegexRewrite: { match: "/service/([^/]+)(/.*)$", rewrite: "\\2/instance/\\1" } },
    }),
    [isAnswered("/service/foo/v1/api", { path: "/v1/api/instance/foo" })],
  ),
  {
    name: "every kind of match",
    objects: (host) => [
      destinationRule(host, { subsets: SUBSETS }),
      virtualService(host, {
        http: [
          {
            match: [
              { uri: { prefix: "/CASE" }, ignoreUriCase: true },
              { queryParams: { user: { regex: "jas.*" } } },
              { method: { exact: "PUT" }, headers: { "x-user": { prefix: "ja" } } },
              { authority: { regex: "other\\..*" } },
              { port: 8080 },
            ],
            route: [toSubset(host, "v2")],
          },
          { route: [toSubset(host, "v1")] },
        ],
      }),
    ],
    checks: [
      goesTo("v2", "/case/1"),
      goesTo("v2", "/?user=jason"),
      goesTo("v1", "/?user=mason"),
      { http: "/", method: "PUT", headers: { "x-user": "jason" }, want: { version: "v2" } },
      { http: "/", method: "PUT", headers: { "x-user": "mason" }, want: { version: "v1" } },
      { http: "/", headers: { Host: "other.example" }, want: { version: "v2" } },
      { http: "/", port: 8080, want: { version: "v2" } },
    ],
  },
  {
    name: "source labels and namespaces",
    objects: (host) => [
      destinationRule(host, { subsets: SUBSETS }),
      virtualService(host, {
        http: [
          { match: [{ sourceNamespace: "consumer" }], route: [toSubset(host, "v2")] },
          { match: [{ sourceLabels: { app: "client" } }], route: [toSubset(host, "v1")] },
        ],
      }),
    ],
    checks: [
      { from: "consumer", http: "/", want: { version: "v2" } },
      { from: "client", http: "/", want: { version: "v1" } },
      { from: "other", http: "/", want: { status: 404 } },
    ],
  },
  {
    name: "a delegate",
    objects: (host) => [
      virtualService(host, {
        http: [
          { match: [{ uri: { prefix: "/team" } }], delegate: { name: `${host}-team`, namespace: APPS } },
        ],
      }),
      {
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: `${host}-team`, namespace: APPS },
        spec: {
          http: [{ match: [{ uri: { prefix: "/team/a" } }], route: [to(host)], rewrite: { uri: "/a" } }],
        },
      },
    ],
    checks: [isAnswered("/team/a", { path: "/a" }), isAnswered("/team/b", { status: 404 })],
  },
];

export const VIRTUAL_SERVICES: readonly Scenario[] = [...HOSTS, ...HEADERS, ...REDIRECTS, ...MATCHES];
