import assert from "node:assert/strict";
import { test } from "node:test";
import type { TargetRef } from "@meltemi/resources";
import type { TelemetryFacts } from "../compile/l7/facts.ts";
import { compileTraffic, destinationRule, type Fill, virtualService } from "../compile/l7/traffic.fixture.ts";
import { decideApplied } from "./applied-status.ts";

const service = (name: string): TargetRef => ({ kind: "Service", group: "", name });

function authentication(...targetRefs: readonly TargetRef[]): Fill {
  const identity = { namespace: "ns", name: "ra", createdMs: 0, generation: 2 };
  return ({ requestAuthentications }) =>
    void requestAuthentications.put("ns/ra", { ...identity, targetRefs, rules: [] });
}

function telemetry(name: string, fields: Partial<TelemetryFacts>): Fill {
  const all = {
    namespace: "ns",
    name,
    createdMs: 0,
    generation: 2,
    targetRefs: [],
    hasSelector: false,
    spec: {},
    ...fields,
  };
  return ({ telemetries }) => void telemetries.put(`${all.namespace}/${name}`, all);
}

function unreadable(kind: string, name: string): Fill {
  return ({ faults }) =>
    void faults.put(`${kind}/ns/${name}`, {
      kind,
      namespace: "ns",
      name,
      generation: 9,
      problems: "spec.x: expected a number",
      parentRefs: [],
    });
}

const tunnel = { protocol: "CONNECT", targetHost: "a", targetPort: 1 };
const credential =
  (parts: object): Fill =>
  ({ credentials }) =>
    void credentials.put("ns/s", { namespace: "ns", name: "s", ...parts });

