/**
 * HBONE as a server, who is let in and what is answered (reference: protocol §1.1, §1.4, §1.5, §5.4): our ztunnel's port 15008
 * against a foreign client with certificates by openssl.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { eventually } from "@meltemi/testkit";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import { answerOf, open, read, session, statusOf, tls } from "./foreign-hbone-client.fixture.ts";
import {
  AUTHORIZATION,
  type ForeignIstiod,
  policyResource,
  serviceResource,
  startForeignIstiod,
} from "./foreign-istiod.fixture.ts";
import {
  basicMesh,
  identityOf,
  OUR_ADDRESS,
  type OurZtunnel,
  startApplication,
  startScene,
} from "./ztunnel.fixture.ts";

const deadline = { timeout: 20_000 };

let authority: ForeignAuthority;
let istiod: ForeignIstiod;
let ours: OurZtunnel;
let app: Awaited<ReturnType<typeof startApplication>>;
/** What the application does with its next connections. */
let serve: (socket: Socket) => void;
const echo = (socket: Socket): void => void socket.pipe(socket);
const call = (where = ours) => ({ authority, ours: where });

before(async () => {
  authority = createForeignAuthority();
  istiod = await startForeignIstiod(authority);
  app = await startApplication(OUR_ADDRESS, (socket) => serve(socket));
  istiod.push(
    serviceResource({
      name: "web",
      namespace: "default",
      hostname: "web.default.svc.cluster.local",
      // A named port: the endpoint knows its number.
      ports: [{ servicePort: 80, targetPort: 0 }],
    }),
  );
  ours = await startScene(authority, istiod, {}, basicMesh(app.port));
});
after(async () => {
  await ours?.[Symbol.asyncDispose]();
  await istiod?.[Symbol.asyncDispose]();
  await app?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});

test("§1.1 TLS 1.3 with AES-GCM and h2; the workload's own certificate with its intermediates, without SNI", async () => {
  const socket = tls(call());
  await once(socket, "secureConnect");
  assert.equal(socket.getProtocol(), "TLSv1.3");
  assert.match(socket.getCipher().name, /^TLS_AES_(128|256)_GCM_SHA(256|384)$/);
  assert.equal(socket.alpnProtocol, "h2");
  assert.equal(socket.authorized, true, String(socket.authorizationError));
  assert.equal(socket.getPeerCertificate().subjectaltname, `URI:${identityOf("client")}`);
  socket.destroy();
});

const TLS_REFUSALS: readonly (readonly [string, () => ConnectionOptions])[] = [
  ["no client certificate", () => ({ cert: undefined, key: undefined }) as ConnectionOptions],
  ["a certificate of an unknown authority", () => strangerCredentials()],
  ["a certificate that has expired", () => authority.issue(`URI:${identityOf("peer")}`, { days: -1 })],
  [
    "a certificate for servers only",
    () => authority.issue(`URI:${identityOf("peer")}`, { uses: "serverAuth" }),
  ],
  ["another trust domain", () => authority.issue(`URI:${identityOf("peer", "other.domain")}`)],
  ["a certificate without SPIFFE name", () => authority.issue("DNS:peer.default")],
  ["a malformed SPIFFE name", () => authority.issue("URI:spiffe://cluster.local/ns/default/sa/a/b")],
  ["TLS 1.2", () => ({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })],
  ["ChaCha20 alone", () => ({ ciphers: "TLS_CHACHA20_POLY1305_SHA256" })],
  ["no ALPN", () => ({ ALPNProtocols: [] })],
  ["HTTP/1.1 as ALPN", () => ({ ALPNProtocols: ["http/1.1"] })],
];

function strangerCredentials(): ConnectionOptions {
  using stranger = createForeignAuthority();
  const { key, cert } = stranger.issue(`URI:${identityOf("peer")}`);
  return { key, cert };
}

for (const [name, change] of TLS_REFUSALS)
  test(`§1.1 refused without an answer: ${name}`, deadline, async () => {
    const socket = tls(call(), change());
    const seen: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => seen.push(chunk));
    await new Promise((resolve) => socket.once("close", resolve));
    assert.equal(Buffer.concat(seen).length, 0, "nothing of HTTP/2 is said to a peer who is not verified");
  });

test("§1.5 a CONNECT to the pod's own address: 200 once the application is connected, with the workload's baggage", async () => {
  serve = echo;
  const client = await session(call());
  const headers = {
    baggage:
      "k8s.cluster.name=c,k8s.namespace.name=ns,k8s.deployment.name=d,service.name=s,service.version=v,x=y",
    forwarded: 'for="10.1.1.1:4000";host=web.default.svc.cluster.local',
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
  };
  const stream = open(client, `${OUR_ADDRESS}:${app.port}`, headers);
  const answer = await answerOf(stream);
  assert.equal(answer[":status"], 200);
  assert.equal(
    answer["baggage"],
    "k8s.cluster.name=cluster-1,k8s.namespace.name=default,k8s.deployment.name=shop-deployment,service.name=shop,service.version=v7,cloud.region=r1,cloud.availability_zone=z1",
  );
  stream.end("hello");
  assert.equal(String(await read(stream)), "hello");
  await eventually(() => /istio_tcp_connections_closed_total\{[^}]*source_workload="d"/.test(ours.metrics()));
  const line =
    ours
      .metrics()
      .split("\n")
      .find((one) => one.includes('source_workload="d"')) ?? "";
  for (const label of [
    'source_cluster="c"',
    'source_workload_namespace="ns"',
    'source_canonical_service="s"',
    'source_version="v"',
  ])
    assert.ok(line.includes(label), `${label} in ${line}`);
  assert.ok(line.includes(`source_principal="${identityOf("peer")}"`), "who it is comes from TLS");
  client.destroy();
});

