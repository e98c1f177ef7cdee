/**
 * HBONE as a client (reference: protocol §1): what our ztunnel says to a foreign server, what it believes of it, and what an
 * application hears of the server's answers.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { constants } from "node:http2";
import type { Socket } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from "node:tls";
import { eventually } from "@meltemi/testkit";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import { echo, type ForeignHboneServer, startForeignHboneServer } from "./foreign-hbone-server.fixture.ts";
import { type ForeignIstiod, startForeignIstiod } from "./foreign-istiod.fixture.ts";
import {
  FOREIGN_ADDRESS,
  identityOf,
  OUR_ADDRESS,
  type OurZtunnel,
  startScene,
  type ZtunnelOptions,
} from "./ztunnel.fixture.ts";

const MIB = 1024 * 1024;
const TARGET = `${FOREIGN_ADDRESS}:8080`;
const deadline = { timeout: 20_000 };

let authority: ForeignAuthority;
let istiod: ForeignIstiod;
let ours: OurZtunnel;

before(async () => {
  authority = createForeignAuthority();
  istiod = await startForeignIstiod(authority);
});
after(async () => {
  await ours?.[Symbol.asyncDispose]();
  await istiod?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});
// A fresh pool for every test.
beforeEach(async () => {
  await ours?.[Symbol.asyncDispose]();
  ours = await startOurs();
});

function startOurs(options: Partial<ZtunnelOptions> = {}): Promise<OurZtunnel> {
  return startScene(authority, istiod, { env: { CONNECTION_TERMINATION_DEADLINE: "1ms" }, ...options });
}

function foreignServer(
  options: Parameters<typeof startForeignHboneServer>[2] = {},
  credentials = authority.issue(`URI:${identityOf("server")}`),
): Promise<ForeignHboneServer> {
  return startForeignHboneServer(ours.ports.inboundHbone, credentials, options);
}

function exchange(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = "";
    socket.on("data", (chunk: Buffer) => {
      got += String(chunk);
      if (got.length >= text.length) resolve(got);
    });
    socket.once("close", () => reject(new Error(`closed after ${got.length} bytes`)));
    socket.write(text);
  });
}

function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (socket.closed) return Promise.resolve();
  // An end is answered, as a program would that sees one.
  socket.once("end", () => socket.end());
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

async function failed(): Promise<string> {
  await closed(await ours.connect(TARGET));
  return await eventually(() => ours.lines.find((line) => line.includes("error=")));
}

test("§1.1 TLS 1.3, h2 alone, no SNI, the workload's certificate with its intermediate", async () => {
  await using server = await foreignServer();
  const socket = await ours.connect(TARGET);
  assert.equal(await exchange(socket, "x"), "x");
  const peer = server.sessions[0]?.socket as TLSSocket;
  assert.equal(peer.getProtocol(), "TLSv1.3");
  assert.equal(peer.alpnProtocol, "h2");
  assert.ok(!peer.servername, `SNI ${String(peer.servername)}`);
  assert.equal(peer.isSessionReused(), false);
  assert.equal(peer.getPeerCertificate().subjectaltname, `URI:${identityOf("client")}`);
  assert.equal(peer.authorized, true);
  socket.destroy();
});

test("§1.4 CONNECT names the pod's address and target port; baggage, forwarded and traceparent as ztunnel's", async () => {
  await using server = await foreignServer();
  const socket = await ours.connect("10.96.0.7:80");
  assert.equal(await exchange(socket, "x"), "x");
  const headers = server.tunnels[0]?.headers ?? {};
  const names = Object.keys(headers).filter((name) => name !== ":method");
  assert.deepEqual(names.sort(), [":authority", "baggage", "forwarded", "traceparent"]);
  assert.equal(headers[":method"], "CONNECT");
  assert.equal(headers[":authority"], TARGET);
  assert.equal(
    headers["baggage"],
    "k8s.cluster.name=cluster-1,k8s.namespace.name=default,k8s.deployment.name=shop-deployment,service.name=shop,service.version=v7,cloud.region=r1,cloud.availability_zone=z1",
  );
  assert.equal(
    headers["forwarded"],
    `for="${OUR_ADDRESS}:${socket.localPort}";host=shop.default.svc.cluster.local`,
  );
  assert.match(String(headers["traceparent"]), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  socket.destroy();
});

test("§1.4 addressed by its own address, a workload's service is not named", async () => {
  await using server = await foreignServer();
  const socket = await ours.connect(TARGET);
  assert.equal(await exchange(socket, "x"), "x");
  assert.match(String(server.tunnels[0]?.headers["forwarded"]), /^for="127\.\d+\.\d+\.\d+:\d+"$/);
  socket.destroy();
});

test("§1.6 settings: no push, 4 MiB and 16 MiB windows, frames of 1 MiB, 16 KiB of headers", async () => {
  await using server = await foreignServer();
  const socket = await ours.connect(TARGET);
  assert.equal(await exchange(socket, "x"), "x");
  const [session] = server.sessions;
  const { enablePush, initialWindowSize, maxFrameSize, maxHeaderListSize } = session?.remoteSettings ?? {};
  assert.deepEqual(
    { enablePush, initialWindowSize, maxFrameSize, maxHeaderListSize },
    { enablePush: false, initialWindowSize: 4 * MIB, maxFrameSize: MIB, maxHeaderListSize: 16_384 },
  );
  await eventually(() => (session?.state.remoteWindowSize ?? 0) > 16 * MIB - 100);
  const payload = Buffer.from("12345678");
  const pong = new Promise<Buffer>((resolve, reject) =>
    session?.ping(payload, (error, _ms, echoed) => (error ? reject(error) : resolve(echoed))),
  );
  assert.deepEqual(await pong, payload);
  socket.destroy();
});

const IDENTITIES: readonly (readonly [string, () => ReturnType<ForeignAuthority["issue"]>, RegExp])[] = [
  [
    "another service account",
    () => authority.issue(`URI:${identityOf("intruder")}`),
    /identity verification error: peer did not present the expected SAN \(spiffe:\/\/cluster\.local\/ns\/default\/sa\/server\), got/,
  ],
  ["no SPIFFE name", () => authority.issue("DNS:server.default"), /expected SAN/],
  ["another trust domain", () => authority.issue(`URI:${identityOf("server", "other")}`), /expected SAN/],
  [
    "a certificate that has expired",
    () => authority.issue(`URI:${identityOf("server")}`, { days: -1 }),
    /expired/,
  ],
  [
    "a certificate for clients only",
    () => authority.issue(`URI:${identityOf("server")}`, { uses: "clientAuth" }),
    /./,
  ],
  ["an unknown authority", () => strangers(), /./],
];

function strangers(): ReturnType<ForeignAuthority["issue"]> {
  using stranger = createForeignAuthority();
  return { ...stranger.issue(`URI:${identityOf("server")}`), ca: authority.rootPem };
}

for (const [name, credentials, detail] of IDENTITIES)
  test(`§1.1 a server with ${name} is sent nothing`, deadline, async () => {
    await using server = await foreignServer({}, credentials());
    assert.match(await failed(), detail);
    assert.equal(server.tunnels.length, 0);
  });

test("§1.1 any SPIFFE name of the certificate may be the expected one", async () => {
  const names = `URI:spiffe://cluster.local/ns/x/sa/y,URI:${identityOf("server")}`;
  await using _server = await foreignServer({}, authority.issue(names));
  const socket = await ours.connect(TARGET);
  assert.equal(await exchange(socket, "x"), "x");
  socket.destroy();
});

const HANDSHAKES: readonly (readonly [string, TlsOptions])[] = [
  ["offers only HTTP/1.1", { ALPNProtocols: ["http/1.1"] }],
  ["knows no ALPN", {}],
  ["speaks only TLS 1.2", { ALPNProtocols: ["h2"], maxVersion: "TLSv1.2" }],
];

for (const [name, options] of HANDSHAKES)
  test(`§1.1 a server that ${name} is sent nothing`, deadline, async () => {
    const sent: Buffer[] = [];
    const credentials = authority.issue(`URI:${identityOf("server")}`);
    const server = createTlsServer({ ...credentials, ...options }, (socket) => {
      socket.on("error", () => undefined).on("data", (chunk: Buffer) => sent.push(chunk));
    });
    server.on("tlsClientError", () => undefined).listen(ours.ports.inboundHbone, FOREIGN_ADDRESS);
    await once(server, "listening");
    await failed();
    assert.equal(Buffer.concat(sent).length, 0);
    server.close();
  });

for (const [status, flag] of [
  [400, "CONNECT"],
  [401, "DENY"],
  [403, "CONNECT"],
  [404, "CONNECT"],
  [503, "CONNECT"],
  [201, "CONNECT"],
] as const)
  test(`§1.5 ${status}: the application's connection is closed, and the log says why`, deadline, async () => {
    await using server = await foreignServer();
    server.serve = ({ stream }) => stream.respond({ ":status": status }, { endStream: true });
    assert.match(await failed(), new RegExp(`http status: ${status}`));
    assert.match(
      ours.metrics(),
      new RegExp(`istio_tcp_connections_failed_total\\{[^}]*response_flags="${flag}"`),
    );
    server.serve = echo;
    const socket = await ours.connect(TARGET);
    assert.equal(await exchange(socket, "x"), "x");
    assert.equal(server.sessions.length, 1, "a refused request costs no connection");
    socket.destroy();
  });

test("§1.7 one connection carries all streams to a peer, until the server's limit", deadline, async () => {
  await using server = await foreignServer();
  const sockets = await Promise.all(Array.from({ length: 90 }, () => ours.connect(TARGET)));
  await Promise.all(sockets.map((socket) => exchange(socket, "x")));
  assert.equal(server.sessions.length, 1);
  for (const socket of sockets) socket.destroy();
});

for (const [limit, streams, connections] of [
  [1, 4, 4],
  [5, 12, 3],
  [100, 150, 2],
  [1000, 150, 2],
] as const)
  test(
    `§1.7 MAX_CONCURRENT_STREAMS ${limit}: ${streams} streams take ${connections} connections`,
    deadline,
    async () => {
      await using server = await foreignServer({ settings: { maxConcurrentStreams: limit } });
      const first = await ours.connect(TARGET);
      assert.equal(await exchange(first, "x"), "x");
      const rest = await Promise.all(Array.from({ length: streams - 1 }, () => ours.connect(TARGET)));
      await Promise.all(rest.map((socket) => exchange(socket, "x")));
      assert.equal(server.sessions.length, connections);
      for (const socket of [first, ...rest]) socket.destroy();
    },
  );

test("§1.7 GOAWAY: streams go on, the next one takes a new connection", deadline, async () => {
  await using server = await foreignServer();
  const first = await ours.connect(TARGET);
  assert.equal(await exchange(first, "before"), "before");
  server.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR);
  await eventually(async () => {
    const socket = await ours.connect(TARGET);
    await exchange(socket, "x");
    socket.destroy();
    return server.sessions.length === 2;
  });
  first.removeAllListeners("data");
  assert.equal(await exchange(first, "after"), "after");
  first.destroy();
});

test("§1.7 a stream refused unseen (REFUSED_STREAM) is tried elsewhere", deadline, async () => {
  await using server = await foreignServer();
  let refused = 0;
  server.serve = (tunnel) => {
    if (refused++ === 0) tunnel.stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else echo(tunnel);
  };
  const socket = await ours.connect(TARGET);
  assert.equal(await exchange(socket, "x"), "x");
  assert.equal(server.tunnels.length, 2);
  socket.destroy();
});

test("§1.8 a server that resets a stream breaks off that connection alone", deadline, async () => {
  await using server = await foreignServer();
  const [broken, whole] = [await ours.connect(TARGET), await ours.connect(TARGET)];
  assert.equal(await exchange(broken, "a"), "a");
  assert.equal(await exchange(whole, "b"), "b");
  server.tunnels[0]?.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  await closed(broken);
  whole.removeAllListeners("data");
  assert.equal(await exchange(whole, "still"), "still");
  whole.destroy();
});

test(
  "§1.8 a server that vanishes breaks off its connections, and the next is a new one",
  deadline,
  async () => {
    await using server = await foreignServer();
    const socket = await ours.connect(TARGET);
    assert.equal(await exchange(socket, "a"), "a");
    server.sessions[0]?.socket.destroy();
    await closed(socket);
    const again = await ours.connect(TARGET);
    assert.equal(await exchange(again, "b"), "b");
    again.destroy();
  },
);

test("§1.8 half-close both ways, and 20 MiB through the server's default windows", deadline, async () => {
  await using server = await foreignServer();
  const socket = await ours.connect(TARGET);
  socket.end(Buffer.alloc(20 * MIB, 4));
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  assert.equal(bytes, 20 * MIB);

  server.serve = ({ stream }) => {
    stream.respond({ ":status": 200 });
    stream.resume();
    stream.end("the server's last word");
  };
  const other = await ours.connect(TARGET);
  const [word] = (await once(other, "data")) as [Buffer];
  assert.equal(String(word), "the server's last word");
  const stream = server.tunnels.at(-1)?.stream;
  assert.ok(stream);
  const heard = once(stream, "data");
  other.end("and the client's");
  assert.equal(String((await heard)[0]), "and the client's");
});

test("§1.8 an application that breaks off resets its stream", deadline, async () => {
  await using server = await foreignServer();
  const socket = await ours.connect(TARGET);
  assert.equal(await exchange(socket, "a"), "a");
  socket.resetAndDestroy();
  const stream = server.tunnels[0]?.stream;
  await eventually(() => stream?.closed === true || stream?.aborted === true);
});

test(
  "RFC 9113: what an Envoy says besides is taken: extended CONNECT offered, 1xx, headers of its own, trailers",
  deadline,
  async () => {
    await using server = await foreignServer({
      settings: { enableConnectProtocol: true, maxConcurrentStreams: 100 },
    });
    server.serve = ({ stream }) => {
      stream.additionalHeaders({ ":status": 103 });
      stream.respond(
        { ":status": 200, "x-envoy-upstream-service-time": "1", server: "envoy" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "1" }));
      stream.pipe(stream);
    };
    const socket = await ours.connect(TARGET);
    socket.end("with trailers");
    assert.equal(String(Buffer.concat(await socket.toArray())), "with trailers");
    assert.equal(server.tunnels[0]?.headers[":protocol"], undefined);
  },
);