const cases: readonly {
  readonly name: string;
  readonly fills: readonly Fill[];
  readonly key: string;
  /** Undefined: nothing is said. */
  readonly want: readonly [status: string, reason: string, message: RegExp] | undefined;
}[] = [
  {
    name: "tokens for a service with a waypoint",
    fills: [authentication(service("svc"))],
    key: "RequestAuthentication/ns/ra",
    want: ["True", "Accepted", /bound to ns\/waypoint/],
  },
  {
    name: "tokens for one with and one without",
    fills: [authentication(service("svc"), service("v1"))],
    key: "RequestAuthentication/ns/ra",
    want: ["True", "PartiallyInvalid", /Service\.core:ns\/v1/],
  },
  {
    name: "tokens for one without a waypoint",
    fills: [authentication(service("v1"))],
    key: "RequestAuthentication/ns/ra",
    want: ["False", "AncestorNotBound", /not bound to a waypoint/],
  },
  {
    name: "tokens for nobody",
    fills: [authentication(service("gone"))],
    key: "RequestAuthentication/ns/ra",
    want: ["False", "TargetNotFound", /was not found/],
  },
  {
    name: "tokens by selector, or for a namespace",
    fills: [authentication()],
    key: "RequestAuthentication/ns/ra",
    want: ["False", "AncestorNotBound", /no effect in ambient mode/],
  },
  {
    name: "telemetry of a namespace",
    fills: [telemetry("t", {})],
    key: "Telemetry/ns/t",
    want: ["True", "Accepted", /in namespace ns$/],
  },
  {
    name: "telemetry of the mesh",
    fills: [telemetry("t", { namespace: "istio-system" })],
    key: "Telemetry/istio-system/t",
    want: ["True", "Accepted", /in the mesh$/],
  },
  {
    name: "telemetry behind an older one",
    fills: [telemetry("t", { createdMs: 2 }), telemetry("older", { createdMs: 1 })],
    key: "Telemetry/ns/t",
    want: ["False", "Conflicted", /ns\/older/],
  },
  {
    name: "telemetry of a target behind an older one",
    fills: ["b", "a"].map((name, createdMs) => telemetry(name, { createdMs, targetRefs: [service("svc")] })),
    key: "Telemetry/ns/a",
    want: ["False", "Invalid", /Service ns\/svc: the older Telemetry ns\/b is in force/],
  },
  {
    name: "telemetry by selector",
    fills: [telemetry("t", { hasSelector: true })],
    key: "Telemetry/ns/t",
    want: ["False", "AncestorNotBound", /no effect/],
  },
  {
    name: "a rule that is done",
    fills: [destinationRule({ host: "svc", trafficPolicy: { loadBalancer: { simple: "RANDOM" } } })],
    key: "DestinationRule/ns/dr",
    want: undefined,
  },
  {
    name: "a rule with a tunnel and zones",
    fills: [
      destinationRule({
        host: "svc",
        trafficPolicy: { tunnel },
        subsets: [{ name: "v1", trafficPolicy: { loadBalancer: { zoneAwareLbSetting: {} } } }],
      }),
    ],
    key: "DestinationRule/ns/dr",
    want: [
      "True",
      "PartiallyInvalid",
      /^not enforced by waypoints: trafficPolicy\.tunnel, subsets\[v1\]\.trafficPolicy\.loadBalancer\.zoneAwareLbSetting$/,
    ],
  },
  {
    name: "a Secret that is not there",
    fills: [
      destinationRule({ host: "svc", trafficPolicy: { tls: { mode: "SIMPLE", credentialName: "s" } } }),
    ],
    key: "DestinationRule/ns/dr",
    want: ["False", "InvalidCertificateRef", /Secret ns\/s was not found$/],
  },
  {
    name: "a Secret of a subset that may not be read",
    fills: [
      destinationRule({
        host: "svc",
        subsets: [{ name: "v1", trafficPolicy: { tls: { mode: "MUTUAL", credentialName: "s" } } }],
      }),
      credential({ isForbidden: true }),
    ],
    key: "DestinationRule/ns/dr",
    want: [
      "False",
      "RefNotPermitted",
      /Secret ns\/s may not be read .*: add ns to values\.pilot\.credentialNamespaces of its installation$/,
    ],
  },
  {
    name: "a Secret that is there",
    fills: [
      destinationRule({ host: "svc", trafficPolicy: { tls: { mode: "SIMPLE", credentialName: "s" } } }),
      credential({ caCertificates: "CA" }),
    ],
    key: "DestinationRule/ns/dr",
    want: undefined,
  },
  {
    name: "a Secret for a host that no waypoint serves",
    fills: [
      destinationRule({ host: "other", trafficPolicy: { tls: { mode: "SIMPLE", credentialName: "s" } } }),
    ],
    key: "DestinationRule/ns/dr",
    want: undefined,
  },
  {
    name: "a rule for sidecars",
    fills: [destinationRule({ host: "svc", workloadSelector: {} })],
    key: "DestinationRule/ns/dr",
    want: ["False", "UnsupportedValue", /workloadSelector/],
  },
  {
    name: "one that cannot be read, and had been",
    fills: [virtualService({ hosts: ["svc"] }), unreadable("VirtualService", "vs")],
    key: "VirtualService/ns/vs",
    want: ["False", "Invalid", /^Generation 1 stays in force .*cannot be read: spec\.x: expected a number$/],
  },
  {
    name: "one that never could",
    fills: [unreadable("Telemetry", "t")],
    key: "Telemetry/ns/t",
    want: ["False", "Invalid", /^Not enforced\./],
  },
  {
    name: "one of another kind",
    fills: [unreadable("ServiceEntry", "t")],
    key: "ServiceEntry/ns/t",
    want: undefined,
  },
];
for (const { name, fills, key, want } of cases)
  test(`status: ${name}`, () => {
    const { outputs } = compileTraffic(fills);
    const condition = decideApplied(outputs.appliedReports.get(key), outputs.faultReports.get(key));
    if (want === undefined) assert.equal(condition, undefined);
    else {
      assert.deepEqual([condition?.status, condition?.reason], want.slice(0, 2));
      assert.match(condition?.message ?? "", want[2]);
    }
  });

test("an older Telemetry that goes leaves the next in force", () => {
  const compiler = compileTraffic([telemetry("t", { createdMs: 2 }), telemetry("older", { createdMs: 1 })]);
  compiler.inputs.telemetries.put("ns/older", undefined);
  compiler.flush();
  const condition = decideApplied(compiler.outputs.appliedReports.get("Telemetry/ns/t"), undefined);
  assert.equal(condition?.reason, "Accepted");
});
