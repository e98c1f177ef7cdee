/**
 * HBONE at our waypoint (reference: protocol §1.3, §1.4, §1.6, §12): tunnels as Istio's ztunnel opens them to a waypoint, by node:http2, and
 * a foreign ztunnel behind it that ends the waypoint's own.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  createSecureServer,
  type IncomingHttpHeaders,
} from "node:http2";
import { after, before, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { secureContextOptions } from "@meltemi/identity";
import { type Identity, workloadIdentity } from "@meltemi/model";
import { CLIENT, Scene } from "../integration/waypoint.fixture.ts";

const deadline = { timeout: 20_000 };
const BACKEND = "127.0.1.7";
const APP_PORT = 9080;
/** As Istio's ztunnel: who the client is, whom it called, a trace that is only a log id. */
const ZTUNNEL_HEADERS = {
  baggage:
    "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client,service.name=client",
  forwarded: 'for="10.0.0.1:41250";host=reviews.default.svc.cluster.local',
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
};

let scene: Scene;
/** Heads of the tunnels that the foreign ztunnel was asked for. */
const tunnels: IncomingHttpHeaders[] = [];
let backendCallers: string[];

before(async () => {
  scene = await Scene.start();
  const workload = scene.endpoint("reviews-1", BACKEND, APP_PORT);
  scene.put(workload);
  backendCallers = [];
  await startForeignZtunnel(workloadIdentity(workload));
});
after(() => scene?.[Symbol.asyncDispose]());

function credentials(identity: Identity) {
  const { key, cert, ca } = secureContextOptions(scene.authority.issue(identity));
  return { key, cert, ca, minVersion: "TLSv1.3" } as const;
}

/** Answers each tunnel as the application would: one HTTP/1.1 answer. */
async function startForeignZtunnel(identity: Identity): Promise<void> {
  const server = createSecureServer({
    ...credentials(identity),
    requestCert: true,
    rejectUnauthorized: true,
  } as object);
  server.on("session", (session) => {
    backendCallers.push((session.socket as TLSSocket).getPeerCertificate().subjectaltname ?? "");
    session.on("error", () => undefined);
    scene.onDispose(() => session.destroy());
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    tunnels.push(headers);
    stream.respond({ ":status": 200, baggage: "k8s.namespace.name=default,k8s.deployment.name=reviews-1" });
    stream.once("data", () => stream.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  });
  server.on("sessionError", () => undefined).on("tlsClientError", () => undefined);
  server.listen(scene.endpointPort, BACKEND);
  await once(server, "listening");
  scene.onDispose(() => server.close());
}

function tls(identity: Identity, change: object = {}): TLSSocket {
  const socket = connectTls({
    host: "127.0.0.1",
    servername: "",
    port: scene.waypoint.hbonePort ?? 0,
    ...credentials(identity),
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
    ...change,
  });
  return socket.on("error", () => undefined);
}

async function session(): Promise<ClientHttp2Session> {
  const socket = tls(CLIENT);
  await once(socket, "secureConnect");
  const client = connectHttp2("https://waypoint", { createConnection: () => socket });
  client.on("error", () => undefined);
  await once(client, "remoteSettings");
  return client;
}

function open(client: ClientHttp2Session, authority: string, method = "CONNECT"): ClientHttp2Stream {
  const path = method === "CONNECT" ? {} : { ":path": "/" };
  const stream = client.request({ ":method": method, ...path, ":authority": authority, ...ZTUNNEL_HEADERS });
  return stream.on("error", () => undefined);
}

async function statusOf(stream: ClientHttp2Stream): Promise<number | undefined> {
  const [headers] = (await once(stream, "response")) as [{ ":status"?: number }];
  return headers[":status"];
}

async function get(stream: ClientHttp2Stream): Promise<string> {
  stream.write("GET / HTTP/1.1\r\nhost: reviews\r\n\r\n");
  let text = "";
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.includes("\r\n\r\n")) break;
  }
  return text.slice(0, text.indexOf("\r\n"));
}

test(
  "§1.4, §12 a service's address as authority: 200, a request inside, and on to the endpoint with the waypoint's identity",
  deadline,
  async () => {
    const client = await session();
    assert.ok((client.remoteSettings.maxConcurrentStreams ?? 0) >= 100, "what Istio's ztunnel opens at once");
    const stream = open(client, "10.96.0.1:80");
    assert.equal(await statusOf(stream), 200);
    assert.equal(await get(stream), "HTTP/1.1 200 OK");
    const [headers] = tunnels;
    assert.equal(headers?.[":method"], "CONNECT");
    assert.equal(headers?.[":authority"], `${BACKEND}:${APP_PORT}`);
    assert.deepEqual(backendCallers, ["URI:spiffe://cluster.local/ns/default/sa/waypoint"]);
    client.destroy();
  },
);

const ANSWERS: readonly (readonly [string, string, number])[] = [
  ["the service by name, as another network asks", "reviews.default.svc.cluster.local:80", 200],
  ["a name nobody has", "nobody.default.svc.cluster.local:80", 503],
  ["a port that the service does not have", "10.96.0.1:9999", 503],
  ["an address nobody has", "10.250.0.1:80", 400],
  ["no port", "10.96.0.1", 400],
];

for (const [name, authority, status] of ANSWERS)
  test(`§1.5, §12 ${name}: ${status}`, deadline, async () => {
    const client = await session();
    assert.equal(await statusOf(open(client, authority)), status);
    client.destroy();
  });

test("§1.5 any method but CONNECT: 400", async () => {
  const client = await session();
  assert.equal(await statusOf(open(client, "10.96.0.1:80", "GET")), 400);
  client.destroy();
});

const STRANGERS: readonly (readonly [string, () => TLSSocket])[] = [
  ["no certificate", () => tls(CLIENT, { key: undefined, cert: undefined })],
  ["another trust domain", () => tls({ ...CLIENT, trustDomain: "other.domain" })],
  ["TLS 1.2", () => tls(CLIENT, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })],
  ["HTTP/1.1", () => tls(CLIENT, { ALPNProtocols: ["http/1.1"] })],
];

for (const [name, connect] of STRANGERS)
  test(`§1.3 refused without an answer: ${name}`, deadline, async () => {
    const socket = connect();
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await new Promise((resolve) => socket.once("close", resolve));
    assert.equal(bytes, 0);
  });

test(
  "§1.3 an endpoint that shows another identity is not given the request, although Istio's waypoint would",
  deadline,
  async () => {
    const impostor = scene.endpoint("impostor", "127.0.1.8", APP_PORT);
    const before = tunnels.length;
    scene.tell({
      kind: "address",
      upserts: [],
      removedNames: [scene.endpoint("reviews-1", BACKEND, APP_PORT).uid],
    });
    // The foreign ztunnel's certificate is of reviews-1.
    scene.put({ ...impostor, addresses: scene.endpoint("reviews-1", BACKEND, APP_PORT).addresses });
    const client = await session();
    const stream = open(client, "10.96.0.1:80");
    assert.equal(await statusOf(stream), 200);
    assert.equal(await get(stream), "HTTP/1.1 503 Service Unavailable");
    assert.equal(tunnels.length, before);
    client.destroy();
  },
);
