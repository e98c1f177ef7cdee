import assert from "node:assert/strict";
import { test } from "node:test";
import { ip, type Service } from "@meltemi/model";
import {
  endpointFacts,
  meshListener,
  namespaceFacts,
  podFacts,
  SETTINGS,
  serviceEntryFacts,
  serviceFacts,
  waypointFacts,
} from "./facts.fixture.ts";
import { createMeshCompiler, type MeshCompiler } from "./mesh-compiler.ts";

const noFault = (collection: string, key: string, error: unknown): void => {
  throw new Error(`${collection} ${key}`, { cause: error });
};

function compilerOf(fill: (inputs: MeshCompiler["inputs"]) => void): MeshCompiler {
  const compiler = createMeshCompiler(SETTINGS, noFault);
  fill(compiler.inputs);
  compiler.flush();
  return compiler;
}

const POD_UID = "Kubernetes//Pod/ns/a";
const SERVICE_KEY = "ns/svc.ns.svc.cluster.local";

const bound = {
  destination: { kind: "hostname", namespace: "ns", hostname: "waypoint.ns.svc.cluster.local" },
  hbonePort: 15008,
};
const byLabel = { useWaypoint: "waypoint" };

const waypoints: readonly {
  readonly name: string;
  readonly own?: object;
  readonly ofNamespace?: object;
  readonly waypoint?: Parameters<typeof waypointFacts>[0];
  readonly service: boolean;
  readonly workload: boolean;
}[] = [
  { name: "for services by default", ofNamespace: byLabel, service: true, workload: false },
  {
    name: "for workloads",
    ofNamespace: byLabel,
    waypoint: { trafficType: "workload" },
    service: false,
    workload: true,
  },
  { name: "for all", ofNamespace: byLabel, waypoint: { trafficType: "all" }, service: true, workload: true },
  {
    name: "for none",
    ofNamespace: byLabel,
    waypoint: { trafficType: "none" },
    service: false,
    workload: false,
  },
  {
    name: "opted out",
    own: { useWaypoint: "none" },
    ofNamespace: byLabel,
    waypoint: { trafficType: "all" },
    service: false,
    workload: false,
  },
  {
    name: "a broken reference does not fall back",
    own: { useWaypoint: "missing" },
    ofNamespace: byLabel,
    waypoint: { trafficType: "all" },
    service: false,
    workload: false,
  },
  {
    name: "not ready",
    ofNamespace: byLabel,
    waypoint: { trafficType: "all", addresses: [] },
    service: false,
    workload: false,
  },
  {
    name: "of another namespace that allows its own only",
    own: { ...byLabel, useWaypointNamespace: "infra" },
    waypoint: { namespace: "infra", trafficType: "all" },
    service: false,
    workload: false,
  },
];

for (const { name, own = {}, ofNamespace = {}, waypoint = {}, service, workload } of waypoints) {
  test(`waypoint: ${name}`, () => {
    const { outputs } = compilerOf((inputs) => {
      const facts = waypointFacts(waypoint);
      inputs.waypoints.put(`${facts.namespace}/${facts.name}`, facts);
      inputs.namespaces.put("ns", namespaceFacts({ waypoint: ofNamespace }));
      inputs.services.put("ns/svc", serviceFacts({ waypoint: own }));
      inputs.pods.put("ns/a", podFacts({ waypoint: own }));
    });
    assert.deepEqual(outputs.services.get(SERVICE_KEY)?.waypoint, service ? bound : undefined);
    assert.deepEqual(outputs.workloads.get(POD_UID)?.waypoint, workload ? bound : undefined);
  });
}

