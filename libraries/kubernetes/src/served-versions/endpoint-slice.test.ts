import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointSliceFromV1beta1 } from "./endpoint-slice.ts";

const metadata = { namespace: "shop", name: "carts-x1" };

/** What Kubernetes 1.20 serves, and what v1 has for it. */
const cases = [
  {
    name: "hostname and zone of the topology become fields",
    endpoint: {
      addresses: ["10.0.0.4"],
      conditions: { ready: true },
      topology: {
        "kubernetes.io/hostname": "node-a",
        "topology.kubernetes.io/zone": "z1",
        "topology.kubernetes.io/region": "r1",
      },
      targetRef: { kind: "Pod", name: "carts-1", namespace: "shop" },
    },
    want: {
      addresses: ["10.0.0.4"],
      conditions: { ready: true },
      nodeName: "node-a",
      zone: "z1",
      deprecatedTopology: { "topology.kubernetes.io/region": "r1" },
      targetRef: { kind: "Pod", name: "carts-1", namespace: "shop" },
    },
  },
  {
    name: "a nodeName is believed before the topology",
    endpoint: {
      addresses: ["10.0.0.4"],
      nodeName: "node-b",
      topology: { "kubernetes.io/hostname": "host.of.node-b" },
    },
    want: { addresses: ["10.0.0.4"], nodeName: "node-b" },
  },
  {
    name: "no topology: no fields are made up",
    endpoint: { addresses: ["10.0.0.4"], topology: null },
    want: { addresses: ["10.0.0.4"] },
  },
  { name: "null addresses are none", endpoint: { addresses: null }, want: { addresses: [] } },
] as const;

for (const { name, endpoint, want } of cases)
  test(`endpointSliceFromV1beta1: ${name}`, () => {
    const object = {
      metadata,
      addressType: "IPv4",
      endpoints: [endpoint],
      ports: [{ name: "http", port: 80 }],
    };
    assert.deepEqual(endpointSliceFromV1beta1(object), { ...object, endpoints: [want] });
  });

test("endpointSliceFromV1beta1: null lists are empty", () => {
  const object = { metadata, addressType: "IPv4", endpoints: null, ports: null };
  assert.deepEqual(endpointSliceFromV1beta1(object), { metadata, addressType: "IPv4", endpoints: [] });
});
