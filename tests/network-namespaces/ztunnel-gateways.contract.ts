/** Waypoints, sandwiched waypoints and gateways of other networks on the way (reference: protocol §1.10, §1.11, §5.1, §11.3). */

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { connectTcp } from "@meltemi/linux";
import {
  type GatewayAddress,
  ip,
  newService,
  newWorkload,
  type Service,
  type Workload,
} from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import { type HboneStandIn, MARKER, markAndEcho, startHboneStandIn } from "./ztunnel-hbone.fixture.ts";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { CaptureKind, MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, HELLO, type MeshPod } from "./ztunnel-pod.fixture.ts";
import { createProxyReader, type ProxyHeader } from "./ztunnel-proxy-protocol.fixture.ts";

const PORT = 8080;
const SANDWICH_PORT = 15088;
const VIP = "10.10.0.2";
const HOST = "web.default.svc.cluster.local";
const ports = [{ servicePort: 80, targetPort: PORT, appProtocol: "unknown" }] as const;
const tunnelPorts = (servicePort: number) =>
  [{ servicePort, targetPort: 15008, appProtocol: "unknown" }] as const;
const byHost = (hostname: string, hbonePort = 15008): GatewayAddress => ({
  destination: { kind: "hostname", namespace: "default", hostname },
  hbonePort,
});
const byIp = (address: string, network = ""): GatewayAddress => ({
  destination: { kind: "address", network, ip: ip(address) },
  hbonePort: 15008,
});

