/** Pods, servers and ztunnels that come and go under open connections (reference: protocol §10, §11.3). */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { CaptureKind, MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, type MeshPod } from "./ztunnel-pod.fixture.ts";

const PORT = 8080;
const OPENED = "istio_tcp_connections_opened_total";
const spiffe = (name: string): string => `spiffe://cluster.local/ns/default/sa/${name}`;

export function describeLifecycle(capture: CaptureKind): void {
  const check = (title: string, body: () => Promise<void>): void =>
    void test(`${capture}: ${title}`, { timeout: 60_000 }, body);
  let mesh: Mesh;
  let [a, b] = [] as unknown as [MeshNode, MeshNode];
  let pods: Readonly<Record<"client" | "server" | "stranger", MeshPod>>;

  before(async () => {
    mesh = await createMesh({
      name: `mlx-l-${capture.slice(0, 3)}`,
      capture,
      env: { CONNECTION_TERMINATION_DEADLINE: "60s" },
    });
    a = await mesh.node("a");
    b = await mesh.node("b");
    pods = {
      client: await a.pod("client"),
      server: await b.pod("server"),
      stranger: await a.pod("stranger", { captured: false }),
    };
    await pods.server.serve(PORT);
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  check("a client un-enrolled and enrolled again: open connections go on, new ones follow", async () => {
    const { client, server } = pods;
    using tunnelled = await client.connect(server.ipv4, PORT);
    await tunnelled.exchange("one");
    await a.unenrol(client);
    await tunnelled.exchange("two");
    using plain = await client.connect(server.ipv4, PORT);
    const watch = a.proxy.watch();
    await plain.exchange("plain");
    await tunnelled.exchange("three");
    assert.equal(watch.count(OPENED, { reporter: "source" }), 0);
    await a.enrol(client);
    await plain.exchange("still plain");
    await tunnelled.exchange("four");
    assert.equal(await client.call(server.ipv4, PORT), ANSWER);
    await watch.line({ direction: "outbound", "src.workload": "client", "src.identity": spiffe("client") });
    for (const one of [plain, tunnelled]) one.socket.end();
    assert.deepEqual(await Promise.all([plain.over, tunnelled.over]), ["end", "end"]);
  });

  check("a server un-enrolled and enrolled again, under tunnelled and plaintext connections", async () => {
    const { client, server, stranger } = pods;
    using tunnelled = await client.connect(server.ipv6, PORT);
    using captured = await stranger.connect(server.ipv4, PORT);
    await tunnelled.exchange("one");
    await captured.exchange("one");
    mesh.put({ ...server.workload, tunnelProtocol: "none" });
    await b.unenrol(server);
    await tunnelled.exchange("two");
    await captured.exchange("two");
    const watch = b.proxy.watch();
    using direct = await stranger.connect(server.ipv4, PORT);
    await direct.exchange("direct");
    assert.equal(await client.call(server.ipv4, PORT), ANSWER);
    assert.equal(watch.count(OPENED), 0);
    await b.enrol(server);
    mesh.put(server.workload);
    for (const one of [tunnelled, captured, direct]) await one.exchange("three");
    assert.equal(await client.call(server.ipv4, PORT), ANSWER);
    await watch.line({ direction: "inbound", "src.identity": spiffe("client"), "dst.workload": "server" });
  });

  check("whoever waits to be accepted while the pod is un-enrolled is served", async () => {
    const { client, server, stranger } = pods;
    for (const [caller, leave, back] of [
      [client, () => a.unenrol(client), () => a.enrol(client)],
      [stranger, () => b.unenrol(server), () => b.enrol(server)],
    ] as const) {
      // More than ztunnel accepts in one turn, fewer than its listener lets wait.
      const calls = Array.from({ length: 120 }, () => caller.call(server.ipv4, PORT));
      await leave();
      const answers = await Promise.all(calls);
      assert.deepEqual(
        answers.filter((answer) => answer !== ANSWER),
        [],
      );
      await back();
    }
  });

  check("a server that goes: open connections last as long as it runs, and new ones fail", async () => {
    const { client } = pods;
    const gone = await b.pod("gone");
    const application = await gone.serve(PORT);
    using open = await client.connect(gone.ipv4, PORT);
    await open.exchange("one");
    mesh.remove(gone.workload.uid);
    await open.exchange("two");
    const watch = b.proxy.watch();
    await application[Symbol.asyncDispose]();
    await b.unenrol(gone);
    await open.over;
    await watch.line({ direction: "inbound", "dst.workload": "gone", bytes_recv: "6", bytes_sent: "12" });
    assert.doesNotMatch(await client.call(gone.ipv4, PORT), /hello/);
  });

  check("the node agent goes and comes back: ready and serving all the while", async () => {
    const { client, server } = pods;
    using open = await client.connect(server.ipv4, PORT);
    await open.exchange("one");
    a.restartAgent();
    await eventually(() => a.proxy.lines.some((line) => line.includes("node agent disconnected")));
    // A DaemonSet that is being updated would delete one that is not ready before its successor is.
    assert.deepEqual(a.proxy.ztunnel.readiness.pending(), []);
    await open.exchange("two");
    assert.equal(await client.call(server.ipv4, PORT), ANSWER);
    await a.agentConnected();
    await open.exchange("three");
    assert.equal(await client.call(server.ipv4, PORT), ANSWER);
  });

  check(
    "certificates are fetched for this node's pods alone, and kept until the last of them leaves",
    async () => {
      const held = (node: MeshNode, name: string): string | undefined =>
        node.proxy.certificates.states().find(({ identity }) => identity === spiffe(name))?.state;
      const first = await b.pod("first", { workload: { serviceAccount: "shared" } });
      const second = await b.pod("second", {
        captured: false,
        workload: { serviceAccount: "shared", tunnelProtocol: "hbone" },
      });
      await eventually(() => held(b, "shared") === "Available");
      assert.equal(held(a, "shared"), undefined);
      mesh.remove(first.workload.uid);
      assert.equal(held(b, "shared"), "Available");
      mesh.remove(second.workload.uid);
      assert.equal(held(b, "shared"), undefined);
      await b.unenrol(first);
    },
  );

  check(
    "a rolling upgrade: the newest ztunnel takes what is new, the old one drains, nothing is refused",
    async () => {
      const { client, server, stranger } = pods;
      const [oldA, oldB] = [a.proxy, b.proxy];
      using tunnelled = await client.connect(server.ipv4, PORT);
      using plain = await stranger.connect(server.ipv4, PORT);
      await tunnelled.exchange("old");
      await plain.exchange("old");
      const calls = startCalls([client, stranger], server);
      const [newA, newB] = [await a.startProxy(), await b.startProxy()];
      await calls.more(100);
      const stopped = [oldA.ztunnel.shutdown(), oldB.ztunnel.shutdown()];
      await calls.more(100);
      const [out, into] = [newA.watch(), newB.watch()];
      await tunnelled.exchange("drains");
      await plain.exchange("drains");
      await calls.more(100);
      assert.deepEqual(await calls.stop(), []);
      assert.equal(await client.call(server.ipv6, PORT), ANSWER);
      await out.line({ direction: "outbound", "src.workload": "client" });
      await into.line({ direction: "inbound", "src.identity": spiffe("client") });
      await into.line({ direction: "inbound", "src.workload": "stranger", "src.identity": undefined });
      tunnelled.socket.end();
      plain.socket.end();
      await Promise.all(stopped);
      assert.deepEqual(await Promise.all([tunnelled.over, plain.over]), ["end", "end"]);
    },
  );

  check("a ztunnel that shuts down serves its open connections, and new ones fail", async () => {
    const { client, server } = pods;
    const [newest] = [await a.startProxy()];
    using open = await client.connect(server.ipv4, PORT);
    await open.exchange("one");
    for (const proxy of a.proxies) void proxy.ztunnel.shutdown();
    await open.exchange("two");
    // The contract is a bound of two seconds; here the listener is gone before the call.
    assert.doesNotMatch(await client.call(server.ipv4, PORT), /hello/);
    await open.exchange("three");
    open.socket.end();
    await newest.ztunnel.shutdown();
    assert.equal(await open.over, "end");
  });
}

/** Calls without pause from each of `from`; whatever goes wrong is kept. */
function startCalls(from: readonly MeshPod[], to: MeshPod) {
  const failures: string[] = [];
  let [done, stopped] = [0, false];
  const loop = async (pod: MeshPod): Promise<void> => {
    while (!stopped) {
      const answer = await pod.call(to.ipv4, PORT);
      if (answer !== ANSWER) failures.push(`${pod.name}: ${answer}`);
      done++;
    }
  };
  const loops = Array.from({ length: 16 }, () => from.map(loop)).flat();
  return {
    async more(count: number): Promise<void> {
      const goal = done + count;
      await eventually(() => done >= goal, { deadlineMs: 20_000 });
    },
    async stop(): Promise<readonly string[]> {
      stopped = true;
      await Promise.all(loops);
      return failures;
    },
  };
}
