import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRoute, NamedMatch, RequestMatch, TextMatch } from "@meltemi/model/l7";
import fc from "fast-check";
import { RegexCache } from "../text/regex.ts";
import { compileRequestMatch } from "./request-matcher.ts";
import { compileRoutes, decideRoute } from "./route-table.ts";
import { RoutedRequest } from "./routed-request.ts";
import {
  type SampleRequest,
  sampleForward,
  sampleMatch,
  sampleRequest,
  sampleRoute,
} from "./sample-request.ts";

const header = (name: string, match: TextMatch, invert = false): NamedMatch => ({ name, match, invert });
const exact = (value: string): TextMatch => ({ kind: "exact", value });

/** `v1` where the match holds; the answer to all else is none, which is 404. */
function chosen(
  routes: readonly HttpRoute[],
  request: SampleRequest,
  random: () => number = () => 0,
): string {
  const decision = decideRoute(compileRoutes(routes), sampleRequest(request), random);
  return decision.kind === "forward" ? decision.cluster : decision.kind;
}

interface MatchCase {
  readonly name: string;
  readonly match: Partial<RequestMatch>;
  readonly yes: readonly SampleRequest[];
  readonly no: readonly SampleRequest[];
}

const absurdHeader = "a!#$%&'*+-.^_`|~z";
const cases: readonly MatchCase[] = [
  {
    name: "MeshHTTPRouteMatching: path elements",
    match: { path: { kind: "elements", value: "/v2" } },
    yes: [{ path: "/v2" }, { path: "/v2/" }, { path: "/v2/example" }, { path: "/v2?x=1" }],
    no: [{ path: "/v2example" }, { path: "/" }, { path: "/foo/v2/example" }, { path: "/V2" }],
  },
  {
    name: "path elements: the root is every path",
    match: { path: { kind: "elements", value: "/" } },
    yes: [{ path: "/" }, { path: "/any" }],
    no: [],
  },
  {
    name: "path exact",
    match: { path: { kind: "exact", value: "/foo" } },
    yes: [{ path: "/foo" }, { path: "/foo?key=value" }],
    no: [{ path: "/foo/" }, { path: "/foobar" }, { path: "/Foo" }],
  },
  {
    name: "path exact with ignoreUriCase",
    match: { path: { kind: "exact", value: "/Foo", ignoreCase: true } },
    yes: [{ path: "/foo" }, { path: "/FOO" }],
    no: [{ path: "/foo/" }],
  },
  {
    name: "path prefix, letter by letter",
    match: { path: { kind: "prefix", value: "/foo" } },
    yes: [{ path: "/foo" }, { path: "/foobar" }, { path: "/foo/bar" }],
    no: [{ path: "/fo" }, { path: "/FOO" }],
  },
  {
    name: "path prefix with ignoreUriCase",
    match: { path: { kind: "prefix", value: "/Foo", ignoreCase: true } },
    yes: [{ path: "/fOObar" }],
    no: [{ path: "/fo" }],
  },
  {
    name: "path regex is of the whole path, without the query",
    match: { path: { kind: "regex", pattern: "/v[0-9]+/.*" } },
    yes: [{ path: "/v1/x" }, { path: "/v22/?a=b" }],
    no: [{ path: "/v1" }, { path: "/a/v1/x" }],
  },
  {
    name: "weird header matches",
    match: { headers: [header(absurdHeader, exact("why"))] },
    yes: [{ headers: { [absurdHeader]: "why" } }],
    no: [{}, { headers: { [absurdHeader]: "not" } }],
  },
  {
    name: "pseudo header matches",
    match: { headers: [header(":method", exact("GET"))] },
    yes: [{ method: "GET" }],
    no: [{ method: "POST" }],
  },
  {
    name: "without headers",
    match: { headers: [header("x-a", exact("1"), true)] },
    yes: [{}, { headers: { "x-a": "2" } }],
    no: [{ headers: { "x-a": "1" } }],
  },
  {
    name: "without headers, regex to presence",
    match: { headers: [header("x-a", { kind: "present" }, true)] },
    yes: [{}],
    no: [{ headers: { "x-a": "" } }],
  },
  {
    name: "without headers, regex of any string: what is absent counts as empty",
    match: { headers: [header("x-a", { kind: "regex", pattern: ".*" }, true)] },
    yes: [],
    no: [{}, { headers: { "x-a": "any" } }, { headers: { "x-a": "" } }],
  },
  {
    name: "MeshHTTPRouteQueryParamMatching: the first value counts, as it is spelt",
    match: { queryParams: [header("animal", exact("whale"))] },
    yes: [{ path: "/?animal=whale" }, { path: "/?x&animal=whale&animal=dog" }],
    no: [
      { path: "/" },
      { path: "/?animal=dog&animal=whale" },
      { path: "/?animals=whale" },
      { path: "/?animal=wh%61le" },
      { path: "/animal=whale" },
    ],
  },
  {
    name: "a query parameter that is there without a value",
    match: { queryParams: [header("debug", { kind: "present" })] },
    yes: [{ path: "/?debug" }, { path: "/?debug=" }],
    no: [{ path: "/?debugger=1" }, { path: "/" }],
  },
  {
    name: "method, scheme and authority together",
    match: { method: exact("PUT"), scheme: exact("https"), authority: exact("Reviews:443") },
    yes: [{ method: "PUT", scheme: "https", authority: "reviews:443" }],
    no: [
      { method: "GET", scheme: "https", authority: "reviews:443" },
      { method: "PUT", scheme: "http", authority: "reviews:443" },
      { method: "PUT", scheme: "https", authority: "reviews" },
    ],
  },
  {
    name: "sourceLabels mean the caller, and only one that is verified",
    match: { source: { labels: { app: "productpage" } } },
    yes: [{ callerNamespace: "default", callerLabels: { app: "productpage", version: "v1" } }],
    no: [
      { callerLabels: { app: "productpage" } },
      { callerNamespace: "default", callerLabels: { app: "sleep" } },
      { callerNamespace: "default" },
    ],
  },
  {
    name: "MeshConsumerRoute: sourceNamespace means the caller's",
    match: { source: { namespace: "consumer" } },
    yes: [{ callerNamespace: "consumer" }],
    no: [{ callerNamespace: "default" }, {}],
  },
];