export function describeGateways(capture: CaptureKind): void {
  const check = (title: string, body: () => Promise<void>): void =>
    void test(`${capture}: ${title}`, { timeout: 60_000 }, body);
  let mesh: Mesh;
  let [a, b] = [] as unknown as [MeshNode, MeshNode];
  let pods: Readonly<Record<"client" | "server" | "waypoint" | "sandwich", MeshPod>>;
  let standIn: HboneStandIn;

  before(async () => {
    mesh = await createMesh({ name: `mlx-g-${capture.slice(0, 3)}`, capture });
    a = await mesh.node("a");
    b = await mesh.node("b");
    pods = {
      client: await a.pod("client"),
      server: await b.pod("server"),
      waypoint: await b.pod("waypoint", { captured: false, workload: { tunnelProtocol: "hbone" } }),
      sandwich: await b.pod("sandwich"),
    };
    const { waypoint, server } = pods;
    await waypoint.serve(1234, { handle: markAndEcho });
    await server.serve(PORT);
    standIn = await startHboneStandIn(mesh.authority, waypoint, { ip: waypoint.ipv4, port: 1234 });
  });
  after(async () => {
    await standIn?.[Symbol.asyncDispose]();
    await mesh?.[Symbol.asyncDispose]();
  });

  const web = (given: Partial<Service> = {}): Service =>
    newService({
      name: "web",
      namespace: "default",
      hostname: HOST,
      vips: [{ network: "", ip: ip(VIP) }],
      ports,
      ...given,
    });
  const backing = (pod: MeshPod, key: string, given: Service["ports"]): Workload => ({
    ...pod.workload,
    services: new Map([[key, given]]),
  });

  /** Tells the mesh of these for as long as `body` runs. */
  async function withMesh(items: readonly (Workload | Service)[], body: () => Promise<void>): Promise<void> {
    mesh.put(...items);
    try {
      await body();
    } finally {
      for (const item of items) mesh.remove("uid" in item ? item.uid : `${item.namespace}/${item.hostname}`);
      mesh.put(...Object.values(pods).map((pod) => pod.workload));
    }
  }

  /** The client's bytes come back with the waypoint's mark, and the waypoint was asked for `authority`. */
  async function expectMarked(to: string, port: number, authority: string, service: string | undefined) {
    const watch = a.proxy.watch();
    assert.equal(await pods.client.call(to, port), MARKER + HELLO);
    const asked = standIn.requests.at(-1);
    assert.deepEqual([asked?.authority, asked?.client], [authority, "client"]);
    await watch.line({
      direction: "outbound",
      "src.workload": "client",
      "src.identity": "spiffe://cluster.local/ns/default/sa/client",
      "dst.addr": /:15008$/,
      "dst.workload": "waypoint",
      "dst.identity": "spiffe://cluster.local/ns/default/sa/waypoint",
      "dst.hbone_addr": authority,
      "dst.service": service,
      bytes_sent: String(HELLO.length),
      bytes_recv: String(HELLO.length + MARKER.length),
      error: undefined,
    });
  }

  check("a workload's waypoint, by address, IPv4 and IPv6", async () => {
    const { server, waypoint } = pods;
    await withMesh([{ ...server.workload, waypoint: byIp(waypoint.ipv4) }], async () => {
      await expectMarked(server.ipv4, PORT, `${server.ipv4}:${PORT}`, undefined);
      await expectMarked(server.ipv6, PORT, `[${server.ipv6}]:${PORT}`, undefined);
    });
  });

  check("a workload's waypoint, by the host name of a service", async () => {
    const { server, waypoint } = pods;
    const gate = web({
      name: "gate",
      hostname: "gate.default.svc.cluster.local",
      vips: [],
      ports: tunnelPorts(15008),
    });
    await withMesh(
      [
        gate,
        backing(waypoint, `default/${gate.hostname}`, tunnelPorts(15008)),
        { ...server.workload, waypoint: byHost(gate.hostname) },
      ],
      () => expectMarked(server.ipv4, PORT, `${server.ipv4}:${PORT}`, undefined),
    );
  });

  for (const { title, reference, more } of [
    { title: "by address", reference: () => byIp(pods.waypoint.ipv4), more: () => [] },
    {
      title: "by the host name of a service",
      reference: () => byHost("gate.default.svc.cluster.local"),
      more: () => [
        web({
          name: "gate",
          hostname: "gate.default.svc.cluster.local",
          vips: [],
          ports: tunnelPorts(15008),
        }),
        backing(pods.waypoint, "default/gate.default.svc.cluster.local", tunnelPorts(15008)),
      ],
    },
    {
      title: "by the host name of a workload",
      reference: () => byHost("gate.example"),
      more: () => [{ ...pods.waypoint.workload, hostname: "gate.example" }],
    },
  ])
    check(`a service's waypoint, ${title}`, async () => {
      const server = backing(pods.server, `default/${HOST}`, ports);
      await withMesh([web({ waypoint: reference() }), server, ...more()], () =>
        expectMarked(VIP, 80, `${VIP}:80`, HOST),
      );
    });

  check("a waypoint that nobody knows is no way around it", async () => {
    const server = backing(pods.server, `default/${HOST}`, ports);
    await withMesh([web({ waypoint: byHost("nowhere.example") }), server], async () => {
      const watch = a.proxy.watch();
      assert.doesNotMatch(await pods.client.call(VIP, 80), /hello/);
      await watch.line({ level: "warn", error: "unknown waypoint: default/nowhere.example" });
    });
  });

  /** The application of a sandwiched waypoint: passes everything on to the server, as its own pod. */
  function forward(socket: Socket): void {
    const { sandwich, server } = pods;
    connectTcp({ netns: sandwich.netns, destination: { ip: server.ipv4, port: PORT } }).then(
      (upstream) => {
        upstream.on("error", () => socket.destroy());
        socket.on("error", () => upstream.destroy());
        socket.pipe(upstream).pipe(socket);
      },
      () => socket.destroy(),
    );
  }

  async function expectSandwich(): Promise<void> {
    const [out, into] = [a.proxy.watch(), b.proxy.watch()];
    assert.equal(await pods.client.call(VIP, 80), ANSWER);
    await out.line({
      direction: "outbound",
      "dst.workload": "sandwich",
      "dst.hbone_addr": `${VIP}:80`,
      "dst.service": HOST,
    });
    await into.line({ direction: "inbound", "src.workload": "client", "dst.workload": "sandwich" });
    await into.line({ direction: "outbound", "src.workload": "sandwich", "dst.workload": "server" });
    await into.line({
      direction: "inbound",
      "src.identity": "spiffe://cluster.local/ns/default/sa/sandwich",
      "dst.workload": "server",
      bytes_recv: String(HELLO.length),
    });
  }

  check("a sandwiched waypoint gets plain bytes and forwards them as itself", async () => {
    const { sandwich } = pods;
    await using application = await sandwich.serve(SANDWICH_PORT, { handle: forward });
    const applicationTunnel = { protocol: "none", port: SANDWICH_PORT } as const;
    await withMesh(
      [
        web({ waypoint: byIp(sandwich.ipv4) }),
        backing(pods.server, `default/${HOST}`, ports),
        { ...sandwich.workload, applicationTunnel },
      ],
      async () => {
        await expectSandwich();
        assert.deepEqual(application.accepted, [{ peer: pods.client.ipv4, local: sandwich.ipv4 }]);
      },
    );
  });

  check(
    "a sandwiched waypoint behind a service without ports is told the client by PROXY protocol",
    async () => {
      const { sandwich, client } = pods;
      const headers: ProxyHeader[] = [];
      const handle = (socket: Socket): void =>
        createProxyReader(socket, (header) => {
          headers.push(header);
          forward(socket);
        });
      await using application = await sandwich.serve(SANDWICH_PORT, { handle });
      const applicationTunnel = { protocol: "proxy", port: SANDWICH_PORT } as const;
      const gate = web({
        name: "gate",
        hostname: "gate.default.svc.cluster.local",
        vips: [{ network: "", ip: ip("10.10.0.3") }],
        ports: tunnelPorts(15008),
      });
      await withMesh(
        [
          gate,
          web({ waypoint: byIp("10.10.0.3") }),
          backing(pods.server, `default/${HOST}`, ports),
          { ...backing(sandwich, `default/${gate.hostname}`, tunnelPorts(15008)), applicationTunnel },
        ],
        expectSandwich,
      );
      assert.deepEqual(
        application.accepted.map(({ local }) => local),
        ["127.0.0.1"],
      );
      assert.deepEqual(
        headers.map(({ source, destination, identity }) => [source.ip, destination, identity]),
        [[client.ipv4, { ip: VIP, port: 80 }, "spiffe://cluster.local/ns/default/sa/client"]],
      );
    },
  );

  for (const { title, reference, more } of [
    { title: "by address", reference: () => byIp(pods.waypoint.ipv4, "far"), more: [] },
    {
      title: "by a service's host name and a mapped port",
      reference: () => byHost("gateway.example", 15009),
      more: [
        newService({
          name: "gateway",
          namespace: "default",
          hostname: "gateway.example",
          ports: tunnelPorts(15009),
        }),
      ],
    },
  ])
    check(`a service of another network through its gateway, ${title}`, async () => {
      const { server, waypoint, client } = pods;
      await standIn[Symbol.asyncDispose]();
      // The gateway ends the outer tunnel only: what it passes on is TLS between client and server.
      standIn = await startHboneStandIn(mesh.authority, waypoint, { ip: server.ipv4, port: 15008 });
      const network = "far";
      const gateway = { ...backing(waypoint, "default/gateway.example", tunnelPorts(15009)), network };
      const split = newWorkload({
        uid: "far/SplitHorizonWorkload/web",
        name: "web-far",
        namespace: "default",
        network,
        tunnelProtocol: "hbone",
        networkGateway: reference(),
        services: new Map([[`default/${HOST}`, ports]]),
      });
      const service = web({ subjectAltNames: ["spiffe://cluster.local/ns/default/sa/server"] });
      await withMesh([service, split, gateway, ...more], async () => {
        // Only the far side knows the server as an endpoint.
        const endpoint = backing(server, `default/${HOST}`, ports);
        b.proxy.ztunnel.mesh.applyAddresses([{ kind: "workload", workload: endpoint }]);
        const [out, into] = [a.proxy.watch(), b.proxy.watch()];
        assert.equal(await client.call(VIP, 80), ANSWER);
        assert.deepEqual(standIn.requests, [
          { authority: `${HOST}:80`, client: "client", forwardedNetwork: [] },
        ]);
        await out.line({
          direction: "outbound",
          "dst.addr": `${waypoint.ipv4}:15008`,
          "dst.hbone_addr": `${HOST}:80`,
          "dst.service": HOST,
          "dst.workload": "server",
          "dst.namespace": "default",
          "dst.identity": "spiffe://cluster.local/ns/default/sa/server",
          bytes_sent: String(HELLO.length),
          bytes_recv: String(ANSWER.length),
          error: undefined,
        });
        await into.line({
          direction: "inbound",
          "src.identity": "spiffe://cluster.local/ns/default/sa/client",
        });
        await out.counted(
          "istio_tcp_connections_closed_total",
          {
            reporter: "source",
            destination_workload: "server",
            destination_principal: "spiffe://cluster.local/ns/default/sa/server",
          },
          1,
        );
      });
    });

  check("nothing of all this is left open", async () => {
    for (const { proxy } of [a, b])
      await eventually(() => {
        assert.match(proxy.metrics(), /istio_tcp_sockets_open\{reporter="source"\} 0/);
        return true;
      });
  });
}
