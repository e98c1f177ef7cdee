import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import {
  applyAddressUpdates,
  EMPTY_SNAPSHOT,
  ip,
  type MeshSnapshot,
  newService,
  newWorkload,
  type Port,
  type Workload,
} from "@meltemi/model";
import { type Cluster, newCluster } from "@meltemi/model/l7";
import { createFakeClock } from "@meltemi/testkit";
import type { RequestContext } from "../request-context.ts";
import { LiveCluster, type MeshView } from "./live-cluster.ts";

const SERVICE = { namespace: "default", hostname: "reviews.default.svc.cluster.local" };
const PORT: Port = { servicePort: 80, targetPort: 8080, appProtocol: "http11" };

const CLUSTER = newCluster({
  name: "reviews",
  service: SERVICE,
  port: 80,
  protocol: "http1",
  loadBalancer: { kind: "roundRobin" },
});

function pod(name: string, address: string, given: Partial<Workload> = {}): Workload {
  return newWorkload({
    uid: `uid-${name}`,
    name,
    namespace: "default",
    addresses: [ip(address)],
    services: new Map([["default/reviews.default.svc.cluster.local", [PORT]]]),
    ...given,
  });
}

function mesh(...workloads: readonly Workload[]): MeshSnapshot {
  const service = newService({ name: "reviews", ports: [PORT], ...SERVICE });
  return applyAddressUpdates(EMPTY_SNAPSHOT, [
    { kind: "service", service },
    ...workloads.map((workload) => ({ kind: "workload", workload }) as const),
  ]);
}

const CONTEXT: RequestContext = {
  request: {
    version: "HTTP/1.1",
    method: "GET",
    scheme: "http",
    authority: "reviews",
    path: "/",
    headers: new HeaderFields(),
    expectsContinue: false,
  },
  caller: { ip: ip("10.0.9.9"), port: 1, identity: undefined, workload: undefined, labels: {} },
  destination: { ip: ip("10.96.0.7"), port: 80 },
  serverName: undefined,
  path: "/",
  token: undefined,
  metadata: new Map(),
};

function setUp(config: Partial<Cluster>, snapshot: MeshSnapshot, labels: MeshView["labels"] = new Map()) {
  const clock = createFakeClock();
  let view: MeshView = { snapshot, labels };
  const ejections: string[] = [];
  const cluster = new LiveCluster(
    { ...CLUSTER, ...config },
    {
      clock,
      random: () => 0,
      dial: () => Promise.reject(new Error("nothing is dialled here")),
      view: () => view,
      source: () => ({
        locality: { region: "", zone: "", subzone: "" },
        network: "",
        clusterId: "Kubernetes",
        node: "",
        labels: {},
      }),
      onInternalError: (error) => assert.fail(String(error)),
      onEjection: (_cluster, { uid }) => void ejections.push(uid),
    },
  );
  const choose = (tried: readonly string[] = []): string | undefined => {
    const choice = cluster.choose(CONTEXT, tried, false);
    return choice.kind === "endpoint" ? `${choice.endpoint.ip}:${choice.endpoint.port}` : undefined;
  };
  const become = (next: Partial<MeshView>): void => {
    view = { ...view, ...next };
  };
  return {
    cluster,
    clock,
    choose,
    ejections,
    become,
  };
}

test("LiveCluster takes turns among the endpoints of its service", () => {
  const { choose } = setUp({}, mesh(pod("a", "10.0.0.1"), pod("b", "10.0.0.2")));
  assert.deepEqual(new Set([choose(), choose()]), new Set(["10.0.0.1:8080", "10.0.0.2:8080"]));
});

test("LiveCluster: nobody is there", () => {
  assert.equal(setUp({}, mesh()).choose(), undefined);
  assert.equal(setUp({}, EMPTY_SNAPSHOT).choose(), undefined);
  assert.equal(setUp({}, mesh(pod("a", "10.0.0.1", { status: "unhealthy" }))).choose(), undefined);
  assert.equal(setUp({ port: 81 }, mesh(pod("a", "10.0.0.1"))).choose(), undefined);
});

