/** Traffic through real proxies on loopback (reference: protocol §11.2, and the L4 rows of §11.3 that need no namespace). */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { EMPTY_MATCH, ip, newWorkload, type Policy } from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import { createTestMesh, ended, exchange, meshedPod, sample, vipService } from "./ztunnel.fixture.ts";

const PORT = 18080;
const ports = [{ servicePort: 80, targetPort: PORT, appProtocol: "unknown" }] as const;

const deny = (given: Partial<Policy>): Policy => ({
  name: "p",
  namespace: "default",
  scope: "namespace",
  action: "deny",
  rules: [],
  dryRun: false,
  ...given,
});

test("HBONE between two pods: bytes, metrics and log lines of both sides", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  const server = await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.3", PORT);
  const socket = await client.connect(`127.0.0.3:${PORT}`);
  assert.equal(await exchange(socket, "hello world", 22), "hello worldhello world");
  const opened = {
    source_workload: "client",
    destination_workload: "server",
    connection_security_policy: "mutual_tls",
  };
  for (const [pod, reporter] of [
    [client, "source"],
    [server, "destination"],
  ] as const) {
    assert.equal(sample(pod.metrics(), "istio_tcp_connections_opened_total", { ...opened, reporter }), 1);
    assert.equal(sample(pod.metrics(), "istio_tcp_connections_closed_total"), 0);
    assert.equal(sample(pod.metrics(), "istio_tcp_received_bytes_total", { ...opened, reporter }), 11);
    assert.equal(sample(pod.metrics(), "istio_tcp_sent_bytes_total", { ...opened, reporter }), 22);
  }
  socket.end();
  await ended(socket);
  for (const pod of [client, server])
    await eventually(
      () => sample(pod.metrics(), "istio_tcp_connections_closed_total", { response_flags: "-" }) === 1,
    );
  const line = client.lines.find((one) => one.includes("connection complete")) ?? "";
  assert.match(
    line,
    /\tinfo\taccess\tconnection complete\tsrc\.addr=127\.0\.0\.2:\d+ src\.workload="client" src\.namespace="default" src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client" .*dst\.hbone_addr=127\.0\.0\.3:18080 .*direction="outbound" bytes_sent=11 bytes_recv=22/,
  );
  const inbound = server.lines.find((one) => one.includes("connection complete")) ?? "";
  assert.match(
    inbound,
    /src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client".*direction="inbound" bytes_sent=22 bytes_recv=11/,
  );
});

test("the client's half-close reaches the server, and its answer comes back", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  await mesh.pod("server", "127.0.0.3");
  const server = await mesh.echo("127.0.0.3", PORT);
  server.on("connection", (socket) => socket.on("end", () => socket.end("bye")));
  const socket = await client.connect(`127.0.0.3:${PORT}`);
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString()));
  socket.end("x");
  await ended(socket);
  assert.equal(text, "xxbye");
});

test("a plain workload, an unknown destination and a service are reached", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  await mesh.pod("server", "127.0.0.3", {
    workload: { services: new Map([["default/svc.default.svc.cluster.local", ports]]) },
  });
  mesh.put(newWorkload({ uid: "plain", name: "plain", namespace: "default", addresses: [ip("127.0.0.4")] }));
  mesh.put(vipService("svc", "127.10.0.1", { ports }));
  for (const address of ["127.0.0.3", "127.0.0.4", "127.0.0.9"]) await mesh.echo(address, PORT);
  for (const destination of [`127.0.0.4:${PORT}`, `127.0.0.9:${PORT}`, "127.10.0.1:80"]) {
    const socket = await client.connect(destination);
    assert.equal(await exchange(socket, "ab", 4), "abab", destination);
    socket.destroy();
  }
  await eventually(() => client.lines.filter((line) => line.includes("connection complete")).length === 3);
  assert.match(client.lines.join(""), /dst\.service="svc\.default\.svc\.cluster\.local"/);
  assert.equal(
    sample(client.metrics(), "istio_tcp_connections_opened_total", { connection_security_policy: "unknown" }),
    2,
  );
});

test("a service of three endpoints spreads its connections", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  const services = new Map([["default/svc.default.svc.cluster.local", ports]]);
  mesh.put(vipService("svc", "127.10.0.1", { ports }));
  const hits = new Map<string, number>();
  for (const address of ["127.0.0.3", "127.0.0.4", "127.0.0.5"]) {
    await mesh.pod(`server-${address.slice(-1)}`, address, { workload: { services } });
    (await mesh.echo(address, PORT)).on("connection", () => hits.set(address, (hits.get(address) ?? 0) + 1));
  }
  for (let round = 0; round < 30; round++) {
    const socket = await client.connect("127.10.0.1:80");
    await exchange(socket, "a", 2);
    socket.destroy();
  }
  assert.equal(hits.size, 3);
  assert.equal(
    [...hits.values()].reduce((sum, count) => sum + count, 0),
    30,
  );
});

