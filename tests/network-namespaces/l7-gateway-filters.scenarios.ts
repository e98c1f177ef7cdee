/** Filters of HTTPRoutes: the mesh scenarios of the Gateway API's profile MESH-HTTP, core and extended (reference: l7-and-cli §8.1). */

import { backend, fields, prefix, type RouteOptions, requestHeaders, route } from "./l7-objects.fixture.ts";
import { type Check, isAnswered, isRedirected, type Scenario } from "./l7-scenario.fixture.ts";

const V1 = backend("echo-v1", 8080);
const PORT_80: RouteOptions = { port: 80 };

const redirect = (path: string, requestRedirect: object): object => ({
  matches: [prefix(path)],
  filters: [{ type: "RequestRedirect", requestRedirect }],
});
const replacePrefix = (replacePrefixMatch: string): object => ({
  type: "ReplacePrefixMatch",
  replacePrefixMatch,
});
const replaceFull = (replaceFullPath: string): object => ({ type: "ReplaceFullPath", replaceFullPath });

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

export const HTTP_FILTERS: readonly Scenario[] = [
  {
    name: "MeshHTTPRouteRequestHeaderModifier",
    objects: (service) => [
      route(
        service,
        EDITS.map(({ path, edit }) => ({
          matches: [prefix(path)],
          filters: [requestHeaders(edit)],
          backendRefs: [V1],
        })),
        PORT_80,
      ),
    ],
    checks: EDITED,
  },
  {
    name: "MeshHTTPRouteBackendRequestHeaderModifier",
    objects: (service) => [
      route(
        service,
        EDITS.map(({ path, edit }) => ({
          matches: [prefix(path)],
          backendRefs: [{ ...V1, filters: [requestHeaders(edit)] }],
        })),
        PORT_80,
      ),
    ],
    checks: EDITED,
  },
  {
    name: "MeshHTTPRouteRedirectHostAndStatus",
    objects: (service) => [
      route(
        service,
        [
          redirect("/hostname-redirect", { hostname: "example.org" }),
          redirect("/host-and-status", { hostname: "example.org", statusCode: 301 }),
        ],
        PORT_80,
      ),
    ],
    checks: [
      isRedirected("/hostname-redirect", 302, "http://example.org/hostname-redirect"),
      isRedirected("/host-and-status", 301, "http://example.org/host-and-status"),
    ],
  },
  {
    name: "MeshHTTPRouteRedirectPath",
    objects: (service) => [
      route(
        service,
        [
          redirect("/original-prefix", { path: replacePrefix("/replacement-prefix") }),
          redirect("/full", { path: replaceFull("/full-path-replacement") }),
          redirect("/path-and-host", { hostname: "example.org", path: replacePrefix("/replacement-prefix") }),
          redirect("/path-and-status", { statusCode: 301, path: replacePrefix("/replacement-prefix") }),
          redirect("/full-path-and-host", {
            hostname: "example.org",
            path: replaceFull("/replacement-full"),
          }),
          redirect("/full-path-and-status", { statusCode: 301, path: replaceFull("/replacement-full") }),
        ],
        PORT_80,
      ),
    ],
    checks: [
      isRedirected("/original-prefix/lemon", 302, "http://{host}/replacement-prefix/lemon"),
      isRedirected("/full/path/original", 302, "http://{host}/full-path-replacement"),
      isRedirected("/path-and-host", 302, "http://example.org/replacement-prefix"),
      isRedirected("/path-and-status", 301, "http://{host}/replacement-prefix"),
      isRedirected("/full-path-and-host", 302, "http://example.org/replacement-full"),
      isRedirected("/full-path-and-status", 301, "http://{host}/replacement-full"),
    ],
  },
  {
    name: "MeshHTTPRouteRedirectPort",
    objects: (service) => [
      route(
        service,
        [
          redirect("/port", { port: 8083 }),
          redirect("/port-and-host", { port: 8083, hostname: "example.org" }),
          redirect("/port-and-status", { port: 8083, statusCode: 301 }),
          redirect("/port-and-host-and-status", { port: 8083, hostname: "example.org", statusCode: 302 }),
        ],
        PORT_80,
      ),
    ],
    checks: [
      isRedirected("/port", 302, "http://{host}:8083/port"),
      isRedirected("/port-and-host", 302, "http://example.org:8083/port-and-host"),
      isRedirected("/port-and-status", 301, "http://{host}:8083/port-and-status"),
      isRedirected("/port-and-host-and-status", 302, "http://example.org:8083/port-and-host-and-status"),
    ],
  },
  {
    name: "MeshHTTPRouteSchemeRedirect",
    objects: (service) => [
      route(
        service,
        [
          redirect("/scheme", { scheme: "https" }),
          redirect("/scheme-and-host", { scheme: "https", hostname: "example.org" }),
          redirect("/scheme-and-status", { scheme: "https", statusCode: 301 }),
          redirect("/scheme-and-host-and-status", {
            scheme: "https",
            hostname: "example.org",
            statusCode: 302,
          }),
        ],
        PORT_80,
      ),
    ],
    checks: [
      isRedirected("/scheme", 302, "https://{host}/scheme"),
      isRedirected("/scheme-and-host", 302, "https://example.org/scheme-and-host"),
      isRedirected("/scheme-and-status", 301, "https://{host}/scheme-and-status"),
      isRedirected("/scheme-and-host-and-status", 302, "https://example.org/scheme-and-host-and-status"),
    ],
  },
  status("MeshHTTPRoute303Redirect", 303, "/redirect"),
  status("MeshHTTPRoute307Redirect", 307, "/temporary"),
  status("MeshHTTPRoute308Redirect", 308, "/permanent"),
  {
    name: "MeshHTTPRouteRewritePath",
    objects: (service) => [
      route(
        service,
        [
          rewrite("/prefix/one", replacePrefix("/one")),
          rewrite("/strip-prefix", replacePrefix("/")),
          rewrite("/full/one", replaceFull("/one")),
          rewrite("/full/rewrite-path-and-modify-headers", replaceFull("/test"), REWRITES_AND_EDITS),
          rewrite("/prefix/rewrite-path-and-modify-headers", replacePrefix("/prefix"), REWRITES_AND_EDITS),
        ],
        PORT_80,
      ),
    ],
    checks: [
      isAnswered("/prefix/one/two", { path: "/one/two", version: "v1" }),
      isAnswered("/strip-prefix/three", { path: "/three" }),
      isAnswered("/strip-prefix", { path: "/" }),
      isAnswered("/full/one/two", { path: "/one" }),
      rewrittenAndEdited("/full/rewrite-path-and-modify-headers/test", "/test"),
      rewrittenAndEdited("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one"),
    ],
  },
];
