import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayClassFacts, waypointFacts } from "./gateways.ts";
import { waypointRequestOf } from "./labels.ts";

const metadata = { namespace: "ns", name: "a" };
const mesh = { name: "mesh", port: 15008, protocol: "HBONE" };
const spec = { gatewayClassName: "istio-waypoint", listeners: [mesh] };

test("waypoint: traffic type, addresses that can be read, any class", () => {
  const addresses = [{ type: "Hostname", value: "wp.ns.svc" }, { value: "10.0.0.1" }, { value: "x" }];
  const labels = { "istio.io/waypoint-for": "all" };
  const facts = waypointFacts({ metadata: { ...metadata, labels }, spec, status: { addresses } });
  assert.equal(facts.trafficType, "all");
  assert.deepEqual(
    facts.addresses.map(({ kind }) => kind),
    ["hostname", "ip"],
  );
  assert.equal(waypointFacts({ metadata, spec: { ...spec, gatewayClassName: "other" } }).className, "other");
  assert.deepEqual(waypointFacts({ metadata }).listeners, []);
  const bogus = { "istio.io/waypoint-for": "everything" };
  assert.equal(waypointFacts({ metadata: { ...metadata, labels: bogus }, spec }).trafficType, undefined);
});

const allowed = [
  { name: "nothing said", namespaces: undefined, want: { kind: "same" } },
  { name: "All", namespaces: { from: "All" }, want: { kind: "all" } },
  { name: "Same", namespaces: { from: "Same" }, want: { kind: "same" } },
  { name: "a word there is not", namespaces: { from: "Sme" }, want: { kind: "same" } },
  {
    name: "by label",
    namespaces: { from: "Selector", selector: { matchLabels: { team: "x" } } },
    want: { kind: "selector", requirements: [{ kind: "in", key: "team", values: ["x"] }] },
  },
  {
    name: "by expression",
    namespaces: {
      from: "Selector",
      selector: { matchExpressions: [{ key: "team", operator: "Exists" }] },
    },
    want: { kind: "selector", requirements: [{ kind: "exists", key: "team" }] },
  },
  {
    name: "by an expression that cannot be read: nobody",
    namespaces: { from: "Selector", selector: { matchExpressions: [{ key: "team", operator: "Is" }] } },
    want: {
      kind: "selector",
      requirements: [{ kind: "in", key: "kubernetes.io/metadata.name", values: [] }],
    },
  },
];
for (const { name, namespaces, want } of allowed) {
  test(`MakeAllowedRoutes: ${name}`, () => {
    const listener = { ...mesh, ...(namespaces && { allowedRoutes: { namespaces } }) };
    const facts = waypointFacts({ metadata, spec: { ...spec, listeners: [listener] } });
    assert.deepEqual(facts.listeners[0]?.allowedNamespaces, want);
  });
}

const bindings = [
  { text: "PROXY/15088", want: { protocol: "proxy", port: 15088 } },
  { text: "PROXY", want: { protocol: "proxy", port: undefined } },
  { text: "NONE", want: { protocol: "none", port: undefined } },
  { text: "PROXY/0", want: undefined },
  { text: "PROXY/99999", want: undefined },
  { text: "HTTP/80", want: undefined },
  { text: "", want: undefined },
];
for (const { text, want } of bindings) {
  test(`inbound binding: ${JSON.stringify(text)}`, () => {
    const annotations = { "ambient.istio.io/waypoint-inbound-binding": text };
    const spec = { controllerName: "x.example/y" };
    const facts = gatewayClassFacts({ metadata: { name: "c", annotations }, spec });
    assert.deepEqual(facts.inboundBinding, want);
    assert.equal(facts.controllerName, "x.example/y");
  });
}

test("a canary is asked for by label, its weight by annotation", () => {
  const canary = { "istio.io/use-waypoint-canary": "b", "istio.io/use-waypoint-canary-namespace": "x" };
  const annotations = { "istio.io/use-waypoint-canary-weight": "20" };
  assert.deepEqual(waypointRequestOf({ metadata: { labels: canary, annotations } }), {
    canary: "b",
    canaryNamespace: "x",
    canaryWeight: "20",
  });
  assert.deepEqual(waypointRequestOf({ metadata: { annotations } }), {});
});
