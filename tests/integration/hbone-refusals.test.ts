/** Who is not let in, what is cut, and what time does: certificates, floods, dead peers, drains. */
import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { secureContextOptions, type WorkloadCertificate } from "@meltemi/identity";
import { createFakeClock, createTestAuthority, eventually } from "@meltemi/testkit";
import { CLIENT, Rig, type RigOptions, SERVER } from "./hbone.fixture.ts";

const deadline = { timeout: 30_000 };
const home = createTestAuthority();
const stranger = createTestAuthority();
const foreign = createTestAuthority({ trustDomain: "other.domain" });
const OUTSIDER = { ...CLIENT, trustDomain: "other.domain" };

/** A certificate of a foreign trust domain whose issuer both sides trust. */
const federated: WorkloadCertificate = home.issue(OUTSIDER, {
  uris: ["spiffe://other.domain/ns/a/sa/client"],
});

const HANDSHAKES: readonly (readonly [name: string, rig: RigOptions, stage: string, detail: RegExp])[] = [
  [
    "client of an unknown authority",
    { clientCertificate: stranger.issue(CLIENT, { trust: [home] }) },
    "tls|closed",
    /./,
  ],
  [
    "server of an unknown authority",
    { serverCertificate: stranger.issue(SERVER, { trust: [home] }) },
    "tls",
    /./,
  ],
  ["client of a foreign trust domain", { clientCertificate: federated }, "closed", /./],
  [
    "client of a foreign trust domain and authority",
    { clientCertificate: foreign.issue(OUTSIDER, { trust: [home] }) },
    "tls|closed",
    /./,
  ],
  ["client certificate expired", { clientCertificate: home.expired(CLIENT) }, "tls|closed", /./],
  ["client certificate not yet valid", { clientCertificate: home.notYetValid(CLIENT) }, "tls|closed", /./],
  ["server certificate expired", { serverCertificate: home.expired(SERVER) }, "tls", /expired/],
  [
    "server certificate not yet valid",
    { serverCertificate: home.notYetValid(SERVER) },
    "tls",
    /not yet valid/,
  ],
  [
    "client certificate for servers only",
    { clientCertificate: home.issue(CLIENT, { uses: ["serverAuth"] }) },
    "tls|closed",
    /./,
  ],
  [
    "server certificate for clients only",
    { serverCertificate: home.issue(SERVER, { uses: ["clientAuth"] }) },
    "tls",
    /./,
  ],
  [
    "client certificate without a SPIFFE id",
    { clientCertificate: home.issue(CLIENT, { uris: [] }) },
    "closed",
    /./,
  ],
  [
    "server with another identity",
    { serverCertificate: home.issue(CLIENT) },
    "identity",
    /expected SAN \(spiffe:\/\/cluster.local\/ns\/b\/sa\/server\)/,
  ],
];
for (const [name, options, stage, detail] of HANDSHAKES) {
  test(`refused: ${name}`, deadline, async () => {
    await using rig = await Rig.start({ authority: home, ...options });
    const outcome = await rig.open();
    assert.equal(outcome.kind, "failed", JSON.stringify(outcome));
    if (outcome.kind !== "failed") return;
    assert.match(outcome.stage, new RegExp(`^(?:${stage})$`), outcome.detail);
    assert.match(outcome.detail, detail);
    assert.equal(rig.requests.length, 0);
    // Where the client refuses, the server may have verified a peer that leaves at once.
    const end = await eventually(() => rig.connectionEnds[0]);
    assert.match(
      end?.kind ?? "",
      options.serverCertificate === undefined ? /^refused$/ : /^(refused|closed)$/,
    );
    await eventually(() => rig.pool.connections === 0 && rig.server.connections === 0);
  });
}

const CLIENTS: readonly (readonly [name: string, options: object])[] = [
  ["no client certificate", { key: undefined, cert: undefined }],
  ["no ALPN", { ALPNProtocols: undefined }],
  ["ALPN http/1.1", { ALPNProtocols: ["http/1.1"] }],
  ["TLS 1.2", { minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }],
  ["ChaCha20 only", { ciphers: "TLS_CHACHA20_POLY1305_SHA256" }],
];
for (const [name, options] of CLIENTS) {
  test(`refused: ${name}`, deadline, async () => {
    await using rig = await Rig.start({ authority: home });
    const good = { ...secureContextOptions(home.issue(CLIENT)), ALPNProtocols: ["h2"], secureOptions: 0 };
    const socket = connectTls({
      port: rig.hbonePort,
      host: "127.0.0.1",
      checkServerIdentity: () => undefined,
      ...good,
      ...options,
    });
    socket.on("error", () => {});
    await closed(socket);
    await eventually(() => rig.connectionEnds[0]?.kind === "refused");
    assert.equal(rig.server.connections, 0);
  });
}

test("plain text on the HBONE port is refused", deadline, async () => {
  await using rig = await Rig.start({ authority: home });
  const socket = connectTcp(rig.hbonePort, "127.0.0.1");
  socket.on("error", () => {});
  socket.end("GET / HTTP/1.1\r\n\r\n");
  socket.resume();
  await closed(socket);
  await eventually(() => rig.connectionEnds[0]?.kind === "refused");
});