test("waypoint: another namespace may be allowed by its labels", () => {
  const { outputs } = compilerOf((inputs) => {
    inputs.waypoints.put(
      "infra/waypoint",
      waypointFacts({
        namespace: "infra",
        listeners: [
          meshListener({
            kind: "selector",
            requirements: [{ kind: "in", key: "team", values: ["x"] }],
          }),
        ],
      }),
    );
    for (const [name, team] of [
      ["ns", "x"],
      ["other", "y"],
    ] as const) {
      const waypoint = { useWaypoint: "waypoint", useWaypointNamespace: "infra" };
      inputs.namespaces.put(name, namespaceFacts({ name, labels: { team }, waypoint }));
      inputs.services.put(`${name}/svc`, serviceFacts({ namespace: name }));
    }
  });
  assert.ok(outputs.services.get(SERVICE_KEY)?.waypoint);
  assert.equal(outputs.services.get("other/svc.other.svc.cluster.local")?.waypoint, undefined);
});

const services: readonly {
  readonly name: string;
  readonly service: Parameters<typeof serviceFacts>[0];
  readonly want: Partial<Service>;
}[] = [
  {
    name: "addresses and ports",
    service: {},
    want: {
      vips: [{ network: "", ip: ip("10.96.0.1") }],
      canonical: true,
      ports: [{ servicePort: 80, targetPort: 8080, appProtocol: "http11" }],
    },
  },
  { name: "headless", service: { vips: [] }, want: { vips: [] } },
  {
    name: "named target port",
    service: { ports: [{ name: "a", port: 1, targetPort: "web", appProtocol: "tcp" }] },
    want: { ports: [{ servicePort: 1, targetPort: 0, appProtocol: "tcp" }] },
  },
  {
    name: "internalTrafficPolicy Local",
    service: { localTrafficOnly: true },
    want: { loadBalancing: { routingPreferences: ["node"], mode: "strict", healthPolicy: "onlyHealthy" } },
  },
  {
    name: "PreferSameZone",
    service: { trafficDistribution: "preferSameZone" },
    want: {
      loadBalancing: {
        routingPreferences: ["network", "region", "zone"],
        mode: "failover",
        healthPolicy: "onlyHealthy",
      },
    },
  },
  {
    name: "PreferSameNode, not ready ones too",
    service: { trafficDistribution: "preferSameNode", publishNotReady: true },
    want: {
      loadBalancing: {
        routingPreferences: ["network", "region", "zone", "subzone", "node"],
        mode: "failover",
        healthPolicy: "allowAll",
      },
    },
  },
];

for (const { name, service, want } of services) {
  test(`service: ${name}`, () => {
    const { outputs } = compilerOf((inputs) => inputs.services.put("ns/svc", serviceFacts(service)));
    const compiled = outputs.services.get(SERVICE_KEY);
    for (const [field, value] of Object.entries(want))
      assert.deepEqual(compiled?.[field as keyof Service], value, field);
  });
}

test("a hostname belongs to its Service, then to the oldest ServiceEntry", () => {
  const compiler = compilerOf((inputs) => {
    inputs.serviceEntries.put("ns/new", serviceEntryFacts({ name: "new", createdMs: 2 }));
    inputs.serviceEntries.put(
      "other/old",
      serviceEntryFacts({ namespace: "other", name: "old", createdMs: 1 }),
    );
    inputs.serviceEntries.put("ns/newest", serviceEntryFacts({ name: "newest", createdMs: 3 }));
  });
  const { inputs, outputs } = compiler;
  const standing = (key: string) => {
    const service = outputs.services.get(key);
    return service && [service.name, service.canonical];
  };
  assert.deepEqual(standing("other/a.example"), ["old", true]);
  assert.deepEqual(standing("ns/a.example"), ["new", false]);
  inputs.serviceEntries.put("ns/new", undefined);
  inputs.serviceEntries.put("other/old", undefined);
  compiler.flush();
  assert.deepEqual(standing("ns/a.example"), ["newest", true]);

  const hosts = ["svc.ns.svc.cluster.local"];
  inputs.serviceEntries.put("ns/newest", serviceEntryFacts({ name: "newest", hosts }));
  compiler.flush();
  assert.deepEqual(standing(SERVICE_KEY), ["newest", true]);
  inputs.services.put("ns/svc", serviceFacts());
  compiler.flush();
  assert.deepEqual(standing(SERVICE_KEY), ["svc", true]);
  inputs.services.put("ns/svc", undefined);
  compiler.flush();
  assert.deepEqual(standing(SERVICE_KEY), ["newest", true]);
});

