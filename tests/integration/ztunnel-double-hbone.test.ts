/** A service of another network, through its gateway: a tunnel within a tunnel (reference: protocol §1.10, §11.3). */

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { createHboneServer, HBONE_SERVER_DEFAULTS, headerValues } from "@meltemi/hbone";
import { createTlsContexts } from "@meltemi/identity";
import { createRelays, tcpChannel } from "@meltemi/l4";
import { ip, newWorkload } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { createTestMesh, ended, exchange, vipService } from "./ztunnel.fixture.ts";

const PORT = 18080;

test("bytes pass a gateway that sees only TLS, and end at the workload that the service vouches for", async () => {
  await using mesh = await createTestMesh();
  const { authority, ports } = mesh;
  const seen: { authority: string; forwardedNetwork: readonly string[] }[] = [];
  using relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock });
  // The gateway ends the outer tunnel and passes what is in it to the backend's own HBONE port.
  await using gateway = createHboneServer(
    { ...HBONE_SERVER_DEFAULTS, maxConnections: 10 },
    {
      clock: systemClock,
      certificate: () => createTlsContexts(authority.issue("default/gateway")),
      onRequest: (request) => {
        seen.push({
          authority: request.authority,
          forwardedNetwork: headerValues(request.headers, "x-forwarded-network"),
        });
        const backend = connect({ host: "127.0.0.3", port: ports.inboundHbone, allowHalfOpen: true });
        backend.once("connect", () => relays.start(request.accept([]), tcpChannel(backend)));
      },
    },
  );
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    gateway.accept(socket),
  );
  await new Promise<void>((resolve) => listener.listen(ports.inboundHbone, "127.0.0.6", resolve));
  try {
    const servicePorts = [{ servicePort: 80, targetPort: PORT, appProtocol: "unknown" }] as const;
    const client = await mesh.pod("client", "127.0.0.2");
    const key = "default/far.default.svc.cluster.local";
    const server = await mesh.pod("server", "127.0.0.3", {
      workload: { services: new Map([[key, servicePorts]]) },
    });
    const networkGateway = {
      destination: { kind: "address", network: "far", ip: ip("127.0.0.6") },
      hbonePort: ports.inboundHbone,
    } as const;
    const far = {
      kind: "workload",
      workload: newWorkload({
        uid: "far/split",
        name: "far",
        namespace: "default",
        network: "far",
        tunnelProtocol: "hbone",
        networkGateway,
        services: new Map([[key, servicePorts]]),
      }),
    } as const;
    const gate = {
      kind: "workload",
      workload: newWorkload({
        uid: "far/gate",
        name: "gate",
        namespace: "default",
        serviceAccount: "gateway",
        network: "far",
        addresses: [ip("127.0.0.6")],
        tunnelProtocol: "hbone",
      }),
    } as const;
    const service = vipService("far", "127.10.0.3", {
      ports: servicePorts,
      subjectAltNames: ["spiffe://cluster.local/ns/default/sa/server"],
    });
    // The client knows only the far side's stand-in, the server only itself.
    client.ztunnel.mesh.applyAddresses([
      { kind: "remove", name: "Kubernetes//Pod/default/server" },
      far,
      gate,
      { kind: "service", service },
    ]);
    server.ztunnel.mesh.applyAddresses([{ kind: "service", service }]);
    await mesh.echo("127.0.0.3", PORT);

    const socket = await client.connect("127.10.0.3:80");
    assert.equal(await exchange(socket, "hello", 10), "hellohello");
    assert.deepEqual(seen, [{ authority: "far.default.svc.cluster.local:80", forwardedNetwork: [] }]);
    socket.end();
    await ended(socket);
    await eventually(() =>
      server.lines.some((line) =>
        line.includes('src.identity="spiffe://cluster.local/ns/default/sa/client"'),
      ),
    );
    await eventually(() =>
      client.lines.some(
        (line) =>
          line.includes("connection complete") &&
          line.includes("dst.hbone_addr=far.default.svc.cluster.local:80"),
      ),
    );

    // A backend that the service does not vouch for is not trusted, gateway or not.
    const stranger = { ...service, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/other"] };
    client.ztunnel.mesh.applyAddresses([{ kind: "service", service: stranger }]);
    await ended(await client.connect("127.10.0.3:80"));
    await eventually(() => client.lines.some((line) => line.includes("did not present the expected SAN")));
  } finally {
    // Its connections end with the gateway and the pods, below.
    listener.close();
  }
});
