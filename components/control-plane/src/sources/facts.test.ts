import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import { parseServiceEntry, parseWorkloadEntry } from "@meltemi/resources";
import { endpointSliceFacts, namespaceFacts, nodeFacts, serviceFacts } from "./cluster.ts";
import { serviceEntryFacts, workloadEntryFacts } from "./entries.ts";
import { appProtocolOf } from "./labels.ts";
import { podFacts } from "./pod.ts";

const metadata = { namespace: "ns", name: "a" };

test("pod: what the mesh needs of it", () => {
  const facts = podFacts({
    metadata: {
      ...metadata,
      labels: { app: "x", "pod-template-hash": "5d9f", "istio.io/use-waypoint": "wp" },
      annotations: { "ambient.istio.io/redirection": "enabled" },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5d9f", uid: "u", controller: true },
      ],
    },
    spec: {
      nodeName: "n",
      serviceAccountName: "sa",
      containers: [
        {
          name: "c",
          ports: [
            { name: "http", containerPort: 8080 },
            { name: "dns", containerPort: 53, protocol: "UDP" },
            { containerPort: 1 },
          ],
        },
      ],
      initContainers: [{ name: "side", restartPolicy: "Always", ports: [{ name: "m", containerPort: 9 }] }],
    },
    status: {
      phase: "Running",
      podIP: "10.0.0.1",
      podIPs: [{ ip: "10.0.0.1" }, { ip: "FD00::1" }, { ip: "nonsense" }],
      conditions: [{ type: "Ready", status: "True" }],
    },
  });
  assert.deepEqual(facts.ips, ["10.0.0.1", "fd00::1"]);
  assert.equal(facts.workloadName, "web");
  assert.equal(facts.captured, true);
  assert.equal(facts.healthy, true);
  assert.deepEqual({ ...facts.namedPorts }, { http: 8080, m: 9 });
  assert.deepEqual(facts.waypoint, { useWaypoint: "wp" });
});

const owners = [
  { name: "none", owner: undefined, want: "a" },
  { name: "Job of a CronJob", owner: { kind: "Job", name: "backup-29012345" }, want: "backup" },
  { name: "StatefulSet", owner: { kind: "StatefulSet", name: "db" }, want: "db" },
  { name: "ReplicaSet of nobody", owner: { kind: "ReplicaSet", name: "rs" }, want: "rs" },
];
for (const { name, owner, want } of owners) {
  test(`pod: workload name by owner ${name}`, () => {
    const ownerReferences = owner && [{ ...owner, apiVersion: "v1", uid: "u", controller: true }];
    assert.equal(
      podFacts({ metadata: { ...metadata, ...(ownerReferences && { ownerReferences }) } }).workloadName,
      want,
    );
  });
}

const health = [
  { name: "no status", pod: {}, healthy: false, terminated: false },
  { name: "succeeded", pod: { status: { phase: "Succeeded" } }, healthy: false, terminated: true },
  {
    name: "being deleted",
    pod: {
      deletionTimestamp: "2026-01-01T00:00:00Z",
      status: { conditions: [{ type: "Ready", status: "True" }] },
    },
    healthy: false,
    terminated: false,
  },
];
for (const { name, pod, healthy, terminated } of health) {
  test(`pod: ${name}`, () => {
    const { deletionTimestamp, status } = pod as { deletionTimestamp?: string; status?: object };
    const facts = podFacts({
      metadata: { ...metadata, ...(deletionTimestamp && { deletionTimestamp }) },
      ...(status && { status }),
    });
    assert.deepEqual([facts.healthy, facts.terminated], [healthy, terminated]);
  });
}

test("service: ports, addresses, families; UDP and ExternalName are not the mesh's", () => {
  const facts = serviceFacts({
    metadata,
    spec: {
      clusterIP: "10.96.0.1",
      clusterIPs: ["10.96.0.1", "fd00::1"],
      ipFamilies: ["IPv4", "IPv6"],
      selector: { app: "a" },
      internalTrafficPolicy: "Local",
      trafficDistribution: "PreferClose",
      ports: [
        { name: "http-web", port: 80, targetPort: "web" },
        { name: "dns", port: 53, protocol: "UDP" },
        { port: 81, appProtocol: "kubernetes.io/h2c" },
      ],
    },
    status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }, { hostname: "lb" }] } },
  });
  assert.deepEqual(facts?.vips, ["10.96.0.1", "fd00::1", "192.0.2.1"]);
  assert.deepEqual(facts?.ports, [
    { name: "http-web", port: 80, targetPort: "web", appProtocol: "http11" },
    { name: "", port: 81, targetPort: 81, appProtocol: "http2" },
  ]);
  assert.equal(facts?.ipFamilies, "dual");
  assert.equal(facts?.trafficDistribution, "preferSameZone");
  assert.equal(serviceFacts({ metadata, spec: { type: "ExternalName" } }), undefined);
  assert.deepEqual(serviceFacts({ metadata, spec: { clusterIP: "None" } })?.vips, []);
});

