/** Revoked peers, both directions (reference: protocol §1.2, §11.3 crl_*): refused in handshakes, cut when the lists change. */

import assert from "node:assert/strict";
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { PEER_REVOKED } from "@meltemi/identity";
import { parseIdentity } from "@meltemi/model";
import { createTemporaryFolder, eventually, type TemporaryFolder } from "@meltemi/testkit";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, type MeshPod } from "./ztunnel-pod.fixture.ts";

const PORT = 8080;
const REJECTIONS = "istio_crl_policy_rejections_total";
const CLOSED = "istio_tcp_connections_closed_total";

const check = (title: string, body: () => Promise<void>): void => void test(title, { timeout: 60_000 }, body);
let folder: TemporaryFolder;
let mesh: Mesh;
let [a, b] = [] as unknown as [MeshNode, MeshNode];
let version = 0;

before(async () => {
  folder = await createTemporaryFolder("ztunnel-crl");
  mesh = await createMesh({
    name: "mlx-crl",
    capture: "nftables",
    env: { CRL_PATH: folder.file("ca-crl.pem") },
  });
  symlinkSync("..data/ca-crl.pem", folder.file("ca-crl.pem"));
  publish(mesh.authority.crlPem());
  a = await mesh.node("a");
  b = await mesh.node("b");
});
after(async () => {
  await mesh?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

/** As a kubelet updates the mounted ConfigMap `istio-ca-crl`. */
function publish(text: string): void {
  const old = version === 0 ? undefined : readlinkSync(folder.file("..data"));
  const next = `..v${++version}`;
  mkdirSync(folder.file(next));
  writeFileSync(folder.file(`${next}/ca-crl.pem`), text);
  symlinkSync(next, folder.file("..data_tmp"));
  renameSync(folder.file("..data_tmp"), folder.file("..data"));
  if (old !== undefined) rmSync(folder.file(old), { recursive: true });
}

/** The certificate that this pod presents now is put on the list. */
async function revoke(node: MeshNode, pod: MeshPod): Promise<void> {
  const identity = parseIdentity(`spiffe://cluster.local/ns/default/sa/${pod.name}`);
  assert.ok(identity !== undefined);
  const certificate = await node.proxy.certificates.get(identity, "realtime");
  mesh.authority.revoke(certificate.leaf);
}

async function publishRevoked(): Promise<void> {
  const inForce = (node: MeshNode): number =>
    node.proxy.lines.filter((line) => line.includes("revocation lists in force")).length;
  const before = [inForce(a), inForce(b)];
  publish(mesh.authority.crlPem());
  await eventually(() => [a, b].every((node, index) => inForce(node) > (before[index] ?? 0)), {
    deadlineMs: 10_000,
  });
}

async function pairOf(name: string): Promise<{ readonly client: MeshPod; readonly server: MeshPod }> {
  const [client, server] = [await a.pod(`${name}-client`), await b.pod(`${name}-server`)];
  await server.serve(PORT);
  return { client, server };
}

check("inbound: a client whose certificate is revoked is refused", async () => {
  const { client, server } = await pairOf("in-new");
  await revoke(a, client);
  await publishRevoked();
  const [source, destination] = [a.proxy.watch(), b.proxy.watch()];
  assert.doesNotMatch(await client.call(server.ipv4, PORT), /hello/);
  await destination.line({ direction: "inbound", error: PEER_REVOKED });
  await destination.counted(REJECTIONS, { reporter: "destination" }, 1);
  assert.equal(source.count(REJECTIONS), 0);
});

check("outbound: a server whose certificate is revoked is refused", async () => {
  const { client, server } = await pairOf("out-new");
  await revoke(b, server);
  await publishRevoked();
  const [source, destination] = [a.proxy.watch(), b.proxy.watch()];
  assert.doesNotMatch(await client.call(server.ipv4, PORT), /hello/);
  await source.line({ direction: "outbound", error: PEER_REVOKED, "src.workload": client.name });
  await source.counted(REJECTIONS, { reporter: "source" }, 1);
  await source.counted(CLOSED, { response_flags: "CERT_REVOKED", source_workload: client.name }, 1);
  assert.equal(destination.count(REJECTIONS), 0);
});

check("inbound: an open connection of a client is cut when its certificate is revoked", async () => {
  const { client, server } = await pairOf("in-open");
  const other = await a.pod("in-open-other");
  using open = await client.connect(server.ipv4, PORT);
  using unaffected = await other.connect(server.ipv4, PORT);
  await open.exchange("one");
  await unaffected.exchange("one");
  const watch = b.proxy.watch();
  await revoke(a, client);
  await publishRevoked();
  await open.over;
  await watch.line({ direction: "inbound", error: PEER_REVOKED, "src.workload": client.name });
  await watch.counted(REJECTIONS, { reporter: "destination" }, 1);
  await watch.counted(CLOSED, { response_flags: "CERT_REVOKED", source_workload: client.name }, 1);
  await unaffected.exchange("two");
  assert.doesNotMatch(await client.call(server.ipv4, PORT), /hello/);
  assert.equal(await other.call(server.ipv4, PORT), ANSWER);
});

check("outbound: an open connection to a server is cut when its certificate is revoked", async () => {
  const { client, server } = await pairOf("out-open");
  const other = await b.pod("out-open-other");
  await other.serve(PORT);
  using open = await client.connect(server.ipv6, PORT);
  using unaffected = await client.connect(other.ipv4, PORT);
  await open.exchange("one");
  await unaffected.exchange("one");
  const watch = a.proxy.watch();
  await revoke(b, server);
  await publishRevoked();
  await open.over;
  await watch.line({ direction: "outbound", error: PEER_REVOKED, "src.workload": client.name });
  await watch.counted(REJECTIONS, { reporter: "source" }, 1);
  await watch.counted(CLOSED, { response_flags: "CERT_REVOKED", source_workload: client.name }, 1);
  await unaffected.exchange("two");
  assert.doesNotMatch(await client.call(server.ipv4, PORT), /hello/);
});

check("an unreadable file changes nothing, and the last good one stays in force", async () => {
  const { client, server } = await pairOf("broken");
  await revoke(a, client);
  await publishRevoked();
  publish("not a list");
  const complaint = (node: MeshNode): boolean =>
    node.proxy.lines.some((line) => /revocation lists refused.*the last good ones/.test(line));
  await eventually(() => [a, b].every(complaint), { deadlineMs: 10_000 });
  const watch = b.proxy.watch();
  assert.doesNotMatch(await client.call(server.ipv4, PORT), /hello/);
  await watch.line({ direction: "inbound", error: PEER_REVOKED });
});

check("a list without them lets them in again", async () => {
  const { client, server } = await pairOf("again");
  const empty = mesh.authority.crlPem();
  await revoke(a, client);
  await publishRevoked();
  assert.doesNotMatch(await client.call(server.ipv4, PORT), /hello/);
  publish(empty);
  await eventually(async () => (await client.call(server.ipv4, PORT)) === ANSWER, { deadlineMs: 10_000 });
});