for (const { name, match, yes, no } of cases)
  test(`decideRoute: ${name}`, () => {
    const routes = [sampleRoute("v1", { matches: [sampleMatch(match)] })];
    for (const request of yes) assert.equal(chosen(routes, request), "v1", JSON.stringify(request));
    for (const request of no) assert.equal(chosen(routes, request), "none", JSON.stringify(request));
  });

test("decideRoute: a repeated header is compared as one list", () => {
  const routes = [sampleRoute("v1", { matches: [sampleMatch({ headers: [header("x-a", exact("1,2"))] })] })];
  const request = sampleRequest({ headers: { "x-a": "1" } });
  request.request.headers.append("x-a", "2");
  assert.equal(decideRoute(compileRoutes(routes), request, () => 0).kind, "forward");
});

test("decideRoute: catch-all short circuit, the first route that matches wins", () => {
  const routes = [
    sampleRoute("first", { matches: [sampleMatch({ path: { kind: "regex", pattern: ".*" } })] }),
    sampleRoute("second", { matches: [sampleMatch({ path: { kind: "exact", value: "/x" } })] }),
  ];
  assert.equal(chosen(routes, { path: "/x" }), "first");
});

test("decideRoute: any match of a route is enough, and no match at all is every request", () => {
  const matches = [
    sampleMatch({ method: exact("PUT") }),
    sampleMatch({ path: { kind: "prefix", value: "/a" } }),
  ];
  const routes = [sampleRoute("v1", { matches }), sampleRoute("rest")];
  assert.equal(chosen(routes, { method: "PUT" }), "v1");
  assert.equal(chosen(routes, { path: "/ab" }), "v1");
  assert.equal(chosen(routes, { path: "/b" }), "rest");
  assert.equal(chosen([], {}), "none");
});