test("an endpoint by host name is resolved once and remembered", async () => {
  await using mesh = await createTestMesh();
  let lookups = 0;
  const lookup = async (): Promise<{ address: string; family: number }[]> => {
    lookups++;
    return [{ address: "127.0.0.4", family: 4 }];
  };
  const client = await mesh.pod("client", "127.0.0.2", { deps: { lookup } });
  const services = new Map([["default/db.default.svc.cluster.local", ports]]);
  mesh.put(newWorkload({ uid: "db", name: "db", namespace: "default", hostname: "db.example", services }));
  mesh.put(vipService("db", "127.10.0.2", { ports }));
  await mesh.echo("127.0.0.4", PORT);
  for (let round = 0; round < 2; round++) {
    const socket = await client.connect("127.10.0.2:80");
    assert.equal(await exchange(socket, "a", 2), "aa");
    socket.destroy();
  }
  assert.equal(lookups, 1);
  assert.equal(sample(client.metrics(), "istio_on_demand_dns_total", { hostname: "db.example" }), 2);
});

test("a policy refuses by identity, cuts what is open, and says so on both sides", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  const server = await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.3", PORT);
  const open = await client.connect(`127.0.0.3:${PORT}`);
  await exchange(open, "a", 2);
  const principals = [{ kind: "exact", value: "cluster.local/ns/default/sa/client" }] as const;
  mesh.putPolicy(deny({ rules: [[[{ ...EMPTY_MATCH, principals }]]] }));
  await ended(open);
  await eventually(() =>
    server.lines.some((line) => line.includes("connection closed due to policy change")),
  );
  assert.equal(sample(server.metrics(), "istio_tcp_connections_closed_total", { response_flags: "DENY" }), 1);
  const refused = await client.connect(`127.0.0.3:${PORT}`);
  await ended(refused);
  await eventually(() => client.lines.some((line) => line.includes('error="http status: 401"')));
  await eventually(() => server.lines.some((line) => line.includes("explicitly denied by: default/p")));
});

test("plaintext is carried with the client's address, and refused once STRICT is asked for", async () => {
  await using mesh = await createTestMesh();
  const server = await mesh.pod("server", "127.0.0.3");
  const seen: (string | undefined)[] = [];
  (await mesh.echo("127.0.0.3", PORT)).on("connection", (socket) => seen.push(socket.remoteAddress));
  const open = await server.plaintext("127.0.0.9", PORT);
  assert.equal(await exchange(open, "a", 2), "aa");
  if (process.getuid?.() === 0) assert.deepEqual(seen, ["127.0.0.9"]);
  mesh.putPolicy(
    deny({ name: "strict", rules: [[[{ ...EMPTY_MATCH, notPrincipals: [{ kind: "presence" }] }]]] }),
  );
  await ended(open);
  await ended(await server.plaintext("127.0.0.9", PORT));
  await eventually(() => server.lines.some((line) => line.includes("explicitly denied by: default/strict")));
  const client = await mesh.pod("client", "127.0.0.2");
  const meshed = await client.connect(`127.0.0.3:${PORT}`);
  assert.equal(await exchange(meshed, "a", 2), "aa");
  meshed.destroy();
});

test("nothing is forwarded to our own ports, and garbage on them is no harm", async () => {
  await using mesh = await createTestMesh();
  const server = await mesh.pod("server", "127.0.0.3");
  const { outbound, inboundPlaintext, inboundHbone } = mesh.ports;
  for (const port of [outbound, inboundPlaintext, inboundHbone])
    await ended(await server.plaintext("127.0.0.9", port));
  assert.equal(
    server.lines.filter((line) => line.includes("attempted recursive call to ourselves")).length,
    3,
  );
  for (const port of [outbound, inboundPlaintext, inboundHbone])
    await ended(await server.connect(`127.0.0.3:${port}`));
  const garbage = connect({ host: "127.0.0.3", port: inboundHbone, localAddress: "127.0.0.9" });
  garbage.write("GET / HTTP/1.1\r\n\r\n");
  await ended(garbage);
  await eventually(() => server.lines.some((line) => line.includes("TLS handshake")));
});

test("a foreign trust domain and a server of another identity are refused", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2", { workload: { trustDomain: "elsewhere" } });
  const server = await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.3", PORT);
  await ended(await client.connect(`127.0.0.3:${PORT}`));
  await eventually(() =>
    server.lines.some((line) => line.includes("did not present the expected trustdomain")),
  );
  mesh.put(meshedPod("client", "127.0.0.2"), meshedPod("server", "127.0.0.3"));
  client.ztunnel.mesh.applyAddresses([
    { kind: "workload", workload: meshedPod("server", "127.0.0.3", { serviceAccount: "impostor" }) },
  ]);
  await ended(await client.connect(`127.0.0.3:${PORT}`));
  await eventually(() => client.lines.some((line) => line.includes("did not present the expected SAN")));
});

test("an application that refuses is told as such, with 503 to the peer", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2");
  const server = await mesh.pod("server", "127.0.0.3");
  await ended(await client.connect(`127.0.0.3:${PORT}`));
  await eventually(() => client.lines.some((line) => line.includes('error="http status: 503"')));
  assert.equal(
    sample(server.metrics(), "istio_tcp_connections_failed_total", { response_flags: "CONNECT" }),
    1,
  );
});
