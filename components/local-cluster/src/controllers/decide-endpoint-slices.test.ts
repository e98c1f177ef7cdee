import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Pod, Service } from "@meltemi/kubernetes";
import { decideEndpointSlices } from "./decide-endpoint-slices.ts";
import { nodeOf, type PodOptions, podOf } from "./objects.testing.ts";

type Spec = NonNullable<Service["spec"]>;

function serviceOf(spec: Spec = {}): Service {
  return {
    metadata: { name: "web", namespace: "default", uid: "s", labels: { team: "a" } },
    spec: {
      selector: { app: "a" },
      ipFamilies: ["IPv4"],
      ports: [{ port: 80, targetPort: "http" }],
      ...spec,
    },
  };
}

function backend(name: string, ip: string, options: Partial<PodOptions> = {}): Pod {
  const containers = [{ name: "c", ports: [{ name: "http", containerPort: 8080 }] }];
  return podOf({ name, labels: { app: "a" }, ips: [ip], node: "n1", spec: { containers }, ...options });
}

function slicesFor(service: Service, pods: readonly Pod[]): readonly EndpointSlice[] {
  const nodes = new Map([["n1", nodeOf("n1", { labels: { "topology.kubernetes.io/zone": "z1" } })]]);
  const { actions } = decideEndpointSlices({ service, pods, slices: [], nodes });
  return actions.map(({ kind, object }) => {
    assert.equal(kind, "create");
    return object as EndpointSlice;
  });
}

test("an endpoint says who, where and how it fares", () => {
  const [slice] = slicesFor(serviceOf(), [backend("p", "10.0.0.1")]);
  assert.deepEqual(slice?.endpoints, [
    {
      addresses: ["10.0.0.1"],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: "n1",
      zone: "z1",
      targetRef: { kind: "Pod", name: "p", namespace: "default", uid: "p" },
    },
  ]);
  assert.deepEqual(slice?.ports, [{ name: "", port: 8080, protocol: "TCP" }]);
  assert.equal(slice?.metadata?.labels?.["kubernetes.io/service-name"], "web");
  assert.equal(slice?.metadata?.labels?.["team"], "a");
});

const conditions = [
  { name: "ready", pod: {}, spec: {}, want: [true, true, false] },
  { name: "not ready", pod: { ready: false }, spec: {}, want: [false, false, false] },
  { name: "terminating and still ready", pod: { terminating: true }, spec: {}, want: [false, true, true] },
  {
    name: "not ready but published",
    pod: { ready: false },
    spec: { publishNotReadyAddresses: true },
    want: [true, false, false],
  },
] as const;
for (const c of conditions) {
  test(`conditions: ${c.name}`, () => {
    const [slice] = slicesFor(serviceOf(c.spec), [backend("p", "10.0.0.1", c.pod)]);
    const { ready, serving, terminating } = slice?.endpoints[0]?.conditions ?? {};
    assert.deepEqual([ready, serving, terminating], c.want);
  });
}

const selections = [
  { name: "finished pods serve nothing", pods: [backend("p", "10.0.0.1", { phase: "Failed" })], want: [[]] },
  { name: "pods without address are left out", pods: [backend("p", "10.0.0.1", { ips: [] })], want: [[]] },
  {
    name: "other labels are left out",
    pods: [backend("p", "10.0.0.1", { labels: { app: "b" } })],
    want: [[]],
  },
  {
    name: "by name",
    pods: [backend("q", "10.0.0.2"), backend("p", "10.0.0.1")],
    want: [["10.0.0.1", "10.0.0.2"]],
  },
];
for (const c of selections) {
  test(`endpoints: ${c.name}`, () => {
    const addresses = slicesFor(serviceOf(), c.pods).map((slice) =>
      slice.endpoints.flatMap((each) => each.addresses),
    );
    assert.deepEqual(addresses, c.want);
  });
}

test("a second family has slices of its own", () => {
  const pods = [backend("p", "", { ips: ["10.0.0.1", "fd00::1"] })];
  const slices = slicesFor(serviceOf({ ipFamilies: ["IPv4", "IPv6"] }), pods);
  assert.deepEqual(
    slices.map(({ addressType, endpoints }) => [addressType, endpoints[0]?.addresses]),
    [
      ["IPv4", ["10.0.0.1"]],
      ["IPv6", ["fd00::1"]],
    ],
  );
});

test("a named port that pods resolve differently makes two groups, and one that a pod lacks is left out", () => {
  const other = { containers: [{ name: "c", ports: [{ name: "http", containerPort: 9090 }] }] };
  const pods = [
    backend("p", "10.0.0.1"),
    backend("q", "10.0.0.2", { spec: other }),
    backend("r", "10.0.0.3", { spec: { containers: [] } }),
  ];
  const ports = slicesFor(serviceOf(), pods).map((slice) => slice.ports?.map(({ port }) => port));
  assert.deepEqual(ports, [[8080], [9090], []]);
});

test("150 pods fill two slices with stable names", () => {
  const pods = Array.from({ length: 150 }, (_, index) =>
    backend(`p${String(index).padStart(3, "0")}`, `10.0.0.${index}`),
  );
  const slices = slicesFor(serviceOf(), pods);
  assert.deepEqual(
    slices.map(({ endpoints }) => endpoints.length),
    [100, 50],
  );
  const names = (list: readonly EndpointSlice[]) => list.map(({ metadata }) => metadata?.name);
  assert.deepEqual(names(slicesFor(serviceOf(), pods.slice(0, 120))), names(slices));
});

const left = [
  { name: "a service without selector", spec: { selector: undefined } },
  { name: "an external name", spec: { type: "ExternalName", externalName: "a.b" } },
];
for (const c of left) {
  test(`no slices are made for ${c.name}`, () => {
    const { selector, ...rest } = serviceOf().spec ?? {};
    const spec =
      c.spec.selector === undefined && "selector" in c.spec ? rest : { ...rest, selector, ...c.spec };
    const service = { ...serviceOf(), spec: spec as Spec };
    assert.deepEqual(slicesFor(service, [backend("p", "10.0.0.1")]), []);
  });
}

test("nothing is written when nothing changed; what changed is patched; what is not ours stays", () => {
  const service = serviceOf();
  const pods = [backend("p", "10.0.0.1")];
  const [made] = slicesFor(service, pods);
  assert.ok(made);
  const foreign: EndpointSlice = { metadata: { name: "web-manual" }, addressType: "IPv4", endpoints: [] };
  const view = {
    service,
    slices: [made, foreign],
    nodes: new Map([["n1", nodeOf("n1", { labels: { "topology.kubernetes.io/zone": "z1" } })]]),
  };
  assert.deepEqual(decideEndpointSlices({ ...view, pods }).actions, []);
  const changed = decideEndpointSlices({
    ...view,
    pods: [backend("p", "10.0.0.1", { ready: false })],
  }).actions;
  assert.deepEqual(
    changed.map(({ kind }) => kind),
    ["patch"],
  );
});