test("decideRoute: shifting-80, MeshHTTPRouteWeight: shares are those of the weights", () => {
  const targets = [80, 0, 10, 10].map((weight, index) => ({
    target: { kind: "cluster", cluster: `v${index}` } as const,
    weight,
  }));
  const table = compileRoutes([sampleRoute("split", { action: sampleForward("", { targets }) })]);
  const counts = new Map<string, number>();
  for (let drawn = 0; drawn < 1000; drawn++) {
    const decision = decideRoute(table, sampleRequest(), () => drawn / 1000);
    if (decision.kind === "forward") counts.set(decision.cluster, (counts.get(decision.cluster) ?? 0) + 1);
  }
  assert.deepEqual(
    [...counts],
    [
      ["v0", 800],
      ["v2", 100],
      ["v3", 100],
    ],
  );
});

test("decideRoute: a backend that does not exist answers 500 for its share; so does a route without any weight", () => {
  const targets = [
    { target: { kind: "cluster", cluster: "v1" }, weight: 1 },
    { target: { kind: "invalid", detail: "BackendNotFound" }, weight: 1 },
  ] as const;
  const split = [sampleRoute("split", { action: sampleForward("", { targets }) })];
  assert.equal(
    chosen(split, {}, () => 0.4),
    "v1",
  );
  assert.equal(
    chosen(split, {}, () => 0.6),
    "invalid",
  );
  const none = targets.map((target) => ({ ...target, weight: 0 }));
  assert.equal(
    chosen([sampleRoute("zero", { action: sampleForward("", { targets: none }) })], {}),
    "invalid",
  );
  assert.equal(chosen([sampleRoute("empty", { action: sampleForward("", { targets: [] }) })], {}), "invalid");
});

test("decideRoute: direct response", () => {
  const action = { kind: "respond", status: 418, body: "tea" } as const;
  const decision = decideRoute(compileRoutes([sampleRoute("tea", { action })]), sampleRequest(), () => 0);
  assert.equal(decision.kind, "respond");
  if (decision.kind !== "respond") return;
  assert.deepEqual([decision.reply.status, decision.reply.body], [418, "tea"]);
  assert.deepEqual(decision.reply.headers, [["content-type", "text/plain"]]);
});

test("compileRoutes: a match with a broken pattern never holds, inverted or not, and is told", () => {
  const broken: TextMatch = { kind: "regex", pattern: "(" };
  const routes = [
    sampleRoute("path", { matches: [sampleMatch({ path: { kind: "regex", pattern: "(" } })] }),
    sampleRoute("without", { matches: [sampleMatch({ headers: [header("x", broken, true)] })] }),
    sampleRoute("half", {
      matches: [sampleMatch({ method: exact("GET"), queryParams: [header("q", broken)] })],
    }),
    sampleRoute("name", { matches: [sampleMatch({ queryParams: [header("a=b", { kind: "present" })] })] }),
    sampleRoute("rewrite", {
      matches: [sampleMatch({ path: { kind: "exact", value: "/r" } })],
      action: sampleForward("r", { rewrite: { path: { kind: "regex", pattern: "a", substitution: "\\1" } } }),
    }),
    sampleRoute("last", {
      origin: { kind: "VirtualService", namespace: "default", name: "reviews" },
      responseHeaders: { set: [["te", "x"]], add: [], remove: [] },
    }),
  ];
  const table = compileRoutes(routes);
  assert.deepEqual(
    table.problems.map(({ route }) => route),
    ["path", "without", "half", "name", "rewrite", "VirtualService default/reviews last"],
  );
  assert.equal(chosen(routes, { path: "/" }), "last");
  assert.equal(chosen(routes, { path: "/r" }), "invalid");
});

const names = ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f"];
const word = fc.constantFrom("1", "2", "ab", "A", "");
const textMatch: fc.Arbitrary<TextMatch> = fc.oneof(
  { weight: 4, arbitrary: word.map(exact) },
  word.map((value): TextMatch => ({ kind: "exact", value, ignoreCase: true })),
  word.map((value): TextMatch => ({ kind: "prefix", value })),
  word.map((value): TextMatch => ({ kind: "suffix", value })),
  fc.constantFrom(".*", "[12]", "a?b", "(").map((pattern): TextMatch => ({ kind: "regex", pattern })),
  fc.constant<TextMatch>({ kind: "present" }),
);
const named = (name: fc.Arbitrary<string>): fc.Arbitrary<NamedMatch[]> =>
  fc.array(fc.record({ name, match: textMatch, invert: fc.boolean() }), { maxLength: 3 });
