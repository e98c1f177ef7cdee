import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceEntry } from "./service-entry.ts";
import { parseWorkloadEntry } from "./workload-entry.ts";

const metadata = { name: "e", namespace: "shop" };
const serviceEntry = (spec: unknown, status?: unknown): unknown => ({
  kind: "ServiceEntry",
  metadata,
  spec,
  status,
});
const workloadEntry = (spec: unknown): unknown => ({ kind: "WorkloadEntry", metadata, spec });

test("a service entry with endpoints", () => {
  const parsed = parseServiceEntry(
    serviceEntry(
      {
        hosts: ["db.example.com"],
        addresses: ["240.240.0.1", "10.0.0.0/24"],
        ports: [
          { name: "tcp", number: 5432, protocol: "TCP", targetPort: 15432 },
          { name: "http", number: 80 },
        ],
        location: "MESH_INTERNAL",
        resolution: "STATIC",
        endpoints: [{ address: "10.1.1.1", ports: { tcp: 1 }, labels: { app: "db" }, weight: 3 }],
      },
      { addresses: [{ value: "240.240.1.1", host: "db.example.com" }, { value: "nonsense" }, "x"] },
    ),
  );
  assert.ok(parsed.kind === "ok", JSON.stringify(parsed));
  const { value } = parsed;
  assert.equal(value.location, "internal");
  assert.equal(value.resolution, "static");
  assert.deepEqual(value.ports[1], { name: "http", number: 80, protocol: "", targetPort: undefined });
  assert.ok(value.backends.kind === "endpoints");
  assert.deepEqual(value.backends.endpoints[0]?.ports, new Map([["tcp", 1]]));
  assert.deepEqual(value.allocatedAddresses, [{ value: "240.240.1.1", host: "db.example.com" }]);
});

test("a service entry that selects workloads", () => {
  const parsed = parseServiceEntry(
    serviceEntry({ hosts: ["a.b"], resolution: "STATIC", workloadSelector: { labels: { app: "a" } } }),
  );
  assert.ok(parsed.kind === "ok");
  assert.deepEqual(parsed.value.backends, { kind: "selector", labels: new Map([["app", "a"]]) });
});

const hosts = ["a.b"];
const refusedServices = [
  { name: "no hosts", spec: {}, path: "spec.hosts" },
  { name: "the wildcard host", spec: { hosts: ["*"] }, path: "spec.hosts[0]" },
  {
    name: "selector and endpoints",
    spec: { hosts, resolution: "DNS", endpoints: [], workloadSelector: {} },
    path: "spec",
  },
  { name: "a block with DNS", spec: { hosts, resolution: "DNS", addresses: ["10.0.0.0/8"] }, path: "spec" },
  { name: "endpoints with NONE", spec: { hosts, endpoints: [{ address: "10.0.0.1" }] }, path: "spec" },
  {
    name: "two endpoints with DNS_ROUND_ROBIN",
    spec: { hosts, resolution: "DNS_ROUND_ROBIN", endpoints: [{ address: "a" }, { address: "b" }] },
    path: "spec",
  },
  {
    name: "a port twice",
    spec: {
      hosts,
      ports: [
        { name: "a", number: 1 },
        { name: "b", number: 1 },
      ],
    },
    path: "spec.ports",
  },
  {
    name: "a port name twice",
    spec: {
      hosts,
      ports: [
        { name: "a", number: 1 },
        { name: "a", number: 2 },
      ],
    },
    path: "spec.ports[1]",
  },
  { name: "port 0", spec: { hosts, ports: [{ name: "a", number: 0 }] }, path: "spec.ports[0].number" },
  { name: "an address that is none", spec: { hosts, addresses: ["a.b.c"] }, path: "spec.addresses[0]" },
];
for (const c of refusedServices) {
  test(`service entry refused: ${c.name}`, () => {
    const parsed = parseServiceEntry(serviceEntry(c.spec));
    assert.ok(parsed.kind === "invalid");
    assert.deepEqual(
      parsed.problems.map(({ path }) => path),
      [c.path],
    );
  });
}

test("a workload entry", () => {
  const parsed = parseWorkloadEntry(
    workloadEntry({ address: "fd00::1", serviceAccount: "db", locality: "r/z", network: "n" }),
  );
  assert.ok(parsed.kind === "ok");
  assert.equal(parsed.value.serviceAccount, "db");
  assert.equal(parsed.value.weight, undefined);
});

const refusedWorkloads = [
  { name: "no address and no network", spec: {}, path: "spec" },
  { name: "a relative socket", spec: { address: "unix://a" }, path: "spec.address" },
  { name: "a socket with ports", spec: { address: "unix:///a", ports: { http: 80 } }, path: "spec" },
  { name: "a port name with a dot", spec: { address: "a", ports: { "a.b": 80 } }, path: "spec.ports" },
  { name: "a negative weight", spec: { address: "a", weight: -1 }, path: "spec.weight" },
];
for (const c of refusedWorkloads) {
  test(`workload entry refused: ${c.name}`, () => {
    const parsed = parseWorkloadEntry(workloadEntry(c.spec));
    assert.ok(parsed.kind === "invalid");
    assert.deepEqual(
      parsed.problems.map(({ path }) => path),
      [c.path],
    );
  });
}
