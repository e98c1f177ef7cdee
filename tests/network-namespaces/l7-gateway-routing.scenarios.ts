/** The mesh scenarios of the Gateway API's conformance profiles MESH-HTTP and MESH-GRPC, core and extended (reference: l7-and-cli §8.1). */

import { APPS, backend, CONSUMER, prefix, type RouteOptions, route } from "./l7-objects.fixture.ts";
import { type Check, type Scenario, shares, type Want } from "./l7-scenario.fixture.ts";

const V1 = backend("echo-v1", 8080);
const V2 = backend("echo-v2", 8080);
const PORT_80: RouteOptions = { port: 80 };

const header = (name: string, value: string): object => ({ headers: [{ name, value }] });
const query = (value: string): object => ({ queryParams: [{ name: "animal", value }] });
const fields = (all: Readonly<Record<string, string>>): readonly object[] =>
  Object.entries(all).map(([name, value]) => ({ name, value }));

const requestHeaders = (edit: object): object => ({
  type: "RequestHeaderModifier",
  requestHeaderModifier: edit,
});
const setOnResponse = (value: string): object => ({
  type: "ResponseHeaderModifier",
  responseHeaderModifier: { set: fields({ "X-Header-Set": value }) },
});
const redirect = (path: string, requestRedirect: object): object => ({
  matches: [prefix(path)],
  filters: [{ type: "RequestRedirect", requestRedirect }],
});
const replacePrefix = (replacePrefixMatch: string): object => ({
  type: "ReplacePrefixMatch",
  replacePrefixMatch,
});
const replaceFull = (replaceFullPath: string): object => ({ type: "ReplaceFullPath", replaceFullPath });

const goesTo = (version: string, http: string, headers: Readonly<Record<string, string>> = {}): Check => ({
  http,
  headers,
  want: { version },
});
const isAnswered = (http: string, want: Want): Check => ({ http, want });
const isRedirected = (http: string, status: number, location: string): Check => ({
  http,
  want: { status, headers: { location } },
});

const SET = { set: fields({ "X-Header-Set": "set-overwrites-values" }) };
const ADD = { add: fields({ "X-Header-Add": "add-appends-values" }) };
const REMOVE = { remove: ["X-Header-Remove"] };
const MULTIPLE = {
  set: fields({ "X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2" }),
  add: fields({
    "X-Header-Add-1": "header-add-1",
    "X-Header-Add-2": "header-add-2",
    "X-Header-Add-3": "header-add-3",
  }),
  remove: ["X-Header-Remove-1", "X-Header-Remove-2"],
};
const CASES = {
  set: fields({ "X-Header-Set": "header-set" }),
  add: fields({ "X-Header-Add": "header-add" }),
  remove: ["X-Header-Remove"],
};
const EDITS = [
  { path: "/set", edit: SET },
  { path: "/add", edit: ADD },
  { path: "/remove", edit: REMOVE },
  { path: "/multiple", edit: MULTIPLE },
  { path: "/case-insensitivity", edit: CASES },
];

/** The same, whether the filter stands at the rule or at the backend. */
const EDITED: readonly Check[] = [
  {
    http: "/set",
    headers: { "Some-Other-Header": "val" },
    want: { received: { "some-other-header": "val", "x-header-set": "set-overwrites-values" } },
  },
  {
    http: "/set",
    headers: { "X-Header-Set": "some-other-value" },
    want: { received: { "x-header-set": "set-overwrites-values" } },
  },
  { http: "/add", want: { received: { "x-header-add": "add-appends-values" } } },
  {
    http: "/add",
    headers: { "X-Header-Add": "some-other-value" },
    want: { received: { "x-header-add": "some-other-value,add-appends-values" } },
  },
  {
    http: "/remove",
    headers: { "X-Header-Remove": "val", "X-Header-Kept": "val" },
    want: { received: { "x-header-remove": undefined, "x-header-kept": "val" } },
  },
  {
    http: "/multiple",
    headers: {
      "X-Header-Set-2": "set-val-2",
      "X-Header-Add-2": "add-val-2",
      "X-Header-Remove-2": "remove-val-2",
      "Another-Header": "another-header-val",
    },
    want: {
      version: "v1",
      received: {
        "x-header-set-1": "header-set-1",
        "x-header-set-2": "header-set-2",
        "x-header-add-1": "header-add-1",
        "x-header-add-2": "add-val-2,header-add-2",
        "x-header-add-3": "header-add-3",
        "x-header-remove-2": undefined,
        "another-header": "another-header-val",
      },
    },
  },
  {
    http: "/case-insensitivity",
    headers: { "x-header-set": "one", "x-header-add": "two", "x-header-remove": "three" },
    want: {
      received: {
        "x-header-set": "header-set",
        "x-header-add": "two,header-add",
        "x-header-remove": undefined,
      },
    },
  },
];