const pathText = fc
  .array(fc.constantFrom("a", "b", "ab", "A", ""), { maxLength: 4 })
  .map((elements) => `/${elements.join("/")}`);
const pathMatch = fc.oneof(
  pathText.map((value) => ({ kind: "exact", value }) as const),
  pathText.map((value) => ({ kind: "exact", value, ignoreCase: true }) as const),
  pathText.map((value) => ({ kind: "prefix", value }) as const),
  pathText.map((value) => ({ kind: "prefix", value, ignoreCase: true }) as const),
  pathText.map((value) => ({ kind: "elements", value: value.replace(/(?<=.)\/+$/, "") }) as const),
  fc
    .constantFrom("/a.*", "/(a|b)/?", "/a/b*", ".*", "^/ab\\.?")
    .map((pattern) => ({ kind: "regex", pattern }) as const),
);
const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 1 });
const requestMatch = fc
  .record({
    path: fc.option(pathMatch, { nil: undefined, freq: 3 }),
    method: sometimes(fc.constantFrom("GET", "PUT").map(exact)),
    authority: sometimes(fc.constantFrom("a", "B", "c").map(exact)),
    headers: named(fc.constantFrom(...names, ":method", "host")),
    queryParams: named(fc.constantFrom("a", "b", "c", "d", "e", "f")),
    source: sometimes(fc.record({ namespace: fc.constantFrom("n1", "n2") })),
  })
  .map((parts) =>
    sampleMatch(Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined))),
  );
const request: fc.Arbitrary<SampleRequest> = fc.record({
  path: fc
    .tuple(
      pathText,
      fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d", "e", "f"), word), { maxLength: 4 }),
    )
    .map(([path, query]) =>
      query.length === 0 ? path : `${path}?${query.map((pair) => pair.join("=")).join("&")}`,
    ),
  method: fc.constantFrom("GET", "PUT"),
  authority: fc.constantFrom("a", "b", "C"),
  headers: fc.dictionary(fc.constantFrom(...names), word, { maxKeys: 4 }),
  callerNamespace: fc.constantFrom("n1", "n2", "n3"),
});

test("property: the index finds what going through the list finds", () => {
  const regexes = new RegexCache();
  fc.assert(
    fc.property(
      fc.array(requestMatch, { maxLength: 60 }),
      fc.array(request, { minLength: 5, maxLength: 20 }),
      (matches, requests) => {
        const table = compileRoutes(
          matches.map((match, index) => sampleRoute(`r${index}`, { matches: [match] })),
          regexes,
        );
        const matchers = matches.map((match) => compileRequestMatch(match, regexes, () => undefined));
        for (const sample of requests) {
          const context = sampleRequest(sample);
          const routed = new RoutedRequest(context);
          const index = matchers.findIndex((matcher) => matcher?.matches(routed));
          const decision = decideRoute(table, context, () => 0);
          assert.equal(
            decision.kind === "forward" ? decision.cluster : "none",
            index < 0 ? "none" : `r${index}`,
          );
        }
      },
    ),
    { numRuns: 400 },
  );
});

test("of ten thousand routes that share a path, few are asked", () => {
  const routes = Array.from({ length: 10_000 }, (_, index) =>
    sampleRoute(`r${index}`, {
      matches: [
        sampleMatch({
          path: { kind: "elements", value: "/" },
          headers: [header("x-tenant", exact(`t${index}`))],
        }),
      ],
    }),
  );
  let looked = 0;
  const context = sampleRequest({ headers: { "x-tenant": "t9999" } });
  const { headers } = context.request;
  const joined = headers.joined.bind(headers);
  headers.joined = (name) => {
    looked++;
    return joined(name);
  };
  const decision = decideRoute(compileRoutes(routes), context, () => 0);
  assert.equal(decision.kind === "forward" && decision.cluster, "r9999");
  assert.ok(looked <= 4, `${looked} look-ups`);
});