test("a client that never finishes its handshake is dropped at the deadline", deadline, async () => {
  const clock = createFakeClock();
  await using rig = await Rig.start({ authority: home, clock });
  const socket = connectTcp(rig.hbonePort, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  await eventually(() => clock.pending === 1);
  const gone = closed(socket);
  clock.advance(10_000);
  await gone;
  assert.match(JSON.stringify(rig.connectionEnds), /not finished after 10000 ms/);
});

test("more connections than permitted are closed at once", deadline, async () => {
  await using rig = await Rig.start({ authority: home, server: { maxConnections: 1 } });
  assert.equal((await rig.open()).kind, "open");
  const other = { ...rig.key().destination };
  const refused = await rig.open({ expected: [SERVER, CLIENT], destination: other });
  assert.equal(refused.kind, "failed");
  assert.deepEqual(rig.connectionEnds[0]?.kind === "refused" && rig.connectionEnds[0].stage, "limit");
});

test("no certificate to serve, or to present", deadline, async () => {
  await using rig = await Rig.start({ authority: home, noCertificate: true });
  const outcome = await rig.open();
  assert.deepEqual([outcome.kind, outcome.kind === "failed" && outcome.stage], ["failed", "certificate"]);
});

test("nobody listens, and nobody answers", deadline, async () => {
  const clock = createFakeClock();
  await using rig = await Rig.start({ authority: home, clock });
  const { ip } = rig.key().destination;
  const refused = await rig.open({ destination: { ip, port: 1 } });
  assert.deepEqual([refused.kind, refused.kind === "failed" && refused.stage], ["failed", "connect"]);
  rig.dialsHang = true;
  const waiting = rig.open();
  await eventually(() => clock.pending > 0);
  await clock.settle(10_000);
  const late = await waiting;
  assert.deepEqual([late.kind, late.kind === "failed" && late.stage], ["failed", "connect-timeout"]);
});

test("a caller who gives up waits no longer, and the server hears of it", deadline, async () => {
  await using rig = await Rig.start({
    authority: home,
    onRequest: (request) => void requests.push(request.abandoned),
  });
  const requests: AbortSignal[] = [];
  const giveUp = new AbortController();
  const waiting = rig.open({}, giveUp.signal);
  const abandoned = (await eventually(() => requests[0])) as AbortSignal;
  giveUp.abort();
  assert.deepEqual(await waiting, { kind: "failed", stage: "closed", detail: "given up by the caller" });
  await eventually(() => abandoned.aborted);
  await eventually(() => rig.pool.streams === 0 && rig.server.streams === 0);
});

test("a peer that answers no PING is cut, and its tunnels with it", deadline, async () => {
  const clock = createFakeClock();
  await using rig = await Rig.start({ authority: home, clock });
  const outcome = await rig.open();
  assert.equal(outcome.kind, "open");
  // Answers come while the event loop turns, so a living peer passes any number of probes.
  for (let probe = 0; probe < 5; probe++) {
    clock.advance(10_000);
    await eventually(() => clock.nextInMs === 10_000);
  }
  assert.equal(rig.server.connections, 1);
  // Both probes are due now and no turn of the loop happens before the deadline: the peer is silent.
  clock.advance(30_000);
  await eventually(() => rig.server.connections === 0 && rig.pool.connections === 0);
  assert.match(JSON.stringify(rig.connectionEnds), /keepalive: peer did not answer/);
});

test("an unused connection is released after five minutes, a used one is not", deadline, async () => {
  const clock = createFakeClock();
  await using rig = await Rig.start({
    authority: home,
    clock,
    server: { keepaliveIntervalMs: 1e9 },
    pool: { keepaliveIntervalMs: 1e9 },
  });
  const outcome = await rig.open();
  clock.advance(6 * 60_000);
  assert.equal(rig.pool.connections, 1);
  if (outcome.kind === "open") outcome.channel.abort("policy");
  clock.advance(4 * 60_000);
  assert.equal(rig.pool.connections, 1);
  clock.advance(60_000);
  await eventually(() => rig.pool.connections === 0 && rig.server.connections === 0);
});

test(
  "drain: idle connections go at once, the rest is cut at the deadline and counted",
  deadline,
  async () => {
    const clock = createFakeClock();
    await using rig = await Rig.start({ authority: home, clock });
    await rig.open();
    await rig.open();
    const drained = rig.server.drain(5000);
    await eventually(() => clock.pending > 0);
    clock.advance(5000);
    assert.deepEqual(await drained, { cutStreams: 2 });
    assert.deepEqual(rig.connectionEnds, [{ kind: "aborted" }]);
    await eventually(() => rig.pool.connections === 0);
    assert.deepEqual(await rig.server.drain(5000), { cutStreams: 0 });
  },
);

test("connections of a revoked peer are cut", deadline, async () => {
  await using rig = await Rig.start({ authority: home });
  await rig.open();
  assert.equal(
    rig.server.abortPeers((peer) => peer.identity.serviceAccount === "nobody"),
    0,
  );
  assert.equal(
    rig.server.abortPeers((peer) => peer.identity.serviceAccount === "client"),
    1,
  );
  await eventually(() => rig.pool.connections === 0 && rig.pool.streams === 0);
});

/** `events.once` would reject at the error that comes before. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
