import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_MATCH, ip, newService, newWorkload, parseCidr } from "@meltemi/model";
import { createMeshStore, dumpMesh } from "@meltemi/proxy-process";
import { createFakeClock } from "@meltemi/testkit";
import { parseStaticConfig } from "./static-config.ts";

test("a dump is read back as local configuration", () => {
  const mesh = createMeshStore({ clock: createFakeClock() });
  const network = parseCidr("10.0.0.0/8");
  assert.ok(network !== undefined);
  mesh.applyAddresses([
    {
      kind: "workload",
      workload: newWorkload({
        uid: "u",
        name: "a",
        namespace: "ns",
        addresses: [ip("10.0.0.1")],
        tunnelProtocol: "hbone",
        waypoint: { destination: { kind: "hostname", namespace: "ns", hostname: "wp" }, hbonePort: 15008 },
        applicationTunnel: { protocol: "proxy", port: 15088 },
        services: new Map([["ns/late", [{ servicePort: 80, targetPort: 81, appProtocol: "unknown" }]]]),
      }),
    },
    {
      kind: "service",
      service: newService({
        name: "s",
        namespace: "ns",
        hostname: "s.ns",
        vips: [{ network: "", ip: ip("10.1.0.1") }],
        cidrVips: [{ network: "n", cidr: network }],
        ipFamilies: "dual",
        loadBalancing: { routingPreferences: ["node"], mode: "strict", healthPolicy: "allowAll" },
      }),
    },
  ]);
  mesh.applyPolicies([
    {
      kind: "policy",
      policy: {
        name: "p",
        namespace: "ns",
        scope: "workloadSelector",
        action: "deny",
        dryRun: true,
        rules: [
          [
            [
              {
                ...EMPTY_MATCH,
                principals: [{ kind: "presence" }, { kind: "prefix", value: "td/" }],
                sourceIps: [network],
              },
            ],
          ],
        ],
      },
    },
  ]);
  const dump = dumpMesh(mesh.current);
  assert.deepEqual(dump["stagedServices"], {
    "ns/late": { u: { workloadUid: "u", port: { "80": 81 }, status: "Healthy" } },
  });
  const [workload] = dump["workloads"] as Record<string, unknown>[];
  const [service] = dump["services"] as Record<string, unknown>[];
  const { endpoints: _, ...serviceKeys } = service ?? {};
  const local = {
    workloads: [{ ...workload, services: {} }],
    services: [serviceKeys],
    policies: dump["policies"],
  };
  const read = parseStaticConfig(JSON.stringify(local), "dump");
  assert.deepEqual(read.policies, [mesh.current.policies.get("ns/p")]);
  assert.deepEqual(read.services, [mesh.current.services.get("ns/s.ns")]);
  assert.deepEqual(
    { ...read.workloads[0], services: 0 },
    { ...mesh.current.workloads.get("u"), services: 0 },
  );
});
