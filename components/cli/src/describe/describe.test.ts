import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectSet, readObject } from "../mesh-objects/object-set.ts";
import { describePod } from "./describe-pod.ts";
import { describeService } from "./describe-service.ts";
import { protocolOf } from "./port-protocol.ts";

function objectsOf(...values: readonly object[]): ObjectSet {
  return new ObjectSet(values.map((value) => readObject(value)).filter((object) => object !== undefined));
}

const AMBIENT = {
  kind: "Namespace",
  metadata: { name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } },
};
const POD = {
  kind: "Pod",
  metadata: {
    name: "server-1",
    namespace: "shop",
    labels: { app: "server" },
    annotations: { "ambient.istio.io/redirection": "enabled" },
  },
  spec: { nodeName: "node-1", containers: [{ name: "main", ports: [{ containerPort: 8080 }] }] },
};
const SERVICE = {
  kind: "Service",
  metadata: { name: "server", namespace: "shop", labels: { "istio.io/use-waypoint": "waypoint" } },
  spec: { selector: { app: "server" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  status: { conditions: [{ type: "istio.io/WaypointBound", status: "True" }] },
};
const GATEWAY = {
  kind: "Gateway",
  metadata: { name: "waypoint", namespace: "shop" },
  spec: { gatewayClassName: "istio-waypoint" },
};
const L7_POLICY = {
  kind: "AuthorizationPolicy",
  metadata: { name: "l7", namespace: "shop" },
  spec: {
    selector: { matchLabels: { app: "server" } },
    rules: [{ to: [{ operation: { methods: ["GET"] } }] }],
  },
};
const ATTACHED = {
  kind: "AuthorizationPolicy",
  metadata: { name: "attached", namespace: "shop" },
  spec: { action: "DENY", targetRefs: [{ kind: "Service", name: "server" }], rules: [{}] },
};
const STRICT = {
  kind: "PeerAuthentication",
  metadata: { name: "strict", namespace: "istio-system" },
  spec: { mtls: { mode: "STRICT" } },
};
const ROUTES = [
  {
    kind: "HTTPRoute",
    metadata: { name: "r", namespace: "shop" },
    spec: { parentRefs: [{ kind: "Service", name: "server" }] },
  },
  { kind: "VirtualService", metadata: { name: "v", namespace: "shop" }, spec: { hosts: ["server"] } },
  {
    kind: "DestinationRule",
    metadata: { name: "d", namespace: "shop" },
    spec: { host: "server.shop.svc.cluster.local", subsets: [{ name: "v1" }] },
  },
];

function podLines(...values: readonly object[]): readonly string[] {
  const objects = objectsOf(...values);
  const pod = objects.get("Pod", "shop", "server-1");
  assert.ok(pod !== undefined);
  return describePod(pod, { objects, rootNamespace: "istio-system" });
}

function serviceLines(...values: readonly object[]): readonly string[] {
  const objects = objectsOf(...values);
  const service = objects.get("Service", "shop", "server");
  assert.ok(service !== undefined);
  return describeService(service, { objects, rootNamespace: "istio-system" });
}

test("a namespace that the node agent is told to leave out", () => {
  const env = [{ name: "EXCLUDE_NAMESPACES", value: "istio-system, shop" }];
  const template = {
    metadata: { labels: { "k8s-app": "istio-cni-node" } },
    spec: { containers: [{ name: "install-cni", env }] },
  };
  const agent = {
    kind: "DaemonSet",
    metadata: { name: "istio-cni-node", namespace: "istio-system" },
    spec: { template },
  };
  const objects = objectsOf(AMBIENT, POD, agent);
  const pod = objects.get("Pod", "shop", "server-1");
  assert.ok(pod);
  const [, dataPlane] = describePod(pod, { objects, rootNamespace: "istio-system" });
  assert.equal(
    dataPlane,
    "   Data plane: not in the mesh (namespace shop is left out of every mesh), on node node-1",
  );
});

test("a pod in ambient mode behind a waypoint", () => {
  assert.deepEqual(podLines(AMBIENT, POD, SERVICE, GATEWAY, L7_POLICY, ATTACHED, STRICT), [
    "Pod: server-1.shop",
    "   Data plane: ambient: its traffic goes through its node's ztunnel, on node node-1",
    "   Identity: spiffe://cluster.local/ns/shop/sa/default (in the default trust domain)",
    "   Pod Ports: 8080 (main)",
    "--------------------",
    "Service: server.shop",
    "   Port: http 80/HTTP targets pod port 8080",
    "   Waypoint: shop/waypoint (bound; by the label of the service)",
    "   AuthorizationPolicy: DENY shop/attached (enforced by its waypoint)",
    "--------------------",
    "Effective PeerAuthentication:",
    "   Workload mTLS mode: STRICT",
    "Applied PeerAuthentication:",
    "   strict.istio-system",
    "Authorization policies at its ztunnel, in order:",
    "   ALLOW  shop/l7 (ztunnel reads no HTTP: methods make its rules match nothing, so that less is allowed than it says)",
  ]);
});

test("a service with everything", () => {
  assert.deepEqual(serviceLines(AMBIENT, POD, SERVICE, GATEWAY, ATTACHED, ...ROUTES), [
    "Service: server.shop",
    "   Port: http 80/HTTP targets pod port 8080",
    "   Waypoint: shop/waypoint (bound; by the label of the service)",
    "   HTTPRoute: r.shop",
    "   VirtualService: v.shop",
    "   WARNING: routes of the Gateway API and VirtualServices are mixed: the VirtualServices are not used",
    "   DestinationRule: d.shop",
    "      Subsets: v1",
    "   AuthorizationPolicy: DENY shop/attached (enforced by its waypoint)",
    "   Pods: 1 (1 ambient, 0 with sidecar, 0 not in the mesh)",
  ]);
});

function required(value: string, reason: string): object {
  const annotations = { "meltemi.io/waypoint-required": value };
  const conditions = [{ type: "meltemi.io/WaypointRequired", status: "True", reason, message: "m" }];
  return { ...SERVICE, metadata: { ...SERVICE.metadata, annotations }, status: { conditions } };
}

const workloadWaypoint = {
  ...GATEWAY,
  metadata: { ...GATEWAY.metadata, labels: { "istio.io/waypoint-for": "workload" } },
};
const cases = [
  {
    name: "the waypoint is missing",
    objects: [SERVICE],
    want: /WARNING: it uses waypoint shop\/waypoint, which is not there/,
  },
  {
    name: "the waypoint serves other traffic",
    objects: [SERVICE, workloadWaypoint],
    want: /serves workload traffic only/,
  },
  { name: "not bound yet", objects: [{ ...SERVICE, status: {} }, GATEWAY], want: /\(no status yet;/ },
  {
    name: "not enforced",
    objects: [{ ...SERVICE, metadata: { name: "server", namespace: "shop" } }, ATTACHED],
    want: /NOT enforced: it has no waypoint/,
  },
  {
    name: "a waypoint is required, and there is none",
    objects: [required("true", "NoUsableWaypoint"), GATEWAY],
    want: /WARNING: Waypoint required: yes \(annotation of the Service; NoUsableWaypoint: m\)/,
  },
  {
    name: "a waypoint is required, and is the only way in",
    objects: [required("true", "Enforced"), GATEWAY],
    want: / {3}Waypoint required: yes \(annotation of the Service; Enforced: m\)/,
  },
  {
    name: "a waypoint is required, and is not there",
    objects: [required("true", "NoUsableWaypoint")],
    want: /Waypoint required: yes \(annotation of the Service\), and shop\/waypoint is not there: all connections/,
  },
  {
    name: "a demand that cannot be read",
    objects: [required("yes", "Enforced"), GATEWAY],
    want: /is "yes", expected "true" or "false": it counts as "true"/,
  },
  {
    name: "its namespace's demand does not hold for it",
    objects: [required("false", "Enforced"), GATEWAY],
    want: /Waypoint required: no \(annotation of the Service\)/,
  },
  {
    name: "a route with a backend that is not there",
    objects: [
      SERVICE,
      GATEWAY,
      {
        ...ROUTES[0],
        spec: {
          parentRefs: [{ kind: "Service", name: "server" }],
          rules: [{ backendRefs: [{ name: "server" }, { name: "gone", port: 80 }] }],
        },
      },
    ],
    want: /HTTPRoute: r\.shop\n {6}WARNING: its backend shop\/gone is not there: requests for it fail/,
  },
  {
    name: "routes without waypoint",
    objects: [{ ...SERVICE, metadata: { name: "server", namespace: "shop" } }, ...ROUTES],
    want: /without a waypoint no route has an effect/,
  },
];
for (const { name, objects, want } of cases)
  test(`a service: ${name}`, () => assert.match(serviceLines(...objects).join("\n"), want));

const modes = [
  { name: "not in the mesh", objects: [POD], want: /not in the mesh \(no label/ },
  {
    name: "on its node's network",
    objects: [AMBIENT, { ...POD, spec: { ...POD.spec, hostNetwork: true } }],
    want: /not in the mesh \(it is on its node's network\)/,
  },
  {
    name: "opted out",
    objects: [
      AMBIENT,
      { ...POD, metadata: { ...POD.metadata, labels: { "istio.io/dataplane-mode": "none" } } },
    ],
    want: /its own label istio\.io\/dataplane-mode=none/,
  },
  {
    name: "not captured",
    objects: [AMBIENT, { ...POD, metadata: { name: "server-1", namespace: "shop" } }],
    want: /but NOT captured/,
  },
  {
    name: "sidecar",
    objects: [
      AMBIENT,
      { ...POD, metadata: { ...POD.metadata, annotations: { "sidecar.istio.io/status": "{}" } } },
    ],
    want: /Data plane: sidecar/,
  },
];
for (const { name, objects, want } of modes)
  test(`a pod: ${name}`, () => assert.match(podLines(...objects).join("\n"), want));

const protocols = [
  [{ name: "http-web" }, "HTTP"],
  [{ name: "web" }, "auto-detect"],
  [{ name: "web", appProtocol: "kubernetes.io/h2c" }, "HTTP2"],
  [{ name: "grpc-web-x" }, "GRPC-Web"],
  [{ name: "x", protocol: "UDP" }, "UDP"],
  [{ name: "constructor" }, "auto-detect"],
] as const;
for (const [port, want] of protocols)
  test(`protocol of ${JSON.stringify(port)}`, () => assert.equal(protocolOf(port), want));
