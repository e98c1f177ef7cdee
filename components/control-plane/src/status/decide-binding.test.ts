import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import type { BindingReport } from "../compile/binding-report.ts";
import type { RefusalReason } from "../compile/waypoint.ts";
import { createBrokenWaypoints } from "./broken-waypoints.ts";
import { decideBindingConditions } from "./decide-binding.ts";

const waypoint = { namespace: "infra", name: "wp" };
const address = {
  destination: { kind: "hostname", namespace: "infra", hostname: "wp.infra.svc" },
  hbonePort: 15008,
} as const;
const bound: BindingReport = {
  kind: "Service",
  namespace: "ns",
  name: "svc",
  binding: { kind: "bound", waypoint, address },
  canary: undefined,
  ingressUseWaypoint: undefined,
  needsWaypoint: false,
};
const refused = (reason: RefusalReason): BindingReport => ({
  ...bound,
  binding: { kind: "refused", reason, waypoint },
});
const attached = "Successfully attached to waypoint infra/wp";

const cases: readonly {
  readonly name: string;
  readonly report: BindingReport;
  readonly want: readonly string[];
}[] = [
  { name: "bound", report: bound, want: ["True", "WaypointAccepted", attached] },
  {
    name: "ingress too",
    report: { ...bound, ingressUseWaypoint: true },
    want: ["True", "WaypointAccepted", `${attached}. Ingress traffic will traverse the waypoint`],
  },
  {
    name: "ingress not",
    report: { ...bound, ingressUseWaypoint: false },
    want: [
      "True",
      "WaypointAccepted",
      `${attached}. Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired.`,
    ],
  },
  {
    name: "a canary that is not",
    report: { ...bound, canary: { kind: "refused", reason: "sameAsPrimary", waypoint } },
    want: [
      "True",
      "WaypointAccepted",
      `${attached}. Canary waypoint not attached: CanarySameAsPrimary: canary waypoint "infra/wp" must differ from the primary waypoint`,
    ],
  },
  {
    name: "a canary of bad weight",
    report: { ...bound, canary: { kind: "refused", reason: "invalidWeight", waypoint } },
    want: [
      "True",
      "WaypointAccepted",
      `${attached}. Canary waypoint not attached: CanaryInvalidWeight: canary waypoint "infra/wp" has an invalid weight; must be an integer in [0,100]`,
    ],
  },
  {
    name: "not there",
    report: refused("missing"),
    want: [
      "False",
      "WaypointIsNotReady",
      'waypoint "infra/wp" does not exist: there is no Gateway of that name',
    ],
  },
  {
    name: "not ready",
    report: refused("notReady"),
    want: ["False", "WaypointIsNotReady", 'waypoint "infra/wp" is not ready'],
  },
  {
    name: "denied",
    report: refused("attachmentDenied"),
    want: [
      "False",
      "AttachmentDenied",
      'we are not permitted to attach to waypoint "infra/wp" (missing allowedRoutes?)',
    ],
  },
  {
    name: "other traffic",
    report: refused("unsupportedTraffic"),
    want: [
      "False",
      "UnsupportedTrafficType",
      'attempting to bind to traffic type "service" which the waypoint "infra/wp" does not support',
    ],
  },
  {
    name: "a workload entry and a waypoint for services",
    report: { ...refused("unsupportedTraffic"), kind: "WorkloadEntry" },
    want: [
      "False",
      "UnsupportedTrafficType",
      'attempting to bind to traffic type "workload" which the waypoint "infra/wp" does not support',
    ],
  },
];
for (const { name, report, want } of cases) {
  test(`WaypointBound: ${name}`, () => {
    const conditions = decideBindingConditions(report);
    assert.deepEqual(
      conditions.map(({ type, status, reason, message }) => [type, status, reason, message]),
      [["istio.io/WaypointBound", ...want]],
    );
  });
}

test("nothing asked for is nothing said", () => assert.deepEqual(decideBindingConditions(undefined), []));

test("a wildcard without waypoint says that it does not apply, bound it does not", () => {
  const types = (report: BindingReport): readonly string[] =>
    decideBindingConditions(report).map(({ type }) => type);
  const entry: BindingReport = { ...bound, kind: "ServiceEntry", needsWaypoint: true };
  assert.deepEqual(types({ ...entry, binding: undefined }), ["istio.io/WaypointMissing"]);
  assert.deepEqual(types({ ...entry, binding: refused("notReady").binding }), [
    "istio.io/WaypointBound",
    "istio.io/WaypointMissing",
  ]);
  assert.deepEqual(types(entry), ["istio.io/WaypointBound"]);
});

test("what is broken is counted by reason, and told once for all objects that it hits", () => {
  const lines: string[] = [];
  const sink = { filter: new LogFilter("info"), format: "plain", nowMs: () => 0 } as const;
  const log = createLogger({ ...sink, write: (line: string) => lines.push(line) }, "test");
  const registry = createRegistry();
  const broken = createBrokenWaypoints(registry, log);
  const upserts = (report: BindingReport, count: number) =>
    Array.from({ length: count }, (_, at) => ({ name: `Service/ns/svc-${at}`, value: report }));
  const counted = (reason: string): string | undefined =>
    registry
      .exposition(undefined)
      .body.split("\n")
      .find((line) => line.includes(`reason="${reason}"`))
      ?.split(" ")[1];
  broken.onCompiled({ waypointBindings: { upserts: upserts(refused("notReady"), 20), removedNames: [] } });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /is not ready.*count=20/);
  assert.equal(counted("WaypointIsNotReady"), "20");
  broken.onCompiled({ waypointBindings: { upserts: upserts(refused("notReady"), 20), removedNames: [] } });
  assert.equal(lines.length, 1);
  broken.onCompiled({
    waypointBindings: { upserts: upserts(bound, 19), removedNames: ["Service/ns/svc-19"] },
  });
  assert.equal(counted("WaypointIsNotReady"), "0");
  const demanded: BindingReport = { ...bound, binding: undefined, demand: { by: "Namespace" } };
  broken.onCompiled({ waypointBindings: { upserts: upserts(demanded, 2), removedNames: [] } });
  assert.match(lines.at(-1) ?? "", /required and none is asked for.*count=2/);
  assert.equal(counted("RequiredWaypointNotAskedFor"), "2");
});
