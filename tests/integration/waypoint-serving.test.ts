/** What a waypoint serves and what it refuses, over real tunnels, to real HTTP servers. */

import assert from "node:assert/strict";
import { Agent, createServer as createHttpServer, get, type IncomingMessage } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { createTestAuthority } from "@meltemi/testkit";
import { CLIENT, clusterOf, Scene, servedOf, WAYPOINT } from "./waypoint.fixture.ts";

/** An application on all loopback addresses. */
async function application(scene: Scene, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  scene.onDispose(() => {
    if ("closeAllConnections" in server)
      (server as ReturnType<typeof createHttpServer>).closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function http1(name: string): Server {
  return createHttpServer((request, response) => {
    response.setHeader("x-app", name);
    response.setHeader("x-id", request.headers["x-request-id"] ?? "none");
    request.pipe(response);
  });
}

const agent = new Agent({ keepAlive: true });

function fetchHead(port: number, path = "/"): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(
      { host: "127.0.0.1", port, path, agent, headers: { host: "reviews" } },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response));
      },
    );
    request.once("error", reject);
  });
}

test("HTTP/1.1 requests of one connection reach every endpoint, by tunnels of the waypoint's own identity", async () => {
  await using scene = await Scene.start();
  const port = await application(scene, http1("app"));
  const pods = [scene.endpoint("a", "127.0.1.1", port), scene.endpoint("b", "127.0.1.2", port)];
  const proxies = await Promise.all(pods.map((pod) => scene.nodeProxy(pod)));
  scene.put(...pods);
  const entry = await scene.entry("10.96.0.1:80");
  for (let count = 0; count < 4; count++) {
    const { statusCode, headers } = await fetchHead(entry);
    assert.deepEqual([statusCode, headers["x-app"], headers["x-id"]], [200, "app", "the-request-id"]);
  }
  for (const { callers } of proxies) assert.deepEqual(callers, [WAYPOINT]);
});

test("HTTP/2 is spoken with endpoints as with the client, also where the port says nothing", async () => {
  await using scene = await Scene.start();
  const http2 = createHttp2Server();
  http2.on("stream", (stream, headers) => {
    stream.respond({ ":status": 200, "x-path": headers[":path"] ?? "" });
    stream.pipe(stream);
  });
  const port = await application(scene, http2 as unknown as Server);
  const pod = scene.endpoint("a", "127.0.1.3", port);
  await scene.nodeProxy(pod);
  scene.put(pod);
  for (const to of ["10.96.0.1:80", "10.96.0.1:81", "reviews.default.svc.cluster.local:80"]) {
    const session = connectHttp2(`http://127.0.0.1:${await scene.entry(to)}`);
    const stream = session.request({ ":path": "/x", ":method": "POST" });
    stream.end("body");
    const [path, body] = await new Promise<[unknown, string]>((resolve, reject) => {
      let head: unknown;
      let text = "";
      stream.on("response", (headers) => {
        head = headers["x-path"];
      });
      stream.on("data", (chunk: Buffer) => {
        text += chunk;
      });
      stream.on("end", () => resolve([head, text]));
      stream.on("error", reject);
    });
    assert.deepEqual([path, body], ["/x", "body"]);
    session.close();
  }
});

test("bytes of a TCP port, and what is no HTTP on a port that says nothing, are carried", async () => {
  await using scene = await Scene.start();
  const port = await application(
    scene,
    createTcpServer((socket) => socket.pipe(socket)),
  );
  const pod = scene.endpoint("a", "127.0.1.4", port);
  await scene.nodeProxy(pod);
  scene.put(pod);
  for (const to of ["10.96.0.1:81", "10.96.0.1:82"]) {
    const socket = connect(await scene.entry(to), "127.0.0.1");
    socket.end("\x00\x01 bytes");
    let text = "";
    for await (const chunk of socket) text += chunk;
    assert.equal(text, "\x00\x01 bytes");
  }
});

test("a bound pod is served by its address; one that is not bound is refused", async () => {
  await using scene = await Scene.start();
  const port = await application(scene, http1("direct"));
  const reference = {
    destination: { kind: "address", network: "", ip: scene.endpoint("w", "127.0.0.1", 1).addresses[0] },
    hbonePort: 15008,
  };
  const self = scene.endpoint("waypoint-1", "127.0.0.1", 1, {
    serviceAccount: "waypoint",
    services: new Map(),
  });
  const pod = scene.endpoint("a", "127.0.1.5", port, { waypoint: reference as never });
  const other = scene.endpoint("b", "127.0.1.6", port);
  await scene.nodeProxy(pod);
  scene.put(self, pod, other);
  const { statusCode, headers } = await fetchHead(await scene.entry(`127.0.1.5:${port}`));
  assert.deepEqual([statusCode, headers["x-app"]], [200, "direct"]);
  const pool = scene.pool();
  for (const [to, status] of [
    [`127.0.1.6:${port}`, 400],
    ["127.0.0.1:15008", 503],
  ] as const) {
    const outcome = await scene.tunnel(pool, to);
    assert.ok(outcome.kind === "refused");
    assert.equal(outcome.status, status);
  }
});

