/** A ztunnel per workload, in the workload's own namespace (reference: protocol §11.3, the *_dedicated scenarios). */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { CaptureKind, MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, HELLO, type MeshPod } from "./ztunnel-pod.fixture.ts";
import type { MeshProxy } from "./ztunnel-proxy.fixture.ts";

const PORT = 8080;
const [SENT, ANSWERED] = [String(HELLO.length), String(ANSWER.length)];
const OPENED = "istio_tcp_connections_opened_total";
const CLOSED = "istio_tcp_connections_closed_total";
const spiffe = (name: string): string => `spiffe://cluster.local/ns/default/sa/${name}`;

for (const capture of ["ebpf", "nftables"] as const) describe(capture, () => describeDedicated(capture));

function describeDedicated(capture: CaptureKind): void {
  const check = (title: string, body: () => Promise<void>): void =>
    void test(`${capture}: ${title}`, { timeout: 60_000 }, body);
  let mesh: Mesh;
  let [client, near, far, stranger, outside] = [] as unknown as [MeshPod, MeshPod, MeshPod, MeshPod, MeshPod];
  let [ofClient, ofNear, ofFar] = [] as unknown as [MeshProxy, MeshProxy, MeshProxy];

  before(async () => {
    mesh = await createMesh({ name: `mlx-d-${capture.slice(0, 3)}`, capture });
    const [a, b] = [await mesh.node("a"), await mesh.node("b")];
    const dedicated = async (node: MeshNode, name: string): Promise<[MeshPod, MeshProxy]> => {
      const pod = await node.pod(name, { captured: false, workload: { tunnelProtocol: "hbone" } });
      return [pod, await node.dedicate(pod)];
    };
    [client, ofClient] = await dedicated(a, "client");
    [near, ofNear] = await dedicated(a, "near");
    [far, ofFar] = await dedicated(b, "far");
    stranger = await a.pod("stranger", { captured: false });
    outside = await b.pod("outside", { captured: false });
    for (const pod of [near, far, outside]) await pod.serve(PORT);
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  for (const family of ["ipv4", "ipv6"] as const) {
    const tunnelled = async (server: MeshPod, proxy: MeshProxy): Promise<void> => {
      const [out, into] = [ofClient.watch(), proxy.watch()];
      assert.equal(await client.call(server[family], PORT), ANSWER);
      const common = {
        "src.workload": "client",
        "src.identity": spiffe("client"),
        "dst.workload": server.name,
        "dst.identity": spiffe(server.name),
        error: undefined,
      };
      await out.line({ ...common, direction: "outbound", bytes_sent: SENT, bytes_recv: ANSWERED });
      await into.line({ ...common, direction: "inbound", bytes_sent: ANSWERED, bytes_recv: SENT });
      const labels = { connection_security_policy: "mutual_tls", response_flags: "-" };
      await out.counted(CLOSED, { ...labels, reporter: "source" }, 1);
      await into.counted(CLOSED, { ...labels, reporter: "destination" }, 1);
    };
    check(`captured to captured on one node, ${family}`, () => tunnelled(near, ofNear));
    check(`captured to captured across nodes, ${family}`, () => tunnelled(far, ofFar));

    check(`captured to uncaptured, ${family}`, async () => {
      const watch = ofClient.watch();
      assert.equal(await client.call(outside[family], PORT), ANSWER);
      await watch.line({
        direction: "outbound",
        "src.workload": "client",
        "src.identity": undefined,
        "dst.workload": "outside",
        "dst.identity": undefined,
        error: undefined,
      });
      assert.equal(watch.count(OPENED, { reporter: "destination" }), 0);
    });

    check(`uncaptured to captured, ${family}`, async () => {
      const watch = ofFar.watch();
      assert.equal(await stranger.call(far[family], PORT), ANSWER);
      await watch.line({
        direction: "inbound",
        "src.workload": "stranger",
        "src.identity": undefined,
        "dst.workload": "far",
        error: undefined,
      });
      await watch.counted(CLOSED, { reporter: "destination", connection_security_policy: "unknown" }, 1);
    });
  }
}