const REWRITES_AND_EDITS = requestHeaders({
  ...SET,
  add: fields({ "X-Header-Add": "header-val-1", "X-Header-Add-Append": "header-val-2" }),
  ...REMOVE,
});
const rewrite = (path: string, to: object, ...more: readonly object[]): object => ({
  matches: [prefix(path)],
  filters: [{ type: "URLRewrite", urlRewrite: { path: to } }, ...more],
  backendRefs: [V1],
});
const rewrittenAndEdited = (http: string, path: string): Check => ({
  http,
  headers: {
    "X-Header-Remove": "remove-val",
    "X-Header-Add-Append": "append-val-1",
    "X-Header-Set": "set-val",
  },
  want: {
    version: "v1",
    path,
    received: {
      "x-header-add": "header-val-1",
      "x-header-add-append": "append-val-1,header-val-2",
      "x-header-set": "set-overwrites-values",
      "x-header-remove": undefined,
    },
  },
});

const status = (name: string, code: number, path: string): Scenario => ({
  name,
  objects: (service) => [route(service, [redirect(path, { statusCode: code })], PORT_80)],
  checks: [isRedirected(path, code, `http://{host}${path}`)],
});

const NOT_FOUND: Want = { status: 404 };

export const HTTP_ROUTES: readonly Scenario[] = [
  {
    name: "MeshBasic",
    checks: [
      { http: "/", want: { l7: true } },
      { http: "/", method: "POST", body: "wind", want: { path: "/" } },
    ],
  },
  {
    name: "MeshTrafficSplit",
    objects: (service) => [
      route(service, [
        { matches: [{ path: { type: "Exact", value: "/v1" } }], backendRefs: [V1] },
        { matches: [{ path: { type: "Exact", value: "/v2" } }], backendRefs: [V2] },
      ]),
    ],
    checks: [goesTo("v1", "/v1"), goesTo("v2", "/v2"), isAnswered("/v3", NOT_FOUND)],
  },
  {
    name: "MeshPorts",
    objects: (service) => [route(service, [{ filters: [setOnResponse("v1")], backendRefs: [V1] }], PORT_80)],
    checks: [
      isAnswered("/", { headers: { "x-header-set": "v1" }, version: "v1" }),
      { http: "/", port: 8080, want: { headers: { "x-header-set": undefined }, l7: true } },
    ],
  },
  {
    name: "MeshPorts, every port",
    objects: (service) => [route(service, [{ filters: [setOnResponse("v2")], backendRefs: [V2] }])],
    checks: [
      isAnswered("/", { headers: { "x-header-set": "v2" } }),
      { http: "/", port: 8080, want: { headers: { "x-header-set": "v2" } } },
    ],
  },
  {
    name: "MeshFrontendHostname",
    objects: (service) => [route(service, [{ filters: [setOnResponse("set")], backendRefs: [V2] }])],
    checks: [
      {
        http: "/",
        headers: { Host: "echo-v1" },
        want: { version: "v2", host: "echo-v1", headers: { "x-header-set": "set" } },
      },
    ],
  },
  {
    name: "MeshConsumerRoute",
    objects: (service) => [
      route(
        service,
        [{ filters: [setOnResponse("set")], backendRefs: [backend(service, 80, { namespace: APPS })] }],
        { namespace: CONSUMER },
      ),
    ],
    checks: [
      { from: "consumer", http: "/", want: { headers: { "x-header-set": "set" } } },
      { from: "client", http: "/", want: { headers: { "x-header-set": undefined }, l7: true } },
    ],
  },
  {
    name: "MeshConsumerRoute beside a producer's",
    objects: (service) => [
      route(
        service,
        [{ filters: [setOnResponse("consumer")], backendRefs: [backend(service, 80, { namespace: APPS })] }],
        {
          namespace: CONSUMER,
        },
      ),
      route(service, [{ filters: [setOnResponse("producer")], backendRefs: [V1] }]),
    ],
    checks: [
      { from: "consumer", http: "/", want: { headers: { "x-header-set": "consumer" } } },
      { from: "client", http: "/", want: { headers: { "x-header-set": "producer" } } },
    ],
  },
  {
    name: "MeshHTTPRouteSimpleSameNamespace",
    objects: (service) => [route(service, [{ backendRefs: [V1] }], PORT_80)],
    checks: [{ http: "/", times: 10, want: { version: "v1" } }],
  },
  {
    name: "MeshHTTPRouteMatching",
    objects: (service) => [
      route(
        service,
        [
          { matches: [prefix("/"), header("version", "one")], backendRefs: [V1] },
          { matches: [prefix("/v2"), header("version", "two")], backendRefs: [V2] },
        ],
        PORT_80,
      ),
    ],
    checks: [
      goesTo("v1", "/"),
      goesTo("v1", "/example"),
      goesTo("v1", "/", { Version: "one" }),
      goesTo("v2", "/v2"),
      goesTo("v2", "/v2/example"),
      goesTo("v2", "/", { Version: "two" }),
      goesTo("v2", "/v2/"),
      goesTo("v1", "/v2example"),
      goesTo("v1", "/foo/v2/example"),
    ],
  },
  {
    name: "MeshHTTPRouteWeight",
    objects: (service) => [
      route(
        service,
        [
          {
            backendRefs: [backend("echo-v1", 8080, { weight: 70 }), backend("echo-v2", 8080, { weight: 30 })],
          },
        ],
        PORT_80,
      ),
    ],
    checks: [{ http: "/", times: 400, want: shares({ v1: 70, v2: 30 }, 10) }],
  },
  {
    name: "MeshHTTPRouteQueryParamMatching",
    objects: (service) => [
      route(
        service,
        [
          { matches: [query("whale")], backendRefs: [V1] },
          { matches: [query("dolphin")], backendRefs: [V2] },
          { matches: [{ ...prefix("/path1"), ...query("whale") }], backendRefs: [V1] },
          { matches: [{ ...header("version", "one"), ...query("whale") }], backendRefs: [V2] },
          {
            matches: [
              { ...prefix("/path3"), ...query("shark") },
              { ...prefix("/path4"), ...header("version", "three"), ...query("kraken") },
            ],
            backendRefs: [V1],
          },
          { matches: [prefix("/path5")], backendRefs: [V1] },
          { matches: [query("hydra")], backendRefs: [V2] },
        ],
        PORT_80,
      ),
    ],
    checks: [
      goesTo("v1", "/?animal=whale"),
      goesTo("v2", "/?animal=dolphin"),
      goesTo("v1", "/?animal=whale&otherparam=irrelevant"),
      goesTo("v2", "/?animal=dolphin&color=yellow"),
      isAnswered("/?color=blue", NOT_FOUND),
      isAnswered("/?animal=dog", NOT_FOUND),
      isAnswered("/?animal=whaledolphin", NOT_FOUND),
      isAnswered("/", NOT_FOUND),
      goesTo("v1", "/path1?animal=whale"),
      goesTo("v2", "/?animal=whale", { version: "one" }),
      goesTo("v1", "/path3?animal=shark"),
      goesTo("v1", "/path4?animal=kraken", { version: "three" }),
      isAnswered("/?animal=shark", NOT_FOUND),
      isAnswered("/path4?animal=kraken", NOT_FOUND),
      goesTo("v1", "/path5?animal=hydra"),
    ],
  },
  {
    name: "MeshHTTPRouteNamedRule",
    objects: (service) => [
      route(
        service,
        [
          { name: "named-rule", matches: [prefix("/named")], backendRefs: [V1] },
          { matches: [prefix("/unnamed")], backendRefs: [V2] },
        ],
        PORT_80,
      ),
    ],
    checks: [goesTo("v1", "/named"), goesTo("v2", "/unnamed")],
  },
  {
    name: "TestWaypointWithInvalidBackend",
    objects: (service) => [route(service, [{ backendRefs: [backend("nobody", 80)] }])],
    checks: [isAnswered("/", { status: 500 })],
  },
  {
    name: "an invalid backend fails its share",
    objects: (service) => [
      route(service, [
        { backendRefs: [backend("nobody", 80, { weight: 1 }), backend("echo-v2", 8080, { weight: 1 })] },
      ]),
    ],
    checks: [
      {
        call: (host) => ({ kind: "http", url: `http://${host}/`, times: 1 }),
        want: { status: 500 },
      },
      {
        call: (host) => ({ kind: "http", url: `http://${host}/`, times: 1 }),
        want: { version: "v2" },
      },
    ],
  },
];
