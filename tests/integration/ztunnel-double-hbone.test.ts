/** A service of another network, through its gateway: a tunnel within a tunnel (reference: protocol §1.10, §11.3). */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { createHboneServer, HBONE_SERVER_DEFAULTS, headerValues } from "@meltemi/hbone";
import {
  createCertificateManager,
  createTlsContexts,
  PEER_REVOKED,
  type WorkloadCertificate,
} from "@meltemi/identity";
import { createRelays, tcpChannel } from "@meltemi/l4";
import { ip, newWorkload } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import { createTestMesh, ended, exchange, vipService } from "./ztunnel.fixture.ts";

const PORT = 18080;

test("bytes pass a gateway that sees only TLS, and end at the workload that the service vouches for", async () => {
  await using mesh = await createTestMesh();
  await using folder = await createTemporaryFolder("double-hbone");
  const { authority, ports } = mesh;
  const issued: WorkloadCertificate[] = [];
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
    const crlPath = folder.file("ca-crl.pem");
    writeFileSync(crlPath, authority.crlPem());
    const client = await mesh.pod("client", "127.0.0.2", { env: { CRL_PATH: crlPath } });
    const key = "default/far.default.svc.cluster.local";
    const server = await mesh.pod("server", "127.0.0.3", {
      workload: { services: new Map([[key, servicePorts]]) },
      deps: {
        certificates: createCertificateManager(
          {},
          {
            clock: systemClock,
            random: Math.random,
            fetch: async (identity) => {
              const certificate = authority.issue(identity);
              issued.push(certificate);
              return certificate;
            },
          },
        ),
      },
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

    // The gateway is good, the workload behind it is revoked under an open connection.
    const open = await client.connect("127.10.0.3:80");
    assert.equal(await exchange(open, "hello", 10), "hellohello");
    for (const { leaf } of issued) authority.revoke(leaf);
    writeFileSync(crlPath, authority.crlPem());
    await ended(open);
    const complete = (line: string): boolean => line.includes("connection complete");
    const revoked = (): number =>
      client.lines.filter((line) => complete(line) && line.includes(PEER_REVOKED)).length;
    await eventually(() => revoked() === 1);
    assert.match(client.metrics(), /response_flags="CERT_REVOKED"/);
    await ended(await client.connect("127.10.0.3:80"));
    await eventually(() => revoked() === 2);
    assert.match(client.metrics(), /istio_crl_policy_rejections_total\{reporter="source"\} 2\n/);

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
