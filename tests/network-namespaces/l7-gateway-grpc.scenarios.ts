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

const GRPC_80 = { kind: "GRPCRoute", port: 7070 } as const;
const grpcBackend = (name: string, more: object = {}): object => backend(name, 7070, more);

const grpcCase = (value: string, edit: object, version = "echo-v1"): object => ({
  matches: [{ headers: [{ name: "x-test-case", value }] }],
  filters: [requestHeaders(edit)],
  backendRefs: [grpcBackend(version)],
});

const grpcCheck = (
  metadata: Readonly<Record<string, string>>,
  want: Want,
  more: { readonly method?: "Say" | "Other"; readonly times?: number } = {},
): Check => ({
  call: (host) => ({ kind: "grpc", target: `${host}:7070`, metadata, ...more }),
  want,
});

const UNIMPLEMENTED = 12;

export const GRPC_ROUTES: readonly Scenario[] = [
  {
    name: "MeshGRPCRouteWeight",
    objects: (service) => [
      route(
        service,
        [
          {
            backendRefs: [
              grpcBackend("echo-v1", { weight: 70 }),
              grpcBackend("echo-v2", { weight: 30 }),
              grpcBackend("echo-v3", { weight: 0 }),
            ],
          },
        ],
        GRPC_80,
      ),
    ],
    checks: [grpcCheck({}, shares({ v1: 70, v2: 30 }, 10), { times: 400 })],
  },
  {
    name: "MeshGRPCRouteRequestHeaderModifier",
    objects: (service) => [
      route(
        service,
        [
          grpcCase("set", { set: fields({ "x-header-set": "set-overwrites-values" }) }),
          grpcCase("add", { add: fields({ "x-header-add": "add-appends-values" }) }),
          grpcCase("remove", { remove: ["x-header-remove"] }),
          grpcCase(
            "multi",
            {
              set: fields({ "x-header-set-1": "header-set-1", "x-header-set-2": "header-set-2" }),
              add: fields({ "x-header-add-1": "header-add-1", "x-header-add-2": "header-add-2" }),
              remove: ["x-header-remove-1", "x-header-remove-2"],
            },
            "echo-v2",
          ),
        ],
        GRPC_80,
      ),
    ],
    checks: [
      grpcCheck(
        { "x-test-case": "set", "x-header-set": "other" },
        { received: { "x-header-set": "set-overwrites-values" }, version: "v1" },
      ),
      grpcCheck(
        { "x-test-case": "add", "x-header-add": "some-other-value" },
        { received: { "x-header-add": "some-other-value,add-appends-values" } },
      ),
      grpcCheck(
        { "x-test-case": "remove", "x-header-remove": "val" },
        { received: { "x-header-remove": undefined, "x-test-case": "remove" } },
      ),
      grpcCheck(
        {
          "x-test-case": "multi",
          "x-header-set-2": "old",
          "x-header-add-2": "old",
          "x-header-remove-2": "old",
        },
        {
          version: "v2",
          received: {
            "x-header-set-1": "header-set-1",
            "x-header-set-2": "header-set-2",
            "x-header-add-1": "header-add-1",
            "x-header-add-2": "old,header-add-2",
            "x-header-remove-2": undefined,
          },
        },
      ),
    ],
  },
  {
    name: "GRPCRoute by service and method",
    objects: (service) => [
      route(
        service,
        [
          {
            matches: [{ method: { service: "echo.Echo", method: "Say" } }],
            backendRefs: [grpcBackend("echo-v1")],
          },
          {
            matches: [{ method: { type: "RegularExpression", service: "echo\\..+", method: "O.*" } }],
            backendRefs: [grpcBackend("echo-v2")],
          },
        ],
        GRPC_80,
      ),
    ],
    checks: [
      grpcCheck({}, { version: "v1" }),
      grpcCheck({}, { version: "v2" }, { method: "Other" }),
      {
        call: (host) => ({ kind: "grpc", target: `${host}:7070`, method: "Chat" }),
        want: { status: UNIMPLEMENTED },
      },
    ],
  },
];
