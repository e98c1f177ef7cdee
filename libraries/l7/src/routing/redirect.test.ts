import assert from "node:assert/strict";
import { test } from "node:test";
import type { PathMatch, Redirect } from "@meltemi/model/l7";
import { compileRoutes, decideRoute } from "./route-table.ts";
import { type SampleRequest, sampleMatch, sampleRequest, sampleRoute } from "./sample-request.ts";

const cases: readonly {
  name: string;
  redirect: Partial<Redirect>;
  match?: PathMatch;
  request: SampleRequest;
  want: string | undefined;
}[] = [
  {
    name: "redirect",
    redirect: { path: { kind: "full", value: "/new/path" } },
    request: { path: "/foo?key=value" },
    want: "http://reviews/new/path?key=value",
  },
  {
    name: "redirect port and scheme",
    redirect: { port: "fromRequest", scheme: "https" },
    request: { path: "/foo" },
    want: "https://reviews:80/foo",
  },
  {
    name: "redirect request port: to default",
    redirect: { port: "fromRequest" },
    request: { path: "/foo", authority: "b" },
    want: "http://b/foo",
  },
  {
    name: "redirect request port: to default with host port",
    redirect: { port: "fromRequest" },
    request: { path: "/foo", authority: "b:80" },
    want: "http://b:80/foo",
  },
  {
    name: "redirect request port: non-default",
    redirect: { port: "fromRequest" },
    request: { path: "/foo", authority: "b", port: 85 },
    want: "http://b:85/foo",
  },
  {
    name: "redirect request port: non-default with host port",
    redirect: { port: "fromRequest" },
    request: { path: "/foo", authority: "b:85", port: 85 },
    want: "http://b:85/foo",
  },
  {
    name: "redirect prefix_rewrite",
    redirect: { path: { kind: "prefix", value: "/new" } },
    match: { kind: "prefix", value: "/old" },
    request: { path: "/old/x?y" },
    want: "http://reviews/new/x?y",
  },
  {
    name: "redirect prefix of elements",
    redirect: { path: { kind: "prefix", value: "/" } },
    match: { kind: "elements", value: "/old" },
    request: { path: "/old/x" },
    want: "http://reviews/x",
  },
  {
    name: "MeshHTTPRouteRedirectHostAndStatus",
    redirect: { authority: "example.org", status: 302 },
    request: { path: "/a?b", authority: "b:8080" },
    want: "http://example.org/a?b",
  },
  {
    name: "MeshHTTPRouteRedirectPort",
    redirect: { port: 8083 },
    request: { authority: "b:80" },
    want: "http://b:8083/",
  },
  {
    name: "MeshHTTPRouteRedirectPort: the default of the scheme is left out",
    redirect: { port: 443, scheme: "https" },
    request: {},
    want: "https://reviews/",
  },
  {
    name: "MeshHTTPRouteSchemeRedirect: the port of the scheme",
    redirect: { scheme: "https", port: "fromScheme" },
    request: { authority: "b:8080" },
    want: "https://b/",
  },
  {
    name: "another scheme leaves the old default port behind",
    redirect: { scheme: "https" },
    request: { authority: "b:80" },
    want: "https://b/",
  },
  {
    name: "another scheme keeps another port",
    redirect: { scheme: "https" },
    request: { authority: "b:8080" },
    want: "https://b:8080/",
  },
  {
    name: "IPv6",
    redirect: { port: 8080 },
    request: { authority: "[fd00::1]:80" },
    want: "http://[fd00::1]:8080/",
  },
  {
    name: "IPv6 without port",
    redirect: { port: 8080 },
    request: { authority: "[fd00::1]" },
    want: "http://[fd00::1]:8080/",
  },
  { name: "a new host with a port", redirect: { authority: "a:81" }, request: {}, want: "http://a:81/" },
  { name: "refused: no host known", redirect: { port: 81 }, request: { authority: "" }, want: undefined },
  {
    name: "refused: OPTIONS * has no place",
    redirect: { scheme: "https" },
    request: { path: "*", method: "OPTIONS" },
    want: undefined,
  },
  {
    name: "refused: a host with a line end",
    redirect: { authority: "a\r\nb" },
    request: {},
    want: undefined,
  },
  { name: "refused: a host with a user", redirect: { authority: "a@b" }, request: {}, want: undefined },
  {
    name: "refused: a scheme that is none",
    redirect: { scheme: "java script" },
    request: {},
    want: undefined,
  },
];
for (const { name, redirect, match, request, want } of cases)
  test(`redirect: ${name}`, () => {
    const action = { kind: "redirect", status: 301, ...redirect } as const;
    const matches = match === undefined ? [] : [sampleMatch({ path: match })];
    const decision = decideRoute(
      compileRoutes([sampleRoute("r", { matches, action })]),
      sampleRequest(request),
      () => 0,
    );
    assert.equal(decision.kind, want === undefined ? "invalid" : "redirect");
    if (decision.kind !== "redirect") return;
    assert.equal(decision.reply.status, redirect.status ?? 301);
    assert.deepEqual(decision.reply.headers, [["location", want]]);
  });