const STATUSES: readonly (readonly [name: string, authority: () => string, status: number])[] = [
  ["hostname and service port of an own service", () => `web.default.svc.cluster.local:80`, 200],
  ["another pod's address", () => `${FAR}:80`, 400],
  ["no port", () => OUR_ADDRESS, 400],
  ["port zero", () => `${OUR_ADDRESS}:0`, 400],
  ["a port too large", () => `${OUR_ADDRESS}:65536`, 400],
  ["no host", () => ":80", 400],
  ["IPv6 without brackets", () => "fd00::1:80", 400],
  ["an unknown hostname", () => "nobody.default.svc.cluster.local:80", 503],
  ["a port that the service does not have", () => "web.default.svc.cluster.local:81", 503],
  ["our own HBONE port", () => `${OUR_ADDRESS}:${ours.ports.inboundHbone}`, 503],
  ["our own outbound port", () => `${OUR_ADDRESS}:${ours.ports.outbound}`, 503],
  ["our own plaintext port", () => `${OUR_ADDRESS}:${ours.ports.inboundPlaintext}`, 503],
  ["nobody listens", () => `${OUR_ADDRESS}:1`, 503],
];
const FAR = "127.0.0.77";

for (const [name, authorityText, status] of STATUSES)
  test(`§1.5 ${name}: ${status}`, deadline, async () => {
    serve = (socket) => socket.end();
    const client = await session(call());
    const stream = open(client, authorityText());
    const answer = await answerOf(stream);
    assert.equal(answer[":status"], status);
    if (status !== 200) assert.equal(answer["baggage"], undefined, "an error carries no baggage");
    client.destroy();
  });

test("§1.5 any method but CONNECT: 400, whatever the authority", async () => {
  const client = await session(call());
  for (const method of ["GET", "POST", "OPTIONS", "HEAD"]) {
    const stream = client.request({ ":method": method, ":path": "/", ":authority": "nobody" });
    assert.equal((await answerOf(stream))[":status"], 400, method);
    stream.close();
  }
  client.destroy();
});

test(
  "§1.5 the order of checks: destination before policy, policy before the application",
  deadline,
  async () => {
    const deny = (port: number) =>
      policyResource({
        name: "deny",
        namespace: "default",
        scope: 1,
        action: 1,
        rules: [{ clauses: [{ matches: [{ destinationPorts: [port] }] }] }],
      });
    istiod.push(deny(1));
    const client = await session(call());
    await eventually(async () => (await statusOf(client, `${OUR_ADDRESS}:1`)) === 401);
    assert.equal(await statusOf(client, `${FAR}:1`), 400, "ip mismatch comes first");
    assert.equal(
      await statusOf(client, "nobody.default.svc.cluster.local:1"),
      503,
      "an unknown hostname comes first",
    );
    assert.equal(await statusOf(client, `${OUR_ADDRESS}:2`), 503, "allowed, and nobody listens");
    istiod.remove(AUTHORIZATION, "default/deny");
    await eventually(async () => (await statusOf(client, `${OUR_ADDRESS}:1`)) === 503);
    assert.match(ours.metrics(), /istio_tcp_connections_closed_total\{[^}]*response_flags="DENY"/);
    client.destroy();
  },
);

test("§1.5 the address of a service whose waypoint this pod is, is its own to serve", deadline, async () => {
  serve = echo;
  istiod.push(
    serviceResource({
      name: "through",
      namespace: "default",
      hostname: "through.default.svc.cluster.local",
      addresses: [{ network: "", address: Uint8Array.of(10, 96, 0, 44) }],
      ports: [{ servicePort: app.port, targetPort: app.port }],
      waypoint: {
        destination: { case: "address", value: { network: "", address: Uint8Array.of(127, 0, 0, 2) } },
        hboneMtlsPort: 15008,
      },
    }),
  );
  const client = await session(call());
  await eventually(async () => (await statusOf(client, `10.96.0.44:${app.port}`)) === 200);
  client.destroy();
});

test("§5.4 a policy that comes later closes the stream that it denies", deadline, async () => {
  serve = echo;
  const client = await session(call());
  const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
  assert.equal((await answerOf(stream))[":status"], 200);
  istiod.push(
    policyResource({
      name: "late",
      namespace: "default",
      scope: 1,
      action: 1,
      rules: [
        {
          clauses: [
            {
              matches: [
                { principals: [{ matchType: { case: "exact", value: identityOf("peer").slice(9) } }] },
              ],
            },
          ],
        },
      ],
    }),
  );
  await new Promise((resolve) => stream.once("close", resolve));
  assert.equal(await statusOf(client, `${OUR_ADDRESS}:${app.port}`), 401);
  istiod.remove(AUTHORIZATION, "default/late");
  client.destroy();
});
