import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import type { HeaderEdit, HttpRoute, PathMatch, PathRewrite } from "@meltemi/model/l7";
import fc from "fast-check";
import type { RequestContext } from "../request-context.ts";
import { rewriteRequest, rewriteResponse } from "./rewrite-request.ts";
import { compileRoutes, decideRoute, type RouteDecision } from "./route-table.ts";
import {
  type SampleRequest,
  sampleForward,
  sampleMatch,
  sampleRequest,
  sampleRoute,
} from "./sample-request.ts";

const edit = (given: Partial<HeaderEdit>): HeaderEdit => ({ set: [], add: [], remove: [], ...given });

function decide(
  route: HttpRoute,
  given: SampleRequest,
): { context: RequestContext; decision: RouteDecision } {
  const context = sampleRequest(given);
  return { context, decision: decideRoute(compileRoutes([route]), context, () => 0) };
}

/** The request as it goes on; undefined: refused. */
function rewritten(route: HttpRoute, given: SampleRequest): RequestContext["request"] | undefined {
  const { context, decision } = decide(route, given);
  if (decision.kind !== "forward" || !rewriteRequest(decision, context.request)) return undefined;
  return context.request;
}

const replacePrefix = (match: string, value: string, path: string, want: string) => ({
  name: `ReplacePrefixMatch ${JSON.stringify(match)} by ${JSON.stringify(value)}`,
  match: { kind: "elements", value: match } as PathMatch,
  path: { kind: "prefix", value } as PathRewrite,
  from: path,
  want,
});
const paths: readonly {
  name: string;
  match?: PathMatch;
  path: PathRewrite;
  from: string;
  want: string | undefined;
}[] = [
  replacePrefix("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
  replacePrefix("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
  replacePrefix("/foo/", "/xyz", "/foo/bar", "/xyz/bar"),
  replacePrefix("/foo/", "/xyz/", "/foo/bar", "/xyz/bar"),
  replacePrefix("/foo", "/xyz", "/foo", "/xyz"),
  replacePrefix("/foo", "/xyz", "/foo/", "/xyz/"),
  replacePrefix("/foo", "", "/foo/bar", "/bar"),
  replacePrefix("/foo", "", "/foo/", "/"),
  replacePrefix("/foo", "", "/foo", "/"),
  replacePrefix("/foo", "/", "/foo/", "/"),
  replacePrefix("/foo", "/", "/foo", "/"),
  replacePrefix("/foo", "/", "/foo/bar?a=/foo", "/bar?a=/foo"),
  replacePrefix("/", "/xyz", "/bar", "/xyz/bar"),
  replacePrefix("/", "/xyz", "/", "/xyz/"),
  {
    name: "rewrite uri",
    match: { kind: "exact", value: "/foo" },
    path: { kind: "prefix", value: "/new/path" },
    from: "/foo?key=value",
    want: "/new/path?key=value",
  },
  {
    name: "rewrite uri of a prefix",
    match: { kind: "prefix", value: "/foo/" },
    path: { kind: "prefix", value: "/" },
    from: "/foo/bar",
    want: "/bar",
  },
  {
    name: "rewrite uri of a prefix, letter by letter",
    match: { kind: "prefix", value: "/foo" },
    path: { kind: "prefix", value: "/" },
    from: "/foo/bar",
    want: "//bar",
  },
  {
    name: "rewrite uri of a prefix without case",
    match: { kind: "prefix", value: "/FOO", ignoreCase: true },
    path: { kind: "prefix", value: "/x" },
    from: "/foO/bar",
    want: "/x/bar",
  },
  {
    name: "rewrite uri without a match of the path",
    path: { kind: "prefix", value: "/all" },
    from: "/foo/bar",
    want: "/all",
  },
  {
    name: "MeshHTTPRouteRewritePath: ReplaceFullPath",
    match: { kind: "elements", value: "/full" },
    path: { kind: "full", value: "/one" },
    from: "/full/one/two?q",
    want: "/one?q",
  },
  {
    name: "a value with a query of its own",
    path: { kind: "full", value: "/one?x=1" },
    from: "/a?q",
    want: "/one?x=1",
  },
  {
    name: "a value without a slash in front",
    path: { kind: "full", value: "one" },
    from: "/a",
    want: "/one",
  },
  {
    name: "uriRegexRewrite",
    path: { kind: "regex", pattern: "^/service/([^/]+)(/.*)$", substitution: "\\2/instance/\\1" },
    from: "/service/foo/v1/api?x=/service/",
    want: "/v1/api/instance/foo?x=/service/",
  },
  {
    name: "uriRegexRewrite that matches nothing",
    path: { kind: "regex", pattern: "^/no", substitution: "" },
    from: "/a",
    want: "/a",
  },
  {
    name: "uriRegexRewrite to nothing",
    path: { kind: "regex", pattern: ".*", substitution: "" },
    from: "/a",
    want: "/",
  },
  { name: "refused: a space", path: { kind: "full", value: "/a HTTP/1.1" }, from: "/", want: undefined },
  { name: "refused: a line end", path: { kind: "prefix", value: "/a\r\nx: y" }, from: "/", want: undefined },
  {
    name: "refused: a broken pattern",
    path: { kind: "regex", pattern: "(", substitution: "" },
    from: "/",
    want: undefined,
  },
  {
    name: "refused: a result beyond the bound",
    path: { kind: "regex", pattern: "a", substitution: "b".repeat(1000) },
    from: `/${"a".repeat(100)}`,
    want: undefined,
  },
];
for (const { name, match, path, from, want } of paths)
  test(`rewriteRequest: ${name}: ${from.slice(0, 20)}`, () => {
    const route = sampleRoute("r", {
      matches: match === undefined ? [] : [sampleMatch({ path: match })],
      action: sampleForward("c", { rewrite: { path } }),
    });
    const request = rewritten(route, { path: from });
    assert.equal(request?.path, want);
    if (want !== undefined) assert.equal(request?.headers.get("x-envoy-original-path"), from);
  });

const host = (value: string): HeaderEdit => edit({ set: [["Host", value]] });
const authority = (value: string): HeaderEdit => edit({ set: [[":authority", value]] });
const hosts: readonly {
  name: string;
  route?: HeaderEdit;
  target?: HeaderEdit;
  rewrite?: string;
  want: string;
}[] = [
  { name: "set authority header", route: authority("my-custom-authority"), want: "my-custom-authority" },
  {
    name: "set host header in destination",
    target: host("my-custom-authority"),
    want: "my-custom-authority",
  },
  {
    name: "set host header in route and destination",
    route: authority("route-authority"),
    target: host("dest-authority"),
    want: "route-authority",
  },
  { name: "rewrite authority", rewrite: "new-authority", want: "new-authority" },
  {
    name: "rewrite authority and headers",
    rewrite: "new-authority",
    route: host("route-authority"),
    want: "new-authority",
  },
  { name: "added like set", route: edit({ add: [["host", "added"]] }), want: "added" },
  { name: "refused: a removed host", route: edit({ remove: ["host"] }), want: "reviews" },
  { name: "refused: two hosts in one", route: host("a b"), rewrite: "a/b", want: "reviews" },
];
for (const { name, route, target, rewrite, want } of hosts)
  test(`rewriteRequest: ${name}`, () => {
    const targets = [
      {
        target: { kind: "cluster", cluster: "c" },
        weight: 1,
        ...(target && { requestHeaders: target }),
      } as const,
    ];
    const action = sampleForward("c", {
      targets,
      ...(rewrite !== undefined && { rewrite: { authority: rewrite } }),
    });
    const request = rewritten(sampleRoute("r", { action, ...(route && { requestHeaders: route }) }), {});
    assert.equal(request?.authority, want);
    assert.equal(request?.headers.has("host"), false);
  });

test("rewriteRequest: MeshHTTPRouteRequestHeaderModifier: removed, then set, then added; the target has the last word", () => {
  const requestHeaders = edit({
    set: [
      ["X-Set", "route"],
      ["x-both", "route"],
    ],
    add: [["x-add", "route"]],
    remove: ["X-Remove"],
  });
  const targets = [
    {
      target: { kind: "cluster", cluster: "c" },
      weight: 1,
      requestHeaders: edit({ set: [["x-both", "%REQ(:path)%"]], add: [["x-add", "target"]] }),
    } as const,
  ];
  const request = rewritten(sampleRoute("r", { action: sampleForward("c", { targets }), requestHeaders }), {
    headers: { "x-set": "old", "x-remove": "old", "x-add": "old" },
  });
  assert.deepEqual(request?.headers.flat, [
    "x-set",
    "route",
    "x-add",
    "old",
    "x-both",
    "%REQ(:path)%",
    "x-add",
    "route",
    "x-add",
    "target",
  ]);
});

test("rewriteResponse: edits of the route and of the target; a redirect gets the route's", () => {
  const responseHeaders = edit({ set: [["x-route", "é"]], remove: ["server"] });
  const targets = [
    {
      target: { kind: "cluster", cluster: "c" },
      weight: 1,
      responseHeaders: edit({ add: [["x-target", "1"]] }),
    } as const,
  ];
  const { decision } = decide(
    sampleRoute("r", { action: sampleForward("c", { targets }), responseHeaders }),
    {},
  );
  const response = { status: 200, headers: HeaderFields.of(["server", "x"]) };
  rewriteResponse(decision, response);
  assert.deepEqual(response.headers.flat, ["x-route", "\u00c3\u00a9", "x-target", "1"]);
  const redirect = decide(
    sampleRoute("r", { action: { kind: "redirect", status: 301, scheme: "https" }, responseHeaders }),
    {},
  ).decision;
  const moved = { status: 301, headers: new HeaderFields() };
  rewriteResponse(redirect, moved);
  rewriteResponse({ kind: "none" }, moved);
  assert.deepEqual(moved.headers.flat, ["x-route", "\u00c3\u00a9"]);
});

for (const name of [
  "connection",
  "content-length",
  "Transfer-Encoding",
  "te",
  "upgrade",
  ":path",
  ":status",
  "bad name",
  "",
  "x\r\ny",
])
  test(`header edits refuse ${JSON.stringify(name)}`, () => {
    const requestHeaders = edit({ set: [[name, "1"]], add: [[name, "1"]], remove: [name] });
    const route = sampleRoute("r", { requestHeaders });
    assert.equal(compileRoutes([route]).problems.length, 3);
    assert.deepEqual(rewritten(route, {})?.headers.flat, []);
  });

test("header edits refuse values with line ends", () => {
  const route = sampleRoute("r", {
    requestHeaders: edit({
      set: [
        ["x", "a\r\nhost: b"],
        ["y", "\0"],
      ],
    }),
  });
  assert.equal(compileRoutes([route]).problems.length, 2);
  assert.deepEqual(rewritten(route, {})?.headers.flat, []);
});

test("fuzz: whatever is configured, nothing leaves the path, the host or a header early", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "/", "?", " ", "\r", "\n", "\0", "é", "\\1", ":", "@"),
    maxLength: 8,
  });
  fc.assert(
    fc.property(text, text, text, fc.constantFrom("full", "prefix"), (path, name, value, kind) => {
      const route = sampleRoute("r", {
        action: sampleForward("c", { rewrite: { path: { kind, value: path }, authority: value } }),
        requestHeaders: edit({ set: [[name, value]] }),
      });
      const request = rewritten(route, { path: "/a?b" });
      if (request === undefined) return;
      for (const word of [request.path, request.authority]) assert.doesNotMatch(word, /[\s\0]/);
      for (const field of request.headers.flat) assert.doesNotMatch(field, /[\r\n\0]/);
      assert.ok(request.path.startsWith("/"));
    }),
    { numRuns: 1000 },
  );
});
