import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gateway } from "@meltemi/kubernetes";
import { EnvironmentReader } from "@meltemi/runtime";
import { gatewayOf, SETTINGS, viewOf } from "./deployer.fixture.ts";
import { type GatewayPlan, type GatewayView, missingReplicas, planGateway } from "./plan.ts";
import { type DeployerSettings, readPodDefaults } from "./settings.ts";
import type { Tree } from "./strategic-merge.ts";

const configMap = (data: Record<string, string>) => ({ metadata: { namespace: "ns", name: "map" }, data });
const found = (data: Record<string, string>): GatewayView["parameters"] => ({
  kind: "found",
  map: configMap(data),
});
const tagOf = (tag: string, revision: string) => ({
  metadata: { labels: { "istio.io/tag": tag, "istio.io/rev": revision } },
});
const waypointClass = { spec: { controllerName: "istio.io/mesh-controller" } };

const cases: readonly {
  readonly name: string;
  readonly gateway?: Gateway;
  readonly view?: Partial<GatewayView>;
  readonly settings?: Partial<DeployerSettings>;
  readonly want: string | RegExp;
}[] = [
  { name: "a plain one", want: "serviceAccount service deployment" },
  {
    name: "a class of ours by another name",
    gateway: gatewayOf({ gatewayClassName: "mine" }),
    view: { gatewayClass: waypointClass },
    want: "serviceAccount service deployment",
  },
  { name: "another class", gateway: gatewayOf({ gatewayClassName: "istio" }), want: "foreign" },
  {
    name: "our class's name, of another controller",
    view: { gatewayClass: { spec: { controllerName: "x.example/y" } } },
    want: "foreign",
  },
  {
    name: "another revision",
    gateway: gatewayOf({}, { labels: { "istio.io/rev": "foo" } }),
    want: "foreign",
  },
  {
    name: "another revision by namespace",
    view: { namespace: { metadata: { labels: { "istio.io/rev": "foo" } } } },
    want: "foreign",
  },
  {
    name: "its own revision over its namespace's",
    gateway: gatewayOf({}, { labels: { "istio.io/rev": "default" } }),
    view: { namespace: { metadata: { labels: { "istio.io/rev": "foo" } } } },
    want: "serviceAccount service deployment",
  },
  {
    name: "a tag of this revision",
    gateway: gatewayOf({}, { labels: { "istio.io/rev": "prod" } }),
    view: { tag: tagOf("prod", "default") },
    want: "serviceAccount service deployment",
  },
  {
    name: "a namespace's tag of this revision",
    view: {
      namespace: { metadata: { labels: { "istio.io/rev": "prod" } } },
      tag: tagOf("prod", "default"),
    },
    want: "serviceAccount service deployment",
  },
  {
    name: "a tag of another revision",
    gateway: gatewayOf({}, { labels: { "istio.io/rev": "prod" } }),
    view: { tag: tagOf("prod", "foo") },
    want: "foreign",
  },
  {
    name: "no revision said, and default is a tag of another one",
    view: { tag: tagOf("default", "foo") },
    want: "foreign",
  },
  {
    name: "no revision said, and default is a tag of this one",
    view: { tag: tagOf("default", "foo") },
    settings: { revision: "foo" },
    want: "serviceAccount service deployment",
  },
  {
    name: "a Service with a tag's name that makes none",
    gateway: gatewayOf({}, { labels: { "istio.io/rev": "prod" } }),
    view: { tag: { metadata: { labels: { "istio.io/rev": "default" } } } },
    want: "foreign",
  },
  { name: "of a revision that this is not", settings: { revision: "foo" }, want: "foreign" },
  {
    name: "being deleted",
    gateway: gatewayOf({}, { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    want: "foreign",
  },
  {
    name: "of a newer controller",
    gateway: gatewayOf({}, { annotations: { "gateway.istio.io/controller-version": "6" } }),
    want: "foreign",
  },
  {
    name: "of an older controller",
    gateway: gatewayOf({}, { annotations: { "gateway.istio.io/controller-version": "4" } }),
    want: "serviceAccount service deployment",
  },
  {
    name: "one IP asked for",
    gateway: gatewayOf({ addresses: [{ value: "10.0.0.1" }] }),
    want: "serviceAccount service deployment",
  },
  {
    name: "deployed elsewhere",
    gateway: gatewayOf({ addresses: [{ type: "Hostname", value: "x" }] }),
    want: "unmanaged",
  },
  {
    name: "two addresses",
    gateway: gatewayOf({ addresses: [{ value: "10.0.0.1" }, { value: "10.0.0.2" }] }),
    want: "unmanaged",
  },
  { name: "no image", settings: { image: undefined }, want: /WAYPOINT_IMAGE/ },
  {
    name: "parameters of a kind there is not",
    view: { parameters: { kind: "unsupported", group: "x.example", refKind: "Y" } },
    want: "Unsupported parametersRef group/kind x.example/Y, only ConfigMap is supported",
  },
  {
    name: "parameters that are not there",
    view: { parameters: { kind: "missing", name: "map" } },
    want: "parametersRef ConfigMap ns/map does not exist",
  },
  {
    name: "an overlay for an autoscaler",
    view: { parameters: found({ horizontalPodAutoscaler: "spec: {maxReplicas: 3}" }) },
    want: "serviceAccount service deployment horizontalPodAutoscaler",
  },
  {
    name: "an empty overlay is none",
    view: { parameters: found({ podDisruptionBudget: "" }) },
    want: "serviceAccount service deployment",
  },
  {
    name: "an unknown key",
    view: { parameters: found({ replicas: "3" }) },
    want: /ConfigMap ns\/map: replicas: expected one of serviceAccount, service, deployment/,
  },
  { name: "not YAML", view: { parameters: found({ service: "{" }) }, want: /service: not YAML/ },
  { name: "not a map", view: { parameters: found({ service: "[]" }) }, want: /service: expected a map/ },
  {
    name: "a bomb",
    view: {
      parameters: found({
        service: `a: &a [${"x,".repeat(9)}x]\nb: &b [${"*a,".repeat(60)}*a]\nc: [${"*b,".repeat(60)}*b]`,
      }),
    },
    want: /not YAML/,
  },
  ...["name: x", "namespace: x", "ownerReferences: [{uid: x}]", "finalizers: [x]", "uid: x"].map(
    (change) => ({
      name: `an overlay of ${change}`,
      view: { parameters: found({ deployment: `metadata: {${change}}` }) },
      want: /illegal metadata change/,
    }),
  ),
  {
    name: "an overlay of the kind",
    view: { classDefaults: configMap({ service: "kind: Pod" }) },
    want: /illegal change: kind/,
  },
  {
    name: "high availability for all",
    settings: { highAvailability: true },
    want: "serviceAccount service deployment horizontalPodAutoscaler podDisruptionBudget",
  },
  {
    name: "high availability refused",
    gateway: gatewayOf({}, { annotations: { "meltemi.io/high-availability": "false" } }),
    settings: { highAvailability: true },
    want: "serviceAccount service deployment",
  },
];

function describe(plan: GatewayPlan): string {
  if (plan.kind === "deploy") return plan.objects.map(({ part }) => part).join(" ");
  return plan.kind === "refused" ? plan.problem : plan.kind;
}

for (const { name, gateway = gatewayOf(), view = {}, settings = {}, want } of cases) {
  test(`plan: ${name}`, () => {
    const said = describe(planGateway(viewOf(gateway, view), { ...SETTINGS, ...settings }));
    if (typeof want === "string") assert.equal(said, want);
    else assert.match(said, want);
  });
}

function objectOf(part: string, gateway: Gateway, settings: Partial<DeployerSettings> = {}, view = {}): Tree {
  const plan = planGateway(viewOf(gateway, view), { ...SETTINGS, ...settings });
  assert.ok(plan.kind === "deploy", describe(plan));
  return plan.objects.find((each) => each.part === part)?.object ?? {};
}

test("labels and annotations: the infrastructure's, else the Gateway's, and never the reserved ones", () => {
  const metadata = {
    labels: { team: "x", "istio.io/waypoint-for": "all" },
    annotations: { note: "y", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
  };
  const own = objectOf("serviceAccount", gatewayOf({}, metadata), { network: "n1" })["metadata"] as Tree;
  assert.deepEqual(own["annotations"], { note: "y" });
  assert.deepEqual(own["labels"], {
    "topology.istio.io/network": "n1",
    team: "x",
    "istio.io/waypoint-for": "all",
    "gateway.networking.k8s.io/gateway-name": "wp",
    "gateway.networking.k8s.io/gateway-class-name": "istio-waypoint",
    "gateway.istio.io/managed": "istio.io-mesh-controller",
  });
  const infrastructure = {
    labels: { team: "z", "gateway.networking.k8s.io/gateway-name": "evil" },
    annotations: {},
  };
  const given = objectOf("serviceAccount", gatewayOf({ infrastructure }, metadata))["metadata"] as Tree;
  assert.deepEqual(given["annotations"], {});
  const labels = given["labels"] as Tree;
  assert.deepEqual([labels["team"], labels["gateway.networking.k8s.io/gateway-name"]], ["z", "wp"]);
});

test("a pod of a waypoint is never captured, whatever its Gateway is labelled", () => {
  const gateway = gatewayOf({}, { labels: { "istio.io/dataplane-mode": "ambient" } });
  const text = JSON.stringify(objectOf("deployment", gateway));
  assert.match(text, /"istio.io\/dataplane-mode":"none"/);
});

test("names may be given, and the image", () => {
  const annotations = {
    "gateway.istio.io/name-override": "other",
    "gateway.istio.io/service-account": "sa",
    "sidecar.istio.io/proxyImage": "mine:1",
  };
  const gateway = gatewayOf({}, { annotations });
  const nameOf = (part: string): unknown => (objectOf(part, gateway)["metadata"] as Tree)["name"];
  assert.deepEqual(
    [nameOf("serviceAccount"), nameOf("service"), nameOf("deployment")],
    ["sa", "other", "other"],
  );
  assert.match(JSON.stringify(objectOf("deployment", gateway)), /"image":"mine:1"/);
});

test("ports of the Service: one for each port, names fit and are unique", () => {
  const listener = (name: string, port: number) => ({ name, port, protocol: "HBONE" });
  const listeners = [
    listener("status-port", 15008),
    listener("a.b", 1),
    listener("a-b", 2),
    listener("again", 1),
    listener("x".repeat(80), 3),
  ];
  const spec = objectOf("service", gatewayOf({ listeners }))["spec"] as { ports: { name: string }[] };
  assert.deepEqual(
    spec.ports.map(({ name }) => name),
    ["status-port", "status-port-15008", "a-b", "a-b-2", "x".repeat(63)],
  );
});

test("a type may be asked for, with its address", () => {
  const annotations = { "networking.istio.io/service-type": "LoadBalancer" };
  const gateway = gatewayOf({ addresses: [{ value: "192.0.2.1" }] }, { annotations });
  const { type, loadBalancerIP } = objectOf("service", gateway)["spec"] as Tree;
  assert.deepEqual([type, loadBalancerIP], ["LoadBalancer", "192.0.2.1"]);
  const bogus = gatewayOf({}, { annotations: { "networking.istio.io/service-type": "ExternalName" } });
  assert.equal((objectOf("service", bogus)["spec"] as Tree)["type"], "ClusterIP");
});

test("replicas are given by hand only below an autoscaler's minimum", () => {
  const planOf = (data: Record<string, string>) => {
    const settings = { ...SETTINGS, highAvailability: true };
    const plan = planGateway(viewOf(gatewayOf(), { parameters: found(data) }), settings);
    assert.ok(plan.kind === "deploy");
    return plan.objects;
  };
  assert.equal(missingReplicas(planOf({}), undefined), 2);
  assert.equal(missingReplicas(planOf({}), 1), 2);
  assert.equal(missingReplicas(planOf({}), 2), undefined);
  assert.equal(missingReplicas(planOf({}), 7), undefined);
  assert.equal(missingReplicas(planOf({ deployment: "spec: {replicas: 1}" }), 1), undefined);
  assert.equal(missingReplicas([], 1), undefined);
});

const podDefaults = [
  { text: "{}", problem: undefined },
  { text: '{"resources": {"limits": {"cpu": "1"}}, "nodeSelector": {"a": "b"}}', problem: undefined },
  { text: "x", problem: /^WAYPOINT_POD: / },
  { text: "[]", problem: /expected a JSON object/ },
  { text: '{"resources": 1}', problem: /resources: expected an object/ },
  { text: '{"replicas": 1}', problem: /replicas: expected one of resources, affinity/ },
];
for (const { text, problem } of podDefaults) {
  test(`WAYPOINT_POD: ${text}`, () => {
    const env = new EnvironmentReader({ WAYPOINT_POD: text });
    readPodDefaults(env);
    if (problem === undefined) assert.deepEqual(env.problems, []);
    else assert.match(env.problems.join(), problem);
  });
}