test("LiveCluster follows the mesh, and keeps the connections of who stays", () => {
  const { choose, cluster, become } = setUp({}, mesh(pod("a", "10.0.0.1")));
  assert.equal(choose(), "10.0.0.1:8080");
  const [before] = cluster.endpoints;
  become({ snapshot: mesh(pod("a", "10.0.0.1", { capacity: 3 }), pod("b", "10.0.0.2")) });
  assert.deepEqual(
    cluster.endpoints.map(({ uid }) => uid),
    ["uid-a", "uid-b"],
  );
  assert.equal(cluster.endpoints[0]?.state, before?.state);
  become({ snapshot: mesh(pod("a", "10.0.0.3")) });
  assert.notEqual(cluster.endpoints[0]?.state, before?.state, "it moved");
});

test("LiveCluster: a subset is of those with its labels, whenever these become known", () => {
  const subset = { name: "v2", labels: { version: "v2" } };
  const { choose, become } = setUp({ subset }, mesh(pod("a", "10.0.0.1"), pod("b", "10.0.0.2")));
  assert.equal(choose(), undefined);
  become({
    labels: new Map([
      ["uid-a", { version: "v1" }],
      ["uid-b", { version: "v2" }],
    ]),
  });
  assert.deepEqual([choose(), choose()], ["10.0.0.2:8080", "10.0.0.2:8080"]);
});

test("LiveCluster ejects who fails, and takes it back", () => {
  const outlierDetection = {
    consecutive5xx: 2,
    consecutiveGatewayErrors: 0,
    splitLocalOriginErrors: false,
    consecutiveLocalOriginFailures: 5,
    intervalMs: 1000,
    baseEjectionTimeMs: 5000,
    maxEjectionPercent: 100,
    minHealthPercent: 0,
    errorCodes: [],
  };
  const { choose, cluster, clock, ejections } = setUp(
    { outlierDetection },
    mesh(pod("a", "10.0.0.1"), pod("b", "10.0.0.2")),
  );
  choose();
  for (let failure = 0; failure < 2; failure++)
    cluster.report({ uid: "uid-a" }, { kind: "status", code: 500 });
  assert.deepEqual(ejections, ["uid-a"]);
  assert.deepEqual([choose(), choose(), choose()], ["10.0.0.2:8080", "10.0.0.2:8080", "10.0.0.2:8080"]);
  clock.advance(6000);
  assert.equal(new Set([choose(), choose(), choose()]).size, 2);
  cluster.drain();
});

test("LiveCluster: passthrough goes where the client was going", () => {
  assert.equal(setUp({ loadBalancer: { kind: "passthrough" } }, mesh()).choose(), "10.96.0.7:80");
});

test("LiveCluster: a cookie is made for a client that has none, and kept to", () => {
  const key = { kind: "cookie", name: "sticky", path: "/", ttlMs: 0, attributes: [] } as const;
  const { cluster } = setUp(
    { loadBalancer: { kind: "ringHash", key, minimumRingSize: 128 } },
    mesh(pod("a", "10.0.0.1"), pod("b", "10.0.0.2")),
  );
  const first = cluster.choose(CONTEXT, [], false);
  assert.ok(first.kind === "endpoint" && first.setCookie !== undefined);
  assert.match(first.setCookie, /^sticky=/);
  const cookie = first.setCookie.split(";")[0] ?? "";
  const again = cluster.choose(
    { ...CONTEXT, request: { ...CONTEXT.request, headers: HeaderFields.of(["cookie", cookie]) } },
    [],
    false,
  );
  assert.ok(again.kind === "endpoint");
  assert.equal(again.endpoint.uid, first.endpoint.uid);
  assert.equal(again.setCookie, undefined);
});
