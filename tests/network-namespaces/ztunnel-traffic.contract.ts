/** L4 traffic between captured and uncaptured pods (reference: protocol §11.3), whatever captures. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EMPTY_MATCH, type Policy } from "@meltemi/model";
import { policy } from "@meltemi/testkit";
import { askTunnel } from "./ztunnel-hbone.fixture.ts";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { CaptureKind, MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, callFrom, HELLO, type MeshPod } from "./ztunnel-pod.fixture.ts";
import type { Watch } from "./ztunnel-watch.fixture.ts";

const PORT = 8080;
const [SENT, ANSWERED] = [String(HELLO.length), String(ANSWER.length)];
const OPENED = "istio_tcp_connections_opened_total";
const CLOSED = "istio_tcp_connections_closed_total";
const spiffe = (name: string, trustDomain = "cluster.local"): string =>
  `spiffe://${trustDomain}/ns/default/sa/${name}`;
const hostPort = (ip: string, port: number): string =>
  ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;

export function describeTraffic(capture: CaptureKind): void {
  const check = (title: string, body: () => Promise<void>): void =>
    void test(`${capture}: ${title}`, { timeout: 60_000 }, body);
  let mesh: Mesh;
  let [a, b] = [] as unknown as [MeshNode, MeshNode];
  let pods: Readonly<Record<"client" | "near" | "far" | "stranger" | "outside", MeshPod>>;

  before(async () => {
    mesh = await createMesh({ name: `mlx-t-${capture.slice(0, 3)}`, capture });
    a = await mesh.node("a");
    b = await mesh.node("b");
    pods = {
      client: await a.pod("client"),
      near: await a.pod("near"),
      far: await b.pod("far"),
      stranger: await a.pod("stranger", { captured: false }),
      outside: await b.pod("outside", { captured: false }),
    };
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  /** Both sides count and log the same connection, each from where it stands. */
  async function expectTunnel(
    out: Watch,
    into: Watch,
    from: MeshPod,
    to: MeshPod,
    ip: string,
  ): Promise<void> {
    const common = {
      level: "info",
      "src.addr": new RegExp(`^${ip.includes(":") ? `\\[${from.ipv6}\\]` : from.ipv4}:\\d+$`),
      "src.workload": from.name,
      "src.namespace": "default",
      "src.identity": spiffe(from.name),
      "dst.workload": to.name,
      "dst.namespace": "default",
      "dst.identity": spiffe(to.name),
      "dst.addr": hostPort(ip, 15008),
      "dst.hbone_addr": hostPort(ip, PORT),
      error: undefined,
    };
    await out.line({ ...common, direction: "outbound", bytes_sent: SENT, bytes_recv: ANSWERED });
    await into.line({ ...common, direction: "inbound", bytes_sent: ANSWERED, bytes_recv: SENT });
    for (const [watch, reporter] of [
      [out, "source"],
      [into, "destination"],
    ] as const) {
      const labels = {
        reporter,
        source_workload: from.name,
        source_principal: spiffe(from.name),
        destination_workload: to.name,
        destination_principal: spiffe(to.name),
        connection_security_policy: "mutual_tls",
        response_flags: "-",
      };
      await watch.counted(CLOSED, labels, 1);
      await watch.counted(OPENED, labels, 1);
      await watch.counted("istio_tcp_received_bytes_total", labels, HELLO.length);
      await watch.counted("istio_tcp_sent_bytes_total", labels, ANSWER.length);
    }
  }

  for (const family of ["ipv4", "ipv6"] as const) {
    check(`captured to captured on one node, ${family}`, async () => {
      const { client, near } = pods;
      await using application = await near.serve(PORT);
      const watch = a.proxy.watch();
      assert.equal(await client.call(near[family], PORT), ANSWER);
      await expectTunnel(watch, watch, client, near, near[family]);
      assert.deepEqual(application.accepted, [{ peer: client[family], local: near[family] }]);
    });

    check(`captured to captured across nodes, ${family}`, async () => {
      const { client, far } = pods;
      await using application = await far.serve(PORT);
      const [out, into] = [a.proxy.watch(), b.proxy.watch()];
      assert.equal(await client.call(far[family], PORT), ANSWER);
      await expectTunnel(out, into, client, far, far[family]);
      assert.deepEqual(application.accepted, [{ peer: client[family], local: far[family] }]);
    });

    check(`captured to uncaptured: plaintext, and only the client's side knows, ${family}`, async () => {
      const { client, outside } = pods;
      await using application = await outside.serve(PORT);
      const [out, other] = [a.proxy.watch(), b.proxy.watch()];
      assert.equal(await client.call(outside[family], PORT), ANSWER);
      await out.line({
        "src.workload": "client",
        "src.identity": undefined,
        "dst.workload": "outside",
        "dst.identity": undefined,
        "dst.hbone_addr": undefined,
        "dst.addr": hostPort(outside[family], PORT),
        direction: "outbound",
        bytes_sent: SENT,
        bytes_recv: ANSWERED,
        error: undefined,
      });
      await out.counted(
        CLOSED,
        {
          reporter: "source",
          destination_workload: "outside",
          connection_security_policy: "unknown",
          source_principal: "unknown",
        },
        1,
      );
      assert.equal(out.count(OPENED, { reporter: "destination" }), 0);
      assert.equal(other.count(OPENED), 0);
      assert.deepEqual(application.accepted, [{ peer: client[family], local: outside[family] }]);
    });

    check(`uncaptured to captured: plaintext, and only the server's side knows, ${family}`, async () => {
      const { stranger, far } = pods;
      await using application = await far.serve(PORT);
      const [other, into] = [a.proxy.watch(), b.proxy.watch()];
      assert.equal(await stranger.call(far[family], PORT), ANSWER);
      await into.line({
        "src.addr": /./,
        "src.workload": "stranger",
        "src.identity": undefined,
        "dst.workload": "far",
        "dst.addr": hostPort(far[family], PORT),
        "dst.hbone_addr": undefined,
        "dst.identity": undefined,
        direction: "inbound",
        bytes_sent: ANSWERED,
        bytes_recv: SENT,
        error: undefined,
      });
      const labels = {
        reporter: "destination",
        source_workload: "stranger",
        source_principal: "unknown",
        destination_workload: "far",
        connection_security_policy: "unknown",
      };
      await into.counted(CLOSED, labels, 1);
      await into.counted("istio_tcp_received_bytes_total", labels, HELLO.length);
      await into.counted("istio_tcp_sent_bytes_total", labels, ANSWER.length);
      assert.equal(other.count(OPENED), 0);
      assert.deepEqual(application.accepted, [{ peer: stranger[family], local: far[family] }]);
    });

    check(`the node's own probes reach the application, under STRICT too, ${family}`, async () => {
      const { near, stranger } = pods;
      await using _application = await near.serve(PORT);
      const strict = policy({
        name: "strict",
        action: "deny",
        rules: [[[{ ...EMPTY_MATCH, notPrincipals: [{ kind: "presence" }] }]]],
      });
      await withPolicy(strict, async () => {
        const watch = a.proxy.watch();
        assert.equal(await callFrom(a.netns, near[family], PORT), ANSWER);
        assert.equal(watch.count(OPENED), 0);
        assert.doesNotMatch(await stranger.call(near[family], PORT), /hello/);
        await watch.line({ "src.workload": "stranger", error: /explicitly denied by: default\/strict/ });
        assert.equal(await pods.client.call(near[family], PORT), ANSWER);
      });
    });
  }

  async function withPolicy(given: Policy, body: () => Promise<void>): Promise<void> {
    mesh.putPolicy(given);
    try {
      await body();
    } finally {
      mesh.removePolicy(given);
    }
  }

  check("a client that no ALLOW policy names gets 401, and both logs say why", async () => {
    const { client, far } = pods;
    await using application = await far.serve(PORT);
    const principals = [{ kind: "exact", value: "cluster.local/ns/default/sa/somebody" }] as const;
    const allow = policy({ name: "only", action: "allow", rules: [[[{ ...EMPTY_MATCH, principals }]]] });
    await withPolicy(allow, async () => {
      const [out, into] = [a.proxy.watch(), b.proxy.watch()];
      assert.doesNotMatch(await client.call(far.ipv4, PORT), /hello/);
      await out.line({ level: "error", direction: "outbound", error: "http status: 401" });
      await into.line({
        level: "error",
        direction: "inbound",
        "src.identity": spiffe("client"),
        error: /allow policies exist, but none allowed/,
      });
      await into.counted(CLOSED, { reporter: "destination", response_flags: "DENY" }, 1);
      const outcome = await askTunnel(
        mesh.authority,
        pods.outside,
        pods.outside.workload,
        far,
        `${far.ipv4}:8080`,
      );
      assert.deepEqual([outcome.kind, outcome.kind === "refused" && outcome.status], ["refused", 401]);
    });
    assert.equal(application.accepted.length, 0);
  });

  check("an authority that is not the pod's gets 400", async () => {
    const { stranger, near, far } = pods;
    await using application = await near.serve(PORT);
    const watch = b.proxy.watch();
    const outcome = await askTunnel(mesh.authority, stranger, stranger.workload, far, `${near.ipv4}:8080`);
    assert.deepEqual([outcome.kind, outcome.kind === "refused" && outcome.status], ["refused", 400]);
    await watch.line({ level: "warn", error: `ip mismatch: ${far.ipv4} != ${near.ipv4}` });
    assert.equal(application.accepted.length, 0);
  });

  check("a client of another trust domain is refused, though its certificate is of our root", async () => {
    const { client, far } = pods;
    await using application = await far.serve(PORT);
    const [out, into] = [a.proxy.watch(), b.proxy.watch()];
    mesh.put({ ...client.workload, trustDomain: "elsewhere" });
    try {
      assert.doesNotMatch(await client.call(far.ipv4, PORT), /hello/);
      await into.line({ level: "warn", error: /did not present the expected trustdomain/ });
      await out.line({ level: "error", "src.identity": spiffe("client", "elsewhere"), error: /./ });
    } finally {
      mesh.put(client.workload);
    }
    assert.equal(application.accepted.length, 0);
  });

  check("an application that does not listen is told as such", async () => {
    const [out, into] = [a.proxy.watch(), b.proxy.watch()];
    assert.doesNotMatch(await pods.client.call(pods.far.ipv4, PORT), /hello/);
    await out.line({ level: "error", error: "http status: 503" });
    await into.line({ level: "error", error: /connection failed/ });
    await into.counted(
      "istio_tcp_connections_failed_total",
      { reporter: "destination", response_flags: "CONNECT" },
      1,
    );
  });
}
