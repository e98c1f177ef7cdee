/**
 * Delta ADS as a client (reference: protocol §3.1, §3.2): our ztunnel against a foreign istiod, from its first request to the tenth
 * reconnect. What a waypoint of ours asks for beyond that is decision 9's own and no part of Istio's protocol.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { createTemporaryFolder, eventually, type TemporaryFolder } from "@meltemi/testkit";
import { readConfig } from "../../components/ztunnel/src/config.ts";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import {
  ADDRESS,
  AUTHORIZATION,
  type ForeignIstiod,
  policyResource,
  startForeignIstiod,
  workloadResource,
} from "./foreign-istiod.fixture.ts";
import { basicMesh, type OurZtunnel, startOurZtunnel, type ZtunnelOptions } from "./ztunnel.fixture.ts";

const deadline = { timeout: 20_000 };
const env = { CONNECTION_TERMINATION_DEADLINE: "1ms" };

let folder: TemporaryFolder;
let authority: ForeignAuthority;
let istiod: ForeignIstiod;

before(async () => {
  folder = await createTemporaryFolder("xds-client");
  authority = createForeignAuthority();
});
after(async () => {
  await istiod?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});
beforeEach(async () => {
  await istiod?.[Symbol.asyncDispose]();
  istiod = await startForeignIstiod(authority);
});

function start(options: Partial<ZtunnelOptions> = {}): Promise<OurZtunnel> {
  return startOurZtunnel({ istiod, roots: authority.rootPem, env, ...options });
}

const pod = (uid: string, change: Parameters<typeof workloadResource>[0] = {}, version?: string) =>
  workloadResource({ uid, name: uid, namespace: "default", ...change }, version);

function uids(ours: OurZtunnel): string[] {
  const found: string[] = [];
  ours.ztunnel.mesh.current.workloads.forEach((_workload, uid) => void found.push(uid));
  return found.sort();
}

test("§3.1 the first requests: wildcard for both types, node and metadata as istiod reads them, token and cluster", async () => {
  await using _ours = await start({
    env: {
      ...env,
      XDS_HEADER_x_team: "blue",
      ISTIO_META_NETWORK: "net-1",
      ISTIO_METAJSON_LABELS: '{"app":"ztunnel"}',
    },
  });
  const stream = await istiod.stream(1);
  for (const typeUrl of [ADDRESS, AUTHORIZATION]) {
    const request = await stream.initial(typeUrl);
    assert.deepEqual(request.resourceNamesSubscribe, [], "no names: everything");
    assert.deepEqual(request.resourceNamesUnsubscribe, []);
    assert.deepEqual(request.initialResourceVersions, {});
    assert.equal(request.responseNonce, "");
    assert.equal(
      request.node?.id,
      "ztunnel~10.0.0.9~ztunnel-x7k.istio-system~istio-system.svc.cluster.local",
    );
    const metadata = request.node?.metadata ?? {};
    assert.deepEqual(
      { ...metadata },
      {
        NAME: "ztunnel-x7k",
        NAMESPACE: "istio-system",
        INSTANCE_IPS: "10.0.0.9",
        NODE_NAME: "node-a",
        CLUSTER_ID: "cluster-1",
        ISTIO_VERSION: "1.30.3",
        DNS_CAPTURE: "false",
        NETWORK: "net-1",
        LABELS: { app: "ztunnel" },
      },
    );
  }
  assert.deepEqual(stream.metadata.get("authorization"), ["Bearer the-token-of-ztunnel"]);
  assert.deepEqual(stream.metadata.get("clusterid"), ["cluster-1"]);
  assert.deepEqual(stream.metadata.get("x_team"), ["blue"]);
  assert.equal(new Set(stream.requests.map(({ typeUrl }) => typeUrl)).size, 2, "nothing else is asked for");
});

test("§3.1 nothing is served before both types were answered once", deadline, async () => {
  istiod.answersFirst = false;
  await using ours = await start();
  const stream = await istiod.stream(1);
  await stream.initial(AUTHORIZATION);
  await stream.answer(stream.respond(ADDRESS, basicMesh()));
  assert.deepEqual(ours.ztunnel.readiness.pending(), ["state manager"]);
  assert.deepEqual(uids(ours).length, 2);
  await stream.answer(stream.respond(AUTHORIZATION, []));
  await ours.listening;
});

test("§3.1 an ACK is the type and the nonce, and nothing else", async () => {
  await using ours = await start();
  await ours.listening;
  const stream = await istiod.stream(1);
  const ack = await stream.answer(stream.respond(ADDRESS, [pod("a")]));
  assert.deepEqual(
    [ack.typeUrl, ack.errorDetail, ack.node, ack.resourceNamesSubscribe, ack.initialResourceVersions],
    [ADDRESS, undefined, undefined, [], {}],
  );
});

/** A value of no enum that there is today. */
const UNKNOWN = 77 as never;