test("what is not served is refused by status; what is served a moment later is not", async () => {
  await using scene = await Scene.start();
  const pool = scene.pool();
  for (const [to, status] of [
    ["10.96.0.1:99", 503],
    ["10.96.7.7:80", 400],
    ["unknown.example:80", 503],
    ["nonsense", 400],
  ] as const) {
    const outcome = await scene.tunnel(pool, to);
    assert.ok(outcome.kind === "refused", to);
    assert.equal(outcome.status, status, to);
  }
  const served = servedOf();
  const late = scene.tunnel(pool, "10.96.0.1:83");
  scene.serve({ ...served, ports: served.ports.map((port) => ({ ...port, port: port.port + 1 })) });
  assert.equal((await late).kind, "open");
});

test("clients of the mesh and of its aliases are let in, others are not", async () => {
  await using scene = await Scene.start({ trustDomainAliases: ["old.example"] });
  const from = async (trustDomain: string) =>
    (await scene.tunnel(scene.pool({ ...CLIENT, trustDomain }), "10.96.0.1:80")).kind;
  assert.equal(await from("cluster.local"), "open");
  assert.equal(await from("old.example"), "open");
  assert.equal(await from("other.example"), "failed");
  const stranger = await scene.tunnel(scene.pool(CLIENT, createTestAuthority()), "10.96.0.1:80");
  assert.equal(stranger.kind, "failed");
});

test("an endpoint that presents another workload's identity gets no request", async () => {
  await using scene = await Scene.start();
  const port = await application(scene, http1("impostor"));
  const pod = scene.endpoint("a", "127.0.1.7", port);
  await scene.nodeProxy(pod, { ...CLIENT, serviceAccount: "impostor" });
  scene.put(pod);
  assert.equal((await fetchHead(await scene.entry("10.96.0.1:80"))).statusCode, 503);
});

test("endpoints outside the mesh, by address or by name, are reached in plaintext", async () => {
  await using scene = await Scene.start();
  const port = await application(scene, http1("plain"));
  const plain = { tunnelProtocol: "none" } as const;
  scene.put(scene.endpoint("a", "127.0.1.8", port, plain));
  const entry = await scene.entry("10.96.0.1:80");
  assert.equal((await fetchHead(entry)).headers["x-app"], "plain");
  scene.put(scene.endpoint("a", "127.0.1.8", port, { ...plain, addresses: [], hostname: "db.example" }));
  assert.equal((await fetchHead(entry)).headers["x-app"], "plain");
});

test("TLS is begun inside the tunnel; a server of another name is not spoken to", async () => {
  await using scene = await Scene.start();
  const roots = createTestAuthority();
  const server = createTlsServer(roots.serverPem("reviews.default.svc.cluster.local"), (socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nx-app: tls\r\ncontent-length: 0\r\n\r\n"));
  });
  const port = await application(scene, server);
  const pod = scene.endpoint("a", "127.0.1.10", port);
  await scene.nodeProxy(pod);
  scene.put(pod);
  const entry = await scene.entry("10.96.0.1:80");
  const tls = {
    mode: "simple",
    caCertificates: roots.rootPem,
    subjectAltNames: [],
    skipVerify: false,
  } as const;
  for (const [subjectAltNames, status] of [
    [[], 200],
    [["reviews.default.svc.cluster.local"], 200],
    [["other.example"], 503],
  ] as const) {
    scene.serve(servedOf({ clusters: [clusterOf({ tls: { ...tls, subjectAltNames } })] }));
    assert.equal((await fetchHead(entry)).statusCode, status, subjectAltNames.join());
  }
  scene.serve(servedOf({ clusters: [clusterOf({ tls: { ...tls, caCertificates: "no PEM" } })] }));
  assert.equal((await fetchHead(entry)).statusCode, 503);
});

test("PROXY protocol goes before everything else and names the client of a TCP connection", async () => {
  await using scene = await Scene.start();
  const port = await application(
    scene,
    createTcpServer((socket) => socket.pipe(socket)),
  );
  const pod = scene.endpoint("a", "127.0.1.11", port);
  await scene.nodeProxy(pod);
  scene.put(pod);
  scene.serve(servedOf({ clusters: [clusterOf({ proxyProtocol: "v1" })] }));
  const socket = connect(await scene.entry("10.96.0.1:82"), "127.0.0.1");
  socket.end("bytes");
  let text = "";
  for await (const chunk of socket) text += chunk;
  assert.match(text, new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.1\\.11 [1-9]\\d* ${port}\r\nbytes$`));
});
