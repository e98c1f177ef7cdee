import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseStaticConfig } from "./static-config.ts";

const EXAMPLE = `
workloads:
  - uid: cluster1//v1/Pod/default/local
    name: local
    namespace: default
    serviceAccount: default
    workloadIps: ["127.0.0.1", "::1"]
    protocol: HBONE
    node: local
    network: ""
    waypoint: { destination: /10.0.0.9, hboneMtlsPort: 15008 }
    services:
      default/example.com: { 80: 8080 }
policies:
  - name: deny-9999
    namespace: default
    scope: Namespace
    action: Deny
    rules:
      - - - destinationPorts: [9999]
            principals: [{ Exact: cluster.local/ns/default/sa/x }, { Presence: [] }]
            sourceIps: [10.0.0.0/8]
services:
  - name: local
    namespace: default
    hostname: example.com
    vips: [/127.10.0.1]
    ports: { 80: 8080 }
    subjectAltNames: [spiffe://cluster.local/ns/default/sa/local]
`;

test("an example in Istio's form", () => {
  const { workloads, services, policies } = parseStaticConfig(EXAMPLE, "test");
  const [workload] = workloads;
  assert.deepEqual(workload?.addresses, ["127.0.0.1", "::1"]);
  assert.equal(workload?.tunnelProtocol, "hbone");
  assert.deepEqual(workload?.waypoint?.destination, { kind: "address", network: "", ip: "10.0.0.9" });
  assert.deepEqual(workload?.services.get("default/example.com"), [
    { servicePort: 80, targetPort: 8080, appProtocol: "unknown" },
  ]);
  assert.deepEqual(services[0]?.vips, [{ network: "", ip: "127.10.0.1" }]);
  assert.deepEqual(policies[0]?.rules[0]?.[0]?.[0]?.destinationPorts, [9999]);
  assert.equal(policies[0]?.rules[0]?.[0]?.[0]?.principals.length, 2);
});

test("nothing is an empty mesh", () => {
  assert.deepEqual(parseStaticConfig("", "test"), { workloads: [], services: [], policies: [] });
});

for (const [name, text, want] of [
  ["unknown top key", "workload: []", /workload: expected no such key/],
  [
    "unknown inner key",
    "services: [{name: a, namespace: b, hostname: c, vip: []}]",
    /services\[0\]\.vip: expected no such key/,
  ],
  ["missing uid", "workloads: [{name: a, namespace: b}]", /workloads\[0\]\.uid: expected text/],
  [
    "wrong address",
    "workloads: [{uid: u, name: a, namespace: b, workloadIps: [nonsense]}]",
    /workloadIps: expected an IP address, got "nonsense"/,
  ],
  [
    "wrong word",
    "workloads: [{uid: u, name: a, namespace: b, protocol: QUIC}]",
    /protocol: expected one of TCP, HBONE, got "QUIC"/,
  ],
  [
    "wrong port",
    "services: [{name: a, namespace: b, hostname: c, ports: {80: 70000}}]",
    /ports\.80: expected a whole number from 0 to 65535/,
  ],
  ["a list where keys belong", "services: [[]]", /services\[0\]: expected keys with values/],
  [
    "an unknown match",
    "policies: [{name: a, namespace: b, rules: [[[{ports: [1]}]]]}]",
    /ports: expected no such key/,
  ],
  [
    "a rule of another shape",
    "policies: [{name: a, namespace: b, rules: [{}]}]",
    /rules\[0\]: expected a list/,
  ],
  ["not YAML", "a: [", /not YAML/],
  ["aliases", "a: &a [1]\nworkloads: [*a, *a]", /not YAML/],
] as const)
  test(`refused: ${name}`, () => {
    assert.throws(() => parseStaticConfig(text, "test"), want);
  });

test("whatever the text: a config, or one error of ours", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseStaticConfig(text, "test");
      } catch (error) {
        assert.equal((error as Error).name, "MeshError");
      }
    }),
  );
});
