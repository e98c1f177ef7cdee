import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ip } from "../address.ts";
import { findServiceByVip } from "../lookup.ts";
import { readDump } from "./read-dump.ts";

const DUMP = {
  workloads: [
    {
      uid: "c//Pod/shop/server",
      name: "server",
      namespace: "shop",
      workloadIps: ["10.0.0.2"],
      protocol: "HBONE",
      services: ["shop/server.shop.svc.cluster.local", "shop/late"],
      somethingNew: true,
    },
  ],
  services: [
    {
      name: "server",
      namespace: "shop",
      hostname: "server.shop.svc.cluster.local",
      vips: ["/10.1.0.1"],
      ports: { "80": 8080 },
      endpoints: { "c//Pod/shop/server": { workloadUid: "c//Pod/shop/server", port: { "80": 8080 } } },
      weightedWaypoints: [{ destination: "shop/waypoint", hboneMtlsPort: 15008, weight: 3 }],
    },
  ],
  stagedServices: { "shop/late": { "c//Pod/shop/server": { port: { "70": 7070 } } } },
  policies: [{ name: "p", namespace: "shop", scope: "Namespace", action: "Deny", rules: [] }],
  version: {},
};

test("a dump becomes the snapshot that it was made from", () => {
  const { snapshot, problems } = readDump(DUMP);
  assert.deepEqual(problems, []);
  const service = findServiceByVip(snapshot, "", ip("10.1.0.1"), "other");
  assert.equal(service?.name, "server");
  assert.equal(service?.weightedWaypoints[0]?.weight, 3);
  const endpoint = snapshot.endpoints.get("shop/server.shop.svc.cluster.local")?.get("c//Pod/shop/server");
  assert.deepEqual(
    [...(endpoint?.services ?? [])].map(([key, ports]) => [key, ports[0]?.targetPort]),
    [
      ["shop/server.shop.svc.cluster.local", 8080],
      ["shop/late", 7070],
    ],
  );
  assert.equal(snapshot.policiesByNamespace.get("shop")?.[0]?.action, "deny");
});

const refusals = [
  { name: "no object", dump: [], want: /top level: expected keys with values/ },
  { name: "no list", dump: { workloads: {} }, want: /workloads: expected a list/ },
  {
    name: "an address that is none",
    dump: { workloads: [{ uid: "u", name: "n", namespace: "ns", workloadIps: ["x"] }] },
    want: /workloads\[0\]\.workloadIps: expected an IP address, got "x"/,
  },
];
for (const { name, dump, want } of refusals)
  test(`a dump with ${name} says so`, () => assert.match(readDump(dump).problems.join("; "), want));

test("any JSON is read without throwing", () => {
  const keys = fc.constantFrom("workloads", "services", "policies", "stagedServices", "rules", "vips", "uid");
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), (dump) => void readDump(dump)),
    { numRuns: 300 },
  );
});
