import assert from "node:assert/strict";
import { test } from "node:test";
import type { TargetRef } from "@meltemi/resources";
import {
  authorizationPolicyFacts,
  gatewayClassFacts,
  SETTINGS,
  serviceEntryFacts,
  serviceFacts,
  waypointFacts,
} from "./facts.fixture.ts";
import { createMeshCompiler } from "./mesh-compiler.ts";

const gateway = (kind: string, name: string): TargetRef => ({
  group: "gateway.networking.k8s.io",
  kind,
  name,
});
const service = (name: string): TargetRef => ({ group: "", kind: "Service", name });
const entry = (name: string): TargetRef => ({ group: "networking.istio.io", kind: "ServiceEntry", name });

const cases: readonly {
  readonly name: string;
  readonly target: TargetRef;
  readonly namespace?: string;
  readonly want: string;
}[] = [
  { name: "a waypoint", target: gateway("Gateway", "waypoint"), want: "bound ns/waypoint" },
  { name: "a waypoint that is not there", target: gateway("Gateway", "x"), want: "notFound" },
  {
    name: "a Gateway of another controller",
    target: gateway("Gateway", "ingress"),
    want: "Gateway ns/ingress is of class istio, expected one of controller istio.io/mesh-controller",
  },
  { name: "a bound Service", target: service("bound"), want: "bound ns/waypoint" },
  { name: "a plain Service", target: service("plain"), want: "notBound" },
  { name: "a Service that is not there", target: service("x"), want: "notFound" },
  { name: "a bound ServiceEntry", target: entry("bound"), want: "bound ns/waypoint" },
  { name: "a ServiceEntry that is not there", target: entry("x"), want: "notFound" },
  {
    name: "the class in the root namespace",
    target: gateway("GatewayClass", "istio-waypoint"),
    namespace: "istio-system",
    want: "bound istio-waypoint",
  },
  {
    name: "the class elsewhere",
    target: gateway("GatewayClass", "istio-waypoint"),
    want: "GatewayClass istio-waypoint may be targeted from the root namespace istio-system only",
  },
  {
    name: "a class of another controller",
    target: gateway("GatewayClass", "istio"),
    namespace: "istio-system",
    want: "GatewayClass istio is of controller istio.io/gateway-controller, expected istio.io/mesh-controller",
  },
  {
    name: "another kind",
    target: { group: "", kind: "Pod", name: "a" },
    want: "targetRef Pod.core: expected Gateway, GatewayClass, Service or ServiceEntry",
  },
];
for (const { name, target, namespace = "ns", want } of cases) {
  test(`targetRef: ${name}`, () => {
    const { inputs, outputs, flush } = createMeshCompiler(SETTINGS, assert.fail);
    const waypoint = { useWaypoint: "waypoint" };
    inputs.gatewayClasses.put("istio-waypoint", gatewayClassFacts());
    inputs.gatewayClasses.put(
      "istio",
      gatewayClassFacts({ name: "istio", controllerName: "istio.io/gateway-controller" }),
    );
    inputs.waypoints.put("ns/waypoint", waypointFacts());
    inputs.waypoints.put("ns/ingress", waypointFacts({ name: "ingress", className: "istio" }));
    inputs.services.put("ns/bound", serviceFacts({ name: "bound", waypoint }));
    inputs.services.put("ns/plain", serviceFacts({ name: "plain" }));
    inputs.serviceEntries.put("ns/bound", serviceEntryFacts({ name: "bound", waypoint }));
    inputs.authorizationPolicies.put(
      `${namespace}/ap`,
      authorizationPolicyFacts({ namespace, targetRefs: [target] }),
    );
    flush();
    const verdict = outputs.policyReports.get(`${namespace}/ap`)?.verdict;
    assert.equal(verdict?.kind, "targets");
    const outcome = verdict?.kind === "targets" ? verdict.targets[0]?.outcome : undefined;
    const found =
      outcome?.kind === "bound"
        ? `bound ${outcome.to}`
        : outcome?.kind === "invalid"
          ? outcome.problem
          : outcome?.kind;
    assert.equal(found, want);
  });
}
