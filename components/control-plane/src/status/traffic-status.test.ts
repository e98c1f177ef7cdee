import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RateLimitReport } from "../compile/l7/rate-limit-report.ts";
import type { RouteReport } from "../compile/l7/route-report.ts";
import { compileTraffic, type Fill, httpRoute } from "../compile/l7/traffic.fixture.ts";
import { decideRateLimit, targetStatuses } from "./rate-limit-status.ts";
import { decideParents, parentsOf, ROUTE_CONTROLLER } from "./route-status.ts";

const NOW = "2026-01-01T00:00:00Z";
const LATER = "2026-01-02T00:00:00Z";

function reportOf(...fills: readonly Fill[]): RouteReport {
  const [report] = compileTraffic(fills).outputs.routeReports.values();
  return report ?? assert.fail("no report");
}

const readable = (...fills: readonly Fill[]) => ({ report: reportOf(...fills), fault: undefined });

describe("route status", () => {
  const backend = (name: string, port = 80) => [{ backendRefs: [{ name, port }] }];
  const parent = (name: string, port?: number) => [
    { group: "", kind: "Service", name, ...(port !== undefined && { port }) },
  ];
  const cases: readonly {
    readonly name: string;
    readonly spec: Parameters<typeof httpRoute>[0];
    /** Reasons of Accepted, ResolvedRefs and ResolvedWaypoints; `!` before those that do not hold. */
    readonly want: readonly string[];
  }[] = [
    {
      name: "all is well",
      spec: { rules: backend("v1") },
      want: ["Accepted", "ResolvedRefs", "ResolvedWaypoints"],
    },
    {
      name: "a parent that is not there",
      spec: { parentRefs: parent("gone"), rules: backend("v1") },
      want: ["!NoMatchingParent", "ResolvedRefs", "!MissingWaypoint"],
    },
    {
      name: "a port that the parent does not have",
      spec: { parentRefs: parent("svc", 81), rules: backend("v1") },
      want: ["!NoMatchingParent", "ResolvedRefs", "ResolvedWaypoints"],
    },
    {
      name: "a parent without a waypoint, which is not told as if it had one",
      spec: { parentRefs: parent("v1"), rules: backend("v1") },
      want: ["Accepted", "ResolvedRefs", "!MissingWaypoint"],
    },
    {
      name: "a backend that is not there",
      spec: { rules: backend("gone") },
      want: ["Accepted", "!BackendNotFound", "ResolvedWaypoints"],
    },
    {
      name: "a backend's port that is not there",
      spec: { rules: backend("v1", 81) },
      want: ["Accepted", "!BackendNotFound", "ResolvedWaypoints"],
    },
    {
      name: "a backend of a kind that is not known",
      spec: { rules: [{ backendRefs: [{ group: "x", kind: "Y", name: "z", port: 1 }] }] },
      want: ["Accepted", "!InvalidKind", "ResolvedWaypoints"],
    },
    {
      name: "a filter that is not known",
      spec: { rules: [{ filters: [{ type: "ExtensionRef" }] }] },
      want: ["Accepted", "!InvalidFilter", "ResolvedWaypoints"],
    },
    {
      name: "a mirror that is not there",
      spec: {
        rules: [
          { filters: [{ type: "RequestMirror", requestMirror: { backendRef: { name: "gone", port: 80 } } }] },
        ],
      },
      want: ["Accepted", "!BackendNotFound", "ResolvedWaypoints"],
    },
  ];
  for (const { name, spec, want } of cases)
    test(name, () => {
      const [status] = decideParents([], readable(httpRoute(spec)), NOW) ?? [];
      assert.deepEqual(
        status?.conditions.map(({ status: value, reason }) => (value === "True" ? reason : `!${reason}`)),
        want,
      );
    });

  test("what is stored already is not written again; others' entries stay", () => {
    const report = readable(httpRoute({ rules: backend("v1") }));
    const others = { parentRef: { name: "gw" }, controllerName: "x.example/y", conditions: [] };
    const first = decideParents([others], report, NOW) ?? assert.fail();
    assert.deepEqual(first[0], others);
    assert.equal(decideParents(parentsOf({ parents: first }), report, LATER), undefined);
    const changed = readable(httpRoute({ rules: backend("gone") }));
    const [, second] = decideParents(first, changed, LATER) ?? assert.fail();
    assert.deepEqual(
      second?.conditions.map(({ lastTransitionTime }) => lastTransitionTime),
      [NOW, LATER, NOW],
    );
  });
  test("a parent that is none any more is taken out", () => {
    const report = readable(httpRoute({ rules: backend("v1") }));
    const stored = decideParents([], report, NOW) ?? assert.fail();
    assert.deepEqual(
      decideParents(stored, { report: { ...reportOf(httpRoute({})), parents: [] }, fault: undefined }, LATER),
      [],
    );
  });
  test("one that cannot be read: its parents that are services are told, and what is in force", () => {
    const service = { group: "", kind: "Service", name: "svc" };
    const fault = {
      kind: "HTTPRoute",
      namespace: "ns",
      name: "route",
      generation: 4,
      problems: "spec.rules: expected a list",
      parentRefs: [service, { name: "a-gateway" }],
    };
    const messageOf = (lastGoodGeneration: number | undefined): string | undefined => {
      const state = { report: undefined, fault: { ...fault, lastGoodGeneration } };
      const parents = decideParents([], state, NOW) ?? assert.fail();
      assert.deepEqual(
        parents.map(({ parentRef }) => parentRef),
        [service],
      );
      const [condition, ...others] = parents[0]?.conditions ?? [];
      assert.deepEqual(
        [condition?.status, condition?.reason, others.length],
        ["False", "UnsupportedValue", 0],
      );
      assert.equal(condition?.observedGeneration, 4);
      return condition.message;
    };
    assert.match(
      messageOf(3) ?? "",
      /^Generation 3 stays in force.* cannot be read: spec.rules: expected a list$/,
    );
    assert.match(messageOf(undefined) ?? "", /^Not enforced/);
  });
  test("a status that is none is read as empty", () => {
    for (const status of [
      undefined,
      null,
      3,
      { parents: 3 },
      { parents: [3, { controllerName: ROUTE_CONTROLLER }] },
    ])
      assert.deepEqual(parentsOf(status), []);
  });
});

