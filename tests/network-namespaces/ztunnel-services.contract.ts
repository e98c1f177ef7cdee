/** Services between captured pods: their addresses, their endpoints, their names (reference: protocol §11.3), whatever captures. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newService, type Service, type Workload } from "@meltemi/model";
import { askTunnel } from "./ztunnel-hbone.fixture.ts";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { CaptureKind, MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, type MeshPod } from "./ztunnel-pod.fixture.ts";

const PORT = 8080;
const CLOSED = "istio_tcp_connections_closed_total";
const ports = [{ servicePort: 80, targetPort: PORT, appProtocol: "unknown" }] as const;

export function describeServices(capture: CaptureKind): void {
  const check = (title: string, body: () => Promise<void>): void =>
    void test(`${capture}: ${title}`, { timeout: 60_000 }, body);
  let mesh: Mesh;
  let [a, b] = [] as unknown as [MeshNode, MeshNode];
  let pods: Readonly<Record<"client" | "near" | "far" | "stranger", MeshPod>>;

  before(async () => {
    mesh = await createMesh({ name: `mlx-v-${capture.slice(0, 3)}`, capture });
    a = await mesh.node("a");
    b = await mesh.node("b");
    pods = {
      client: await a.pod("client"),
      near: await a.pod("near"),
      far: await b.pod("far"),
      stranger: await a.pod("stranger", { captured: false }),
    };
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  /** A service with these endpoints, for as long as `body` runs. */
  async function withService(
    given: Partial<Service>,
    endpoints: readonly MeshPod[],
    body: () => Promise<void>,
  ) {
    const hostname = `${given.name}.default.svc.cluster.local`;
    const service = newService({ name: "", namespace: "default", hostname, ports, ...given });
    const key = `default/${hostname}`;
    const endpoint = (pod: MeshPod): Workload => ({
      ...pod.workload,
      services: new Map([[key, ports]]),
    });
    mesh.put(service, ...endpoints.map(endpoint));
    try {
      await body();
    } finally {
      mesh.put(...endpoints.map((pod) => pod.workload));
      mesh.remove(key);
    }
  }

  const vips = [
    { network: "", ip: "10.10.0.1" as Workload["addresses"][number] },
    { network: "", ip: "fd00:10::1" as Workload["addresses"][number] },
  ];

  for (const { ip } of vips)
    check(`a service address leads to one endpoint per connection, local and remote: ${ip}`, async () => {
      const { client, near, far } = pods;
      await using local = await near.serve(PORT);
      await using remote = await far.serve(PORT);
      await withService({ name: "web", vips }, [near, far], async () => {
        const [out, into] = [a.proxy.watch(), b.proxy.watch()];
        const labels = {
          destination_service: "web.default.svc.cluster.local",
          destination_service_name: "web",
          destination_service_namespace: "default",
        };
        assert.equal(await client.call(ip, 80), ANSWER);
        assert.equal(local.accepted.length + remote.accepted.length, 1);
        await out.line({
          direction: "outbound",
          "dst.service": "web.default.svc.cluster.local",
          "dst.hbone_addr": /:8080$/,
        });
        for (let round = 1; round < 50; round++) assert.equal(await client.call(ip, 80), ANSWER);
        assert.equal(local.accepted.length + remote.accepted.length, 50);
        assert.ok(local.accepted.length > 0 && remote.accepted.length > 0);
        await out.counted(CLOSED, { ...labels, reporter: "source" }, 50);
        await out.counted(CLOSED, { ...labels, reporter: "destination" }, local.accepted.length);
        await into.counted(CLOSED, { ...labels, reporter: "destination" }, remote.accepted.length);
      });
    });

  check("a service without a healthy endpoint is refused", async () => {
    await withService({ name: "empty", vips: vips.slice(0, 1) }, [], async () => {
      const watch = a.proxy.watch();
      assert.doesNotMatch(await pods.client.call("10.10.0.1", 80), /hello/);
      await watch.line({ level: "warn", error: "no healthy upstream: 10.10.0.1:80" });
    });
  });

  for (const { title, servicePort } of [
    { title: "a number", servicePort: ports[0] },
    { title: "a name that the endpoint resolves", servicePort: { ...ports[0], targetPort: 0 } },
  ])
    check(`an authority may be a service and its port, whose target is ${title}`, async () => {
      const { stranger, far } = pods;
      await using application = await far.serve(PORT);
      await withService({ name: "named", vips: vips.slice(0, 1), ports: [servicePort] }, [far], async () => {
        const watch = b.proxy.watch();
        const ask = (port: number) =>
          askTunnel(
            mesh.authority,
            stranger,
            stranger.workload,
            far,
            `named.default.svc.cluster.local:${port}`,
          );
        const outcome = await ask(80);
        assert.equal(outcome.kind, "open", JSON.stringify(outcome));
        await watch.line({ direction: "inbound", "dst.service": "named.default.svc.cluster.local" });
        assert.equal(application.accepted.length, 1);
        const refused = await ask(81);
        assert.deepEqual([refused.kind, refused.kind === "refused" && refused.status], ["refused", 503]);
      });
    });
}