test("a demand for a waypoint is taken as it is written, of a Service and of a Namespace", () => {
  const annotations = { "meltemi.io/waypoint-required": "yes" };
  assert.deepEqual(serviceFacts({ metadata: { ...metadata, annotations } })?.waypoint, { required: "yes" });
  assert.deepEqual(namespaceFacts({ metadata: { name: "n", annotations } }).waypoint, { required: "yes" });
});

test("slices of the controller, of nobody and of names are left out", () => {
  const slice = (labels: Record<string, string>, addressType = "IPv4") =>
    endpointSliceFacts({
      metadata: { ...metadata, labels },
      addressType,
      ports: [
        { name: "http", port: 1 },
        { name: "u", port: 2, protocol: "UDP" },
      ],
      endpoints: [
        { addresses: ["10.0.0.1"], conditions: { ready: false }, targetRef: { kind: "Pod", name: "p" } },
        { addresses: ["10.0.0.2"] },
      ],
    });
  const service = { "kubernetes.io/service-name": "svc" };
  assert.equal(slice({}), undefined);
  assert.equal(
    slice({ ...service, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" }),
    undefined,
  );
  assert.equal(slice(service, "FQDN"), undefined);
  const facts = slice(service);
  assert.deepEqual(facts?.ports, [{ name: "http", port: 1 }]);
  assert.deepEqual(facts?.endpoints, [
    { ips: [ip("10.0.0.1")], healthy: false, podName: "p" },
    { ips: [ip("10.0.0.2")], healthy: true },
  ]);
});

test("a node's heartbeat and a namespace's status are no facts", () => {
  const labels = { "topology.kubernetes.io/zone": "z" };
  const node = { metadata: { name: "n", labels } };
  assert.deepEqual(nodeFacts(node), nodeFacts({ ...node, status: { phase: "x" } }));
  assert.deepEqual(
    namespaceFacts({ metadata: { name: "n" } }),
    namespaceFacts({ metadata: { name: "n" }, status: { phase: "Active" } }),
  );
});

test("entries: from the parsed object", () => {
  const object = {
    metadata: { ...metadata, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      hosts: ["a.example"],
      addresses: ["240.0.0.1", "10.0.0.0/8"],
      ports: [
        { number: 80, name: "http", protocol: "HTTP" },
        { number: 53, name: "dns", protocol: "UDP" },
      ],
      resolution: "STATIC",
      endpoints: [{ address: "10.0.0.1", weight: 2 }, { address: "unix:///run/x" }],
    },
  };
  const parsed = parseServiceEntry(object);
  assert.ok(parsed.kind === "ok", JSON.stringify(parsed));
  const facts = serviceEntryFacts(parsed.value, object);
  assert.deepEqual(facts.addresses, [{ ip: ip("240.0.0.1") }, { ip: ip("10.0.0.0"), prefixLength: 8 }]);
  assert.deepEqual(facts.ports, [{ name: "http", port: 80, targetPort: "http", appProtocol: "http11" }]);
  assert.deepEqual(
    facts.endpoints.map(({ address, weight }) => [address?.kind, weight]),
    [
      ["ip", 2],
      [undefined, 1],
    ],
  );
  const entry = parseWorkloadEntry({ metadata, spec: { address: "vm.example", serviceAccount: "sa" } });
  assert.ok(entry.kind === "ok");
  assert.deepEqual(workloadEntryFacts(entry.value, { metadata }).endpoint.address, {
    kind: "hostname",
    hostname: "vm.example",
  });
});

const protocols = [
  ["HTTP", "", "http11"],
  [undefined, "grpc-web", "grpc"],
  [undefined, "https", "tls"],
  ["tcp", "http", "tcp"],
  [undefined, undefined, "unknown"],
  [undefined, "metrics", "unknown"],
] as const;
for (const [protocol, port, want] of protocols)
  test(`protocol of ${protocol} ${port}`, () => assert.equal(appProtocolOf(protocol, port), want));