test("ServiceEntry endpoints: static, by name, and the hosts themselves", () => {
  const hostname = { kind: "hostname", hostname: "db.example" } as const;
  const { outputs } = compilerOf((inputs) => {
    inputs.serviceEntries.put(
      "ns/static",
      serviceEntryFacts({
        name: "static",
        endpoints: [endpointFacts({ weight: 3, ports: { http: 81 }, locality: "r/z" })],
      }),
    );
    inputs.serviceEntries.put(
      "ns/named",
      serviceEntryFacts({
        name: "named",
        hosts: ["b.example"],
        resolution: "dns",
        endpoints: [endpointFacts({ address: hostname })],
      }),
    );
    inputs.serviceEntries.put(
      "ns/dns",
      serviceEntryFacts({ name: "dns", hosts: ["c.example"], resolution: "dns" }),
    );
    inputs.serviceEntries.put(
      "ns/none",
      serviceEntryFacts({
        name: "none",
        hosts: ["d.example"],
        resolution: "none",
        endpoints: [endpointFacts()],
      }),
    );
    inputs.serviceEntries.put(
      "ns/unix",
      serviceEntryFacts({
        name: "unix",
        hosts: ["e.example"],
        endpoints: [endpointFacts({ address: undefined })],
      }),
    );
  });
  const prefix = "Kubernetes/networking.istio.io/ServiceEntry/ns";
  assert.deepEqual([...outputs.workloads.entries()].map(([uid]) => uid).sort(), [
    `${prefix}/dns/c.example`,
    `${prefix}/named/db.example`,
    `${prefix}/static/192.0.2.1`,
  ]);
  const fixed = outputs.workloads.get(`${prefix}/static/192.0.2.1`);
  assert.equal(fixed?.capacity, 3);
  assert.equal(fixed?.locality.zone, "z");
  assert.equal(fixed?.services.get("ns/a.example")?.[0]?.targetPort, 81);
  assert.equal(outputs.workloads.get(`${prefix}/named/db.example`)?.hostname, "db.example");
  assert.equal(outputs.services.get("ns/d.example")?.loadBalancing.mode, "passthrough");
});

test("WorkloadEntry: selected by a ServiceEntry, HBONE by label, no address no workload", () => {
  const { outputs } = compilerOf((inputs) => {
    inputs.serviceEntries.put("ns/se", serviceEntryFacts({ workloadSelector: { app: "vm" } }));
    const labels = { app: "vm", "networking.istio.io/tunnel": "http" };
    const entry = { namespace: "ns", labels: {}, waypoint: {} };
    inputs.workloadEntries.put("ns/vm", { ...entry, name: "vm", endpoint: endpointFacts({ labels }) });
    inputs.workloadEntries.put("ns/no", {
      ...entry,
      name: "no",
      endpoint: endpointFacts({ address: undefined }),
    });
  });
  const workload = outputs.workloads.get("Kubernetes/networking.istio.io/WorkloadEntry/ns/vm");
  assert.equal(workload?.tunnelProtocol, "hbone");
  assert.ok(workload?.services.has("ns/a.example"));
  assert.equal(outputs.workloads.size, 1);
});

test("a slice written by hand makes workloads that are not found by address", () => {
  const { outputs } = compilerOf((inputs) => {
    inputs.services.put("ns/svc", serviceFacts());
    const endpoints = [{ ips: [ip("192.0.2.9")], healthy: false }];
    const slice = {
      namespace: "ns",
      name: "s",
      serviceName: "svc",
      ports: [{ name: "http", port: 6443 }],
      endpoints,
    };
    inputs.endpointSlices.put("ns/s", slice);
    inputs.endpointSlices.put("ns/t", { ...slice, name: "t", serviceName: "missing" });
  });
  const workload = outputs.workloads.get("Kubernetes/discovery.k8s.io/EndpointSlice/ns/s/192.0.2.9");
  assert.equal(workload?.networkMode, "hostNetwork");
  assert.equal(workload?.status, "unhealthy");
  assert.equal(outputs.workloads.size, 1);
});
