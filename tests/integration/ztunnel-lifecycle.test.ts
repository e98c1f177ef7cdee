/** Start, drain and stop of real proxies (reference: protocol §10, §11.2). */

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import type { XdsUpdate } from "@meltemi/xds";
import type { ZtunnelDeps } from "../../components/ztunnel/src/parts.ts";
import { createTestMesh, ended, exchange, freePorts, sample } from "./ztunnel.fixture.ts";

const PORT = 18080;

test("a proxy starts, is ready, and stops", async () => {
  await using mesh = await createTestMesh();
  const { ztunnel } = await mesh.pod("client", "127.0.0.2");
  assert.deepEqual(ztunnel.readiness.pending(), []);
  const ready = await fetch(`http://127.0.0.1:${ztunnel.ports.readinessPort}/healthz/ready`);
  assert.deepEqual([ready.status, await ready.text()], [200, "ready\n"]);
  await ztunnel.shutdown();
  await ztunnel.finished;
  await assert.rejects(fetch(`http://127.0.0.1:${ztunnel.ports.readinessPort}/healthz/ready`));
});

for (const which of ["outbound", "inboundPlaintext", "inboundHbone"] as const)
  test(`a taken port fails the start: ${which}`, async () => {
    await using mesh = await createTestMesh();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(mesh.ports[which], "127.0.0.2", resolve));
    try {
      await assert.rejects(
        mesh.pod("client", "127.0.0.2"),
        new RegExp(`EADDRINUSE.*${mesh.ports[which]}|${mesh.ports[which]}.*EADDRINUSE`),
      );
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
    // Nothing was left open: the same start succeeds now.
    await mesh.pod("client", "127.0.0.2");
  });

test("a taken admin port fails the start", async () => {
  await using mesh = await createTestMesh();
  const taken = createServer();
  const [adminPort = 0] = await freePorts(1);
  await new Promise<void>((resolve) => taken.listen(adminPort, "127.0.0.1", resolve));
  try {
    const config = { admin: { adminPort, statsPort: 0, readinessPort: 0 } };
    await assert.rejects(mesh.pod("client", "127.0.0.2", { config }), /EADDRINUSE/);
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

test("a revocation list that cannot be read holds everything back until there is a good one", async () => {
  await using mesh = await createTestMesh();
  await using folder = await createTemporaryFolder("ztunnel-crl");
  const crlPath = folder.file("ca-crl.pem");
  writeFileSync(crlPath, "not a list");
  const [readinessPort = 0] = await freePorts(1);
  const config = { admin: { adminPort: 0, statsPort: 0, readinessPort } };
  const starting = mesh.pod("server", "127.0.0.3", { env: { CRL_PATH: crlPath }, config });
  const readiness = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${readinessPort}/healthz/ready`).catch(() => undefined);
    return answer === undefined ? "" : `${answer.status} ${await answer.text()}`;
  };
  await eventually(async () => /^500 not ready, pending: .*revocation lists/.test(await readiness()));
  const port = mesh.ports.inboundHbone;
  await assert.rejects(once(connect(port, "127.0.0.3"), "connect"), /ECONNREFUSED/);
  writeFileSync(crlPath, mesh.authority.crlPem());
  await starting;
  assert.equal(await readiness(), "200 ready\n");
  const open = connect(port, "127.0.0.3");
  await once(open, "connect");
  open.destroy();
});

test("a shutdown waits for what is open, takes nothing new, and ends when the last connection does", async () => {
  await using mesh = await createTestMesh();
  const env = { CONNECTION_TERMINATION_DEADLINE: "60s" };
  const client = await mesh.pod("client", "127.0.0.2", { env });
  const server = await mesh.pod("server", "127.0.0.3", { env });
  await mesh.echo("127.0.0.3", PORT);
  const socket = await client.connect(`127.0.0.3:${PORT}`);
  await exchange(socket, "a", 2);
  const stopped = [client.ztunnel.shutdown(), server.ztunnel.shutdown()];
  assert.equal(await exchange(socket, "still", 10), "stillstill");
  await ended(await client.connect(`127.0.0.3:${PORT}`));
  assert.equal(await exchange(socket, "here", 8), "herehere");
  socket.end();
  await Promise.all(stopped);
});

test("a shutdown cuts what outlives its deadline", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.3", PORT);
  const socket = await client.connect(`127.0.0.3:${PORT}`);
  await exchange(socket, "a", 2);
  await client.ztunnel.shutdown();
  await ended(socket);
  assert.ok(client.lines.some((line) => line.includes("connection closed due to connection drain")));
});

test("POST /quitquitquit stops; other methods do not", async () => {
  await using mesh = await createTestMesh();
  const { ztunnel } = await mesh.pod("client", "127.0.0.2");
  const url = `http://127.0.0.1:${ztunnel.ports.adminPort}/quitquitquit`;
  assert.equal((await fetch(url)).status, 405);
  const answer = await fetch(url, { method: "POST" });
  assert.deepEqual([answer.status, await answer.text()], [200, "shutdown now\n"]);
  await ztunnel.finished;
});

test("the admin port shows the mesh, the certificates and the connections, and no secret", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2", { env: { AUTH_TOKEN: "top-secret-token" } });
  await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.3", PORT);
  const socket = await client.connect(`127.0.0.3:${PORT}`);
  await exchange(socket, "a", 2);
  const text = await (await fetch(`http://127.0.0.1:${client.ztunnel.ports.adminPort}/config_dump`)).text();
  assert.ok(!text.includes("PRIVATE KEY") && !text.includes("top-secret-token"));
  const dump = JSON.parse(text);
  assert.equal(dump.workloads.length, 2);
  assert.equal(dump.certificates[0].identity, "spiffe://cluster.local/ns/default/sa/client");
  assert.equal(dump.certificates[0].state, "Available");
  const [outbound] = dump.workloadState["default/client"].connections.outbound;
  assert.deepEqual(
    [outbound.originalDst, outbound.actualDst, outbound.protocol],
    [`127.0.0.3:${PORT}`, `127.0.0.3:${mesh.ports.inboundHbone}`, "HBONE"],
  );
  const logging = await fetch(
    `http://127.0.0.1:${client.ztunnel.ports.adminPort}/logging?level=access=debug`,
    { method: "POST" },
  );
  assert.equal(await logging.text(), "current log level is access=debug,info\n");
  socket.destroy();
});

test("metrics: stable names are promised, all others say that they are not", async () => {
  await using mesh = await createTestMesh();
  const { ztunnel, metrics } = await mesh.pod("client", "127.0.0.2");
  const answer = await fetch(`http://127.0.0.1:${ztunnel.ports.statsPort}/metrics`, {
    headers: { accept: "application/openmetrics-text" },
  });
  assert.match(answer.headers.get("content-type") ?? "", /^application\/openmetrics-text/);
  const text = await answer.text();
  assert.ok(text.endsWith("# EOF\n"));
  assert.equal(sample(text, "istio_build", { component: "ztunnel" }), 1);
  const stable =
    /^# HELP (istio_build|istio_tcp_(connections_(opened|closed)|(received|sent)_bytes)|process_\w+) /;
  for (const line of metrics()
    .split("\n")
    .filter((one) => one.startsWith("# HELP")))
    assert.equal(line.endsWith("(unstable)"), !stable.test(line), line);
  assert.equal((await fetch(`http://127.0.0.1:${ztunnel.ports.statsPort}/other`)).status, 404);
});

test("a client that resets while its connection is being made leaves nothing behind", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.3", PORT);
  for (let round = 0; round < 20; round++) (await client.connect(`127.0.0.3:${PORT}`)).resetAndDestroy();
  await eventually(() => sample(client.metrics(), "istio_tcp_sockets_open") === 0);
  const opened = sample(client.metrics(), "istio_tcp_connections_opened_total");
  assert.equal(sample(client.metrics(), "istio_tcp_connections_closed_total"), opened);
});

test("more connections than a pod may hold are refused, and places come back", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2", { deps: { admission: { process: 3, pod: 3 } } });
  await mesh.echo("127.0.0.9", PORT);
  const open = await Promise.all([1, 2, 3].map(() => client.connect(`127.0.0.9:${PORT}`)));
  await Promise.all(open.map((socket) => exchange(socket, "a", 2)));
  await ended(await client.connect(`127.0.0.9:${PORT}`));
  assert.ok(client.lines.some((line) => line.includes("too many connections")));
  for (const socket of open) socket.destroy();
  await eventually(async () => {
    const socket = await client.connect(`127.0.0.9:${PORT}`);
    const answer = await exchange(socket, "a", 2).catch(() => "");
    socket.destroy();
    return answer === "aa";
  });
});