const REFUSED: readonly (readonly [string, Parameters<typeof workloadResource>[0]])[] = [
  ["a tunnel protocol that ztunnel does not speak", { tunnelProtocol: 2 }],
  ["an unknown tunnel protocol", { tunnelProtocol: UNKNOWN }],
  ["an unknown workload type", { workloadType: UNKNOWN }],
  ["an unknown status", { status: UNKNOWN }],
  ["an unknown network mode", { networkMode: UNKNOWN }],
  ["an address of five bytes", { addresses: [Uint8Array.of(1, 2, 3, 4, 5)] }],
];

for (const [name, fields] of REFUSED)
  test(`§3.1, §3.2 ${name} is refused by name, and the rest of the response holds`, deadline, async () => {
    await using ours = await start();
    await ours.listening;
    const stream = await istiod.stream(1);
    const nack = await stream.answer(stream.respond(ADDRESS, [pod("bad", fields), pod("good")]));
    assert.match(nack.errorDetail?.message ?? "", /^bad: /);
    assert.deepEqual(uids(ours), ["good"]);
  });

test("§3.1 several refusals are joined by semicolons", async () => {
  await using ours = await start();
  await ours.listening;
  const stream = await istiod.stream(1);
  const garbage = { name: "garbage", typeUrl: ADDRESS, value: Uint8Array.of(255, 255) };
  const other = { ...policyResource({ name: "p", namespace: "n" }), name: "other" };
  const nack = await stream.answer(stream.respond(ADDRESS, [garbage, other]));
  assert.match(nack.errorDetail?.message ?? "", /^garbage: .*; other: /);
});

test("§3.2 a field of a later schema costs nothing: unknown fields, unknown application protocols", async () => {
  await using ours = await start();
  await ours.listening;
  const stream = await istiod.stream(1);
  const known = pod("later", {
    services: { "n/h": { ports: [{ servicePort: 80, targetPort: 80, appProtocol: UNKNOWN }] } },
  });
  // Field 99 of Address, as some later istiod may send it.
  const later = { ...known, value: Buffer.concat([known.value, Buffer.from([0x9a, 0x06, 0x01, 0x61])]) };
  assert.equal((await stream.answer(stream.respond(ADDRESS, [later]))).errorDetail, undefined);
  assert.deepEqual(uids(ours), ["later"]);
});

test("§3.1 a type nobody asked for changes nothing, and the stream goes on", async () => {
  await using ours = await start();
  await ours.listening;
  const stream = await istiod.stream(1);
  stream.respond("type.googleapis.com/envoy.config.listener.v3.Listener", [
    { name: "l", typeUrl: "type.googleapis.com/envoy.config.listener.v3.Listener", value: new Uint8Array() },
  ]);
  assert.equal((await stream.answer(stream.respond(ADDRESS, [pod("a")]))).errorDetail, undefined);
  assert.equal(istiod.streams.length, 1);
});

test(
  "§3.1 a mesh in one response, beyond gRPC's own limit of 4 MiB, is taken and acknowledged",
  deadline,
  async () => {
    await using ours = await start();
    await ours.listening;
    const stream = await istiod.stream(1);
    const filler = "x".repeat(400);
    const mesh = Array.from({ length: 12_000 }, (_, index) => pod(`w${index}`, { canonicalName: filler }));
    const ack = await stream.answer(stream.respond(ADDRESS, mesh));
    assert.equal(ack.errorDetail, undefined);
    assert.equal(ours.ztunnel.mesh.current.workloads.size, 12_000);
  },
);

test("§3.2 removals: a workload by its uid, a service by namespace and hostname, an unknown name by nothing", async () => {
  istiod.push(...basicMesh());
  await using ours = await start();
  await ours.listening;
  const stream = await istiod.stream(1);
  const removed = [
    "cluster-1//Pod/default/server",
    "default/shop.default.svc.cluster.local",
    "no/such/thing",
    "x",
  ];
  assert.equal((await stream.answer(stream.respond(ADDRESS, [], removed))).errorDetail, undefined);
  assert.deepEqual(uids(ours), ["cluster-1//Pod/default/client"]);
  assert.equal(ours.ztunnel.mesh.current.services.size, 0);
});

