/**
 * No way around a demanded waypoint: real ztunnels on two nodes enforce what the annotation compiles to, against clients that know
 * of it, that do not, and that would rather not.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ip } from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import {
  namespaceFacts,
  serviceFacts,
  waypointFacts,
} from "../../components/control-plane/src/compile/facts.fixture.ts";
import { askTunnel } from "./ztunnel-hbone.fixture.ts";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { CaptureKind, MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, type Application, callFrom, HELLO, type MeshPod } from "./ztunnel-pod.fixture.ts";
import {
  type CompiledMesh,
  createCompiledMesh,
  type PassingWaypoint,
  startPassingWaypoint,
} from "./ztunnel-waypoint.fixture.ts";

const PORT = 8080;
const OTHER_PORT = 9999;
const VIP = "10.10.0.2";
const GUARD = "shop/meltemi_waypoint_required_8080_shop.waypoint";
const APP = { app: "web" };
const USE = { useWaypoint: "waypoint" };

type PodName = "next" | "client" | "near" | "stranger" | "outside" | "server" | "waypoint";

export function describeRequiredWaypoint(capture: CaptureKind): void {
  const check = (title: string, body: () => Promise<void>): void =>
    void test(`${capture}: ${title}`, { timeout: 60_000 }, body);
  let mesh: Mesh;
  let compiled: CompiledMesh;
  let [a, b] = [] as unknown as [MeshNode, MeshNode];
  let pods: Readonly<Record<PodName, MeshPod>>;
  let application: Application;
  let waypoint: PassingWaypoint;
  let canary: PassingWaypoint;

  before(async () => {
    mesh = await createMesh({ name: `mlx-wr-${capture.slice(0, 3)}`, capture });
    compiled = createCompiledMesh(mesh);
    a = await mesh.node("a");
    b = await mesh.node("b");
    pods = {
      client: await compiled.pod(a, "shop", "client"),
      stranger: await compiled.pod(a, "other", "stranger"),
      outside: await compiled.pod(a, "other", "outside", { captured: false }),
      near: await compiled.pod(b, "shop", "near"),
      server: await compiled.pod(b, "shop", "server", { labels: APP }),
      waypoint: await compiled.pod(b, "shop", "waypoint", {
        labels: { "gateway.networking.k8s.io/gateway-name": "waypoint" },
        captured: false,
      }),
      next: await compiled.pod(a, "shop", "next", {
        labels: { "gateway.networking.k8s.io/gateway-name": "next" },
        captured: false,
      }),
    };
    canary = await startPassingWaypoint(mesh.authority, pods.next, pods.server, PORT);
    application = await pods.server.serve(PORT);
    await pods.server.serve(OTHER_PORT);
    waypoint = await startPassingWaypoint(mesh.authority, pods.waypoint, pods.server, PORT);
    putGateway(true);
    demand(undefined);
  });
  after(async () => {
    await waypoint?.[Symbol.asyncDispose]();
    await canary?.[Symbol.asyncDispose]();
    await mesh?.[Symbol.asyncDispose]();
  });

  /** The Gateway and its own Service, by whose name clients find its pods. */
  function putGateway(present: boolean): void {
    const facts = waypointFacts({
      namespace: "shop",
      addresses: [{ kind: "ip", ip: pods.waypoint.ipv4 }],
    });
    compiled.change(({ waypoints }) => void waypoints.put("shop/waypoint", present ? facts : undefined));
  }

  /** A second waypoint, found by the name of its Service, of which its one pod is healthy or not. */
  function putCanary(healthy: boolean): void {
    const labels = { "gateway.networking.k8s.io/gateway-name": "next" };
    compiled.change(({ waypoints, services, pods: facts }) => {
      const hostname = "next.shop.svc.cluster.local";
      const gateway = waypointFacts({
        namespace: "shop",
        name: "next",
        addresses: [{ kind: "hostname", hostname }],
      });
      waypoints.put("shop/next", gateway);
      const service = serviceFacts({
        namespace: "shop",
        name: "next",
        labels: { "gateway.istio.io/managed": "istio.io-mesh-controller" },
        selector: labels,
        vips: [],
        ports: [{ name: "mesh", port: 15008, targetPort: 15008, appProtocol: "unknown" }],
      });
      services.put("shop/next", service);
      const pod = facts.get("shop/next");
      assert.ok(pod);
      facts.put("shop/next", { ...pod, healthy });
    });
  }

  /** The annotation of the Service; undefined: it has none. */
  function demand(required: string | undefined, request: object = USE): void {
    const facts = serviceFacts({
      namespace: "shop",
      name: "web",
      selector: APP,
      vips: [ip(VIP)],
      ports: [{ name: "tcp", port: 80, targetPort: PORT, appProtocol: "tcp" }],
      waypoint: { ...request, ...(required !== undefined && { required }) },
    });
    compiled.change(({ services }) => void services.put("shop/web", facts));
  }

  const passes = (from: MeshPod, to: string, port = PORT): Promise<unknown> =>
    eventually(async () => (await from.call(to, port)) === ANSWER);
  /** Refused from now on; what was under way when the mesh changed may still pass. */
  const becomesRefused = (from: MeshPod, to: string, port = PORT): Promise<unknown> =>
    eventually(async () => !(await from.call(to, port)).includes(HELLO));
  async function isRefused(from: MeshPod, to: string, port = PORT): Promise<void> {
    const before = application.accepted.length;
    assert.doesNotMatch(await from.call(to, port), /hello/);
    assert.equal(application.accepted.length, before, "the application saw nothing of it");
  }
  const directly = async (as: MeshPod, authority = `${pods.server.ipv4}:${PORT}`): Promise<unknown> => {
    const outcome = await askTunnel(mesh.authority, pods.outside, as.workload, pods.server, authority);
    return outcome.kind === "refused" ? outcome.status : outcome.kind;
  };

  check("without a demand a waypoint is on the way of those who take the service's address", async () => {
    const { client, near, stranger, outside, server } = pods;
    await passes(client, VIP, 80);
    assert.deepEqual(waypoint.asked, [`${VIP}:80`]);
    for (const from of [client, near, stranger, outside]) await passes(from, server.ipv4);
    assert.equal(waypoint.asked.length, 1);
    assert.equal(await directly(stranger), "open");
  });

  check("the waypoint learns who called, from where, and for which service", async () => {
    const { client } = pods;
    using connection = await client.connect(VIP, 80);
    await connection.exchange(HELLO);
    const from = `${client.ipv4}:${connection.socket.localPort}`;
    const caller = waypoint.callers.at(-1);
    assert.equal(caller?.account, "client");
    assert.equal(caller.forwarded, `for="${from}";host=web.shop.svc.cluster.local`);
    assert.match(caller.baggage ?? "", /k8s\.namespace\.name=shop,.*service\.name=client/);
  });

  check("what is open around it ends when the demand comes", async () => {
    const { client, outside, server } = pods;
    using meshed = await client.connect(server.ipv4, PORT);
    using plain = await outside.connect(server.ipv4, PORT);
    using through = await client.connect(VIP, 80);
    using elsewhere = await client.connect(server.ipv4, OTHER_PORT);
    for (const each of [meshed, plain, through, elsewhere]) await each.exchange(HELLO);
    demand("true");
    await Promise.all([meshed.over, plain.over]);
    await through.exchange(HELLO);
    await elsewhere.exchange(HELLO);
  });

  check("through the waypoint it passes", async () => {
    const { client, stranger, near } = pods;
    for (const from of [client, stranger, near]) {
      const before = waypoint.asked.length;
      await passes(from, VIP, 80);
      assert.deepEqual(waypoint.asked.slice(before), [`${VIP}:80`]);
    }
  });

  check("around it nobody passes: by the pod's addresses, from any namespace, node or none", async () => {
    const { client, near, stranger, outside, server } = pods;
    for (const from of [client, near, stranger, outside]) {
      await becomesRefused(from, server.ipv4);
      await isRefused(from, server.ipv4);
      await isRefused(from, server.ipv6);
    }
  });

  check("the client's own node says why, and so does the server's", async () => {
    const { client, outside, server } = pods;
    const [near, far] = [a.proxy.watch(), b.proxy.watch()];
    await isRefused(client, server.ipv4);
    const why = `explicitly denied by: ${GUARD}`;
    await near.line({ error: `shop/server is reached through its waypoint only: ${why}` });
    await isRefused(outside, server.ipv4);
    await far.line({ direction: "inbound", "dst.workload": "server", error: new RegExp(why) });
  });

  check(
    "a client that speaks HBONE by itself is refused as whomever it comes, but for the waypoint",
    async () => {
      const { client, stranger, server, waypoint: itself } = pods;
      assert.equal(await directly(client), 401);
      assert.equal(await directly(stranger), 401);
      assert.equal(await directly(client, `${server.ipv4}:${OTHER_PORT}`), "open");
      assert.equal(await directly(itself), "open");
    },
  );

  check("ports of no service and the node's own probes are as before", async () => {
    const { client, outside, server } = pods;
    await passes(client, server.ipv4, OTHER_PORT);
    await passes(outside, server.ipv4, OTHER_PORT);
    assert.equal(await callFrom(b.netns, server.ipv4, PORT), ANSWER);
  });

  check("a dead waypoint is no reason to go around it", async () => {
    const { client, outside, server, waypoint: itself } = pods;
    await waypoint[Symbol.asyncDispose]();
    await isRefused(client, VIP, 80);
    await isRefused(client, server.ipv4);
    await isRefused(outside, server.ipv4);
    waypoint = await startPassingWaypoint(mesh.authority, itself, server, PORT);
    await passes(client, VIP, 80);
  });

  check("a waypoint that is gone lets nobody in, not even by its name", async () => {
    const { client, outside, server, waypoint: itself } = pods;
    putGateway(false);
    const watch = a.proxy.watch();
    await becomesRefused(client, VIP, 80);
    await watch.line({ error: "unknown waypoint: shop/missing.required-waypoint.invalid" });
    await isRefused(client, server.ipv4);
    await isRefused(outside, server.ipv4);
    await eventually(async () => (await directly(itself)) === 401);
    putGateway(true);
    await passes(client, VIP, 80);
  });

  check("a reference that is broken and not demanded passes at L4, as in Istio", async () => {
    const { client, outside, server } = pods;
    putGateway(false);
    demand(undefined);
    const before = waypoint.asked.length;
    await passes(client, VIP, 80);
    await passes(outside, server.ipv4);
    assert.equal(waypoint.asked.length, before);
    putGateway(true);
    await eventually(async () => {
      await client.call(VIP, 80);
      return waypoint.asked.length > before;
    });
  });

  check(
    "a canary takes its share of new connections, and what it cannot take goes to the other",
    async () => {
      const { client, server } = pods;
      putCanary(true);
      demand("true", { ...USE, canary: "next", canaryWeight: "50" });
      await becomesRefused(client, server.ipv4);
      await eventually(async () => {
        await passes(client, VIP, 80);
        return canary.asked.length > 0;
      });
      const [before, ofCanary] = [waypoint.asked.length, canary.asked.length];
      for (let count = 0; count < 40; count++) assert.equal(await client.call(VIP, 80), ANSWER);
      assert.ok(waypoint.asked.length > before && canary.asked.length > ofCanary);
      assert.equal(waypoint.asked.length - before + canary.asked.length - ofCanary, 40);
      putCanary(false);
      await eventually(async () => {
        const asked = canary.asked.length;
        for (let count = 0; count < 10; count++) assert.equal(await client.call(VIP, 80), ANSWER);
        return canary.asked.length === asked;
      });
      demand(undefined);
    },
  );

  check("a namespace demands for all of its services, and takes it back", async () => {
    const { client, stranger, outside, server } = pods;
    const setNamespace = (required: string): void =>
      compiled.change(
        ({ namespaces }) =>
          void namespaces.put("shop", namespaceFacts({ name: "shop", waypoint: { required } })),
      );
    setNamespace("true");
    for (const from of [client, stranger, outside]) await becomesRefused(from, server.ipv4);
    await passes(client, VIP, 80);
    setNamespace("false");
    for (const from of [client, stranger, outside]) await passes(from, server.ipv4);
  });
}