/** A control plane in this process: what it sends and when it has sent all is up to the test. */
function controlPlane() {
  const synced = Promise.withResolvers<void>();
  let send: (update: XdsUpdate) => readonly [] = () => [];
  const deps: Pick<ZtunnelDeps, "controlPlane"> = {
    controlPlane: (onUpdate) => {
      send = onUpdate;
      return {
        start: () => undefined,
        synced: synced.promise,
        connected: true,
        fetch: () => Promise.resolve(),
        renew: () => undefined,
        forget: () => undefined,
        heldCount: () => 0,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    },
  };
  return { deps, synced: () => synced.resolve(), send: (update: XdsUpdate) => send(update) };
}

test("listeners open once the control plane has told all, and its changes apply", async () => {
  await using mesh = await createTestMesh();
  const plane = controlPlane();
  const client = await mesh.pod("client", "127.0.0.2", { deps: plane.deps });
  await mesh.echo("127.0.0.9", PORT);
  assert.deepEqual(client.ztunnel.readiness.pending(), ["state manager"]);
  await ended(await client.connect(`127.0.0.9:${PORT}`));
  plane.synced();
  await eventually(() => client.ztunnel.readiness.pending().length === 0);
  const socket = await client.connect(`127.0.0.9:${PORT}`);
  assert.equal(await exchange(socket, "a", 2), "aa");
  socket.destroy();
  plane.send({ kind: "address", upserts: [], removedNames: ["Kubernetes//Pod/default/client"] });
  assert.equal(client.ztunnel.mesh.current.workloads.size, 0);
});

test("a port that is taken when the control plane has told all ends the proxy", async () => {
  await using mesh = await createTestMesh();
  const plane = controlPlane();
  const client = await mesh.pod("client", "127.0.0.2", { deps: plane.deps });
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(mesh.ports.inboundHbone, "127.0.0.2", resolve));
  plane.synced();
  await assert.rejects(client.ztunnel.finished, /EADDRINUSE/);
  await new Promise((resolve) => taken.close(resolve));
});

test("a proxy that is stopped before the control plane has told all never opens a listener", async () => {
  await using mesh = await createTestMesh();
  const plane = controlPlane();
  const client = await mesh.pod("client", "127.0.0.2", { deps: plane.deps });
  await client.ztunnel.shutdown();
  plane.synced();
  await ended(await client.connect(`127.0.0.9:${PORT}`));
});