test(
  "§3.1 a reconnect names what it holds with its version; what was refused or removed is asked for again or not named",
  deadline,
  async () => {
    istiod.push(
      pod("kept", {}, "v1"),
      pod("changed", {}, "v1"),
      pod("gone", {}, "v1"),
      pod("refused", {}, "v1"),
    );
    istiod.push(policyResource({ name: "deny", namespace: "default", action: 1 }));
    await using ours = await start();
    await ours.listening;
    const first = await istiod.stream(1);
    await first.answer(
      first.respond(ADDRESS, [pod("changed", {}, "v2"), pod("refused", { tunnelProtocol: 2 }, "v2")]),
    );
    await first.answer(first.respond(ADDRESS, [pod("never", { status: UNKNOWN }, "v1")], ["gone"]));
    istiod.answersFirst = false;
    first.call.end();
    const second = await istiod.stream(2);
    const addresses = await second.initial(ADDRESS);
    assert.deepEqual(addresses.initialResourceVersions, { kept: "v1", changed: "v2", refused: "" });
    assert.ok(addresses.node, "the node is told anew");
    assert.equal(addresses.responseNonce, "");
    assert.deepEqual((await second.initial(AUTHORIZATION)).initialResourceVersions, { "default/deny": "" });
    assert.deepEqual(uids(ours), ["changed", "kept", "refused"], "the mesh stays as it was meanwhile");
    await second.answer(second.respond(ADDRESS, [], ["kept"]));
    assert.deepEqual(uids(ours), ["changed", "refused"]);
  },
);

test("§3.1 it comes back after every end: order, error, refusal, transport, silence", deadline, async () => {
  istiod.push(...basicMesh());
  await using ours = await start();
  await ours.listening;
  const ends: ((call: ForeignIstiod["streams"][number]["call"]) => void)[] = [
    (call) => call.end(),
    (call) => call.emit("error", { code: status.UNAVAILABLE, details: "transport is closing" }),
    (call) => call.emit("error", { code: status.UNAUTHENTICATED, details: "request authenticate failure" }),
    (call) => call.emit("error", { code: status.PERMISSION_DENIED, details: "no" }),
    (call) => call.emit("error", { code: status.INTERNAL, details: "no" }),
  ];
  for (const [index, end] of ends.entries()) {
    end((await istiod.stream(index + 1)).call);
    const next = await istiod.stream(index + 2);
    assert.equal(Object.keys((await next.initial(ADDRESS)).initialResourceVersions).length, 3);
    await next.initial(AUTHORIZATION);
  }
  assert.match(ours.metrics(), /istio_xds_connection_terminations_total\{reason="Complete"\} 1/);
  assert.match(ours.metrics(), /istio_xds_connection_terminations_total\{reason="Reconnect"\} 1/);
  assert.match(ours.metrics(), /istio_xds_connection_terminations_total\{reason="Error"\} 3/);
});

test("§3.1 the token is read again for every stream", deadline, async () => {
  const path = folder.file("token");
  writeFileSync(path, "first\n");
  await using ours = await start({ env: { ...env, AUTH_TOKEN: path } });
  await ours.listening;
  const first = await istiod.stream(1);
  assert.deepEqual(first.metadata.get("authorization"), ["Bearer first"]);
  writeFileSync(path, "second\n");
  first.call.end();
  assert.deepEqual((await istiod.stream(2)).metadata.get("authorization"), ["Bearer second"]);
});

test(
  "§3.1 roots that are replaced hold for the next stream, and a server they do not vouch for is left",
  deadline,
  async () => {
    using other = createForeignAuthority();
    const path = folder.file("root-cert.pem");
    writeFileSync(path, authority.rootPem);
    await using ours = await start({ roots: path });
    await ours.listening;
    await istiod.restart(other);
    await eventually(() => /terminations_total\{reason="ConnectionError"\} [1-9]/.test(ours.metrics()));
    assert.equal(istiod.streams.length, 1, "a server of an unknown authority gets no token");
    writeFileSync(path, other.rootPem);
    await istiod.stream(2);
  },
);

test("§3.1 a server of another name is left, but for ALT_XDS_HOSTNAME", deadline, async () => {
  await using ours = await start({ env: { ...env, ALT_XDS_HOSTNAME: "elsewhere.istio-system.svc" } });
  await eventually(() => /terminations_total\{reason="ConnectionError"\} [1-9]/.test(ours.metrics()));
  assert.equal(istiod.streams.length, 0);
});

test("§3.1 XDS_ON_DEMAND with the DNS proxy is refused at start, in words", () => {
  assert.throws(
    () => readConfig({ XDS_ON_DEMAND: "true", NODE_NAME: "a" }),
    /XDS_ON_DEMAND: expected ISTIO_META_DNS_CAPTURE=false/,
  );
});
