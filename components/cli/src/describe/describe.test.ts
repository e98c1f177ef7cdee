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
    "   ALLOW  shop/l7 (ztunnel reads no HTTP: methods make the rule match nothing)",
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