describe("rate limit status", () => {
  const service = (name: string) => ({ group: "", kind: "Service", name });
  const target = (name: string, outcome: RateLimitReport["targets"][number]["outcome"]) => ({
    reference: service(name),
    key: `ns/${name}`,
    outcome,
  });
  const bound = target("a", { kind: "bound", to: "ns/waypoint" });
  const report = (fields: Partial<RateLimitReport>): RateLimitReport => ({
    namespace: "ns",
    name: "rl",
    generation: 3,
    targets: [bound],
    missingServices: [],
    ...fields,
  });
  const cases: readonly (readonly [string, Partial<RateLimitReport>, readonly [string, string, RegExp]])[] = [
    ["enforced", {}, ["True", "Accepted", /^Service ns\/a: enforced by ns\/waypoint$/]],
    [
      "in part",
      { targets: [bound, target("b", { kind: "notBound" })] },
      ["True", "PartiallyInvalid", /Service ns\/b: not enforced: not bound to a waypoint/],
    ],
    [
      "not bound",
      { targets: [target("b", { kind: "notBound" })] },
      ["False", "AncestorNotBound", /not enforced/],
    ],
    ["not found", { targets: [target("b", { kind: "notFound" })] }, ["False", "TargetNotFound", /not found/]],
    [
      "of a kind that cannot be",
      { targets: [target("b", { kind: "invalid", problem: "why" })] },
      ["False", "Invalid", /why/],
    ],
    [
      "nobody to ask",
      { missingServices: ["x was not found"] },
      ["True", "PartiallyInvalid", /unusable: x was not/],
    ],
  ];
  for (const [name, fields, [status, reason, message]] of cases)
    test(name, () => {
      const [condition = assert.fail()] = decideRateLimit(report(fields), undefined);
      assert.deepEqual([condition.status, condition.reason], [status, reason]);
      assert.match(condition.message, message);
      assert.equal(condition.observedGeneration, "3");
    });
  test("each target has its line", () =>
    assert.deepEqual(targetStatuses(report({})), [
      { kind: "Service", name: "ns/a", enforced: true, detail: "enforced by ns/waypoint" },
    ]));
});
