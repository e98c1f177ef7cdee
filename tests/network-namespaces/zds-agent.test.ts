/**
 * ZDS as a client (reference: protocol §3.5): the real ztunnel process in a pod's namespace, between a foreign node agent that speaks by
 * hand-made packets, and a control plane. The other side of it is tests/conformance/zds-server.test.ts.
 */

import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { listenSeqpacket, type SeqpacketConnection, type SeqpacketListener } from "@meltemi/linux";
import { newWorkload } from "@meltemi/model";
import {
  createNetnsLab,
  createTemporaryFolder,
  createTestAuthority,
  eventually,
  type NetnsLab,
  type TemporaryFolder,
} from "@meltemi/testkit";
import {
  ACK,
  add,
  addWithoutInfo,
  del,
  type ForeignPod,
  HELLO,
  keep,
  SNAPSHOT_SENT,
} from "../conformance/zds-bytes.fixture.ts";
import { createMeshPod, type MeshPod } from "./ztunnel-pod.fixture.ts";
import {
  type ControlPlane,
  spawnZtunnel,
  startControlPlane,
  type ZtunnelProcess,
} from "./ztunnel-process.fixture.ts";

const NAME = "mlx-zds";
const deadline = { timeout: 60_000 };
const POD: ForeignPod = { uid: "u1", name: "web", namespace: "default", serviceAccount: "web" };
const OTHER: ForeignPod = { ...POD, uid: "u2", name: "other", serviceAccount: "other" };

let lab: NetnsLab;
let folder: TemporaryFolder;
let pods: Readonly<Record<"ztunnel" | "web" | "other", MeshPod>>;
let controlPlane: ControlPlane;
let listener: SeqpacketListener;
let ztunnel: ZtunnelProcess;
let agent: SeqpacketConnection;

before(async () => {
  lab = await createNetnsLab(NAME);
  folder = await createTemporaryFolder(NAME);
  const node = await lab.node("a");
  const make = async (name: string, namespace = "default"): Promise<MeshPod> => {
    const place = await node.pod(name);
    const addresses = [place.ipv4, place.ipv6];
    const fields = { uid: `pod-${name}`, name, namespace, serviceAccount: name, node: "a" };
    return createMeshPod(place, newWorkload({ ...fields, addresses, tunnelProtocol: "hbone" }));
  };
  pods = {
    ztunnel: await make("ztunnel", "istio-system"),
    web: await make("web"),
    other: await make("other"),
  };
  controlPlane = await startControlPlane(createTestAuthority(), pods.ztunnel.netns);
  controlPlane.put(...Object.values(pods).map(({ workload }) => workload));
});
after(async () => {
  for (const pod of Object.values(pods ?? {})) pod[Symbol.dispose]();
  await controlPlane?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  listener = listenSeqpacket({ path: folder.file("zds.sock"), backlog: 8, mode: 0o600 });
  ztunnel = spawnZtunnel(pods.ztunnel.place, "a", folder.file("zds.sock"));
  agent = await greet();
});
afterEach(async () => {
  agent?.close();
  listener?.close();
  ztunnel?.kill("SIGKILL");
  await ztunnel?.ended;
});

/** Takes ztunnel's connection and its hello. */
async function greet(): Promise<SeqpacketConnection> {
  const connection = await listener.accept(AbortSignal.timeout(20_000));
  const hello = await connection.receive(AbortSignal.timeout(10_000));
  assert.equal(Buffer.from(hello?.bytes ?? []).toString("hex"), HELLO.toString("hex"));
  assert.deepEqual(hello?.fds, []);
  return connection;
}

/** Sends a request and gives its answer. */
async function ask(bytes: Buffer, fds: readonly number[] = []): Promise<Buffer> {
  await agent.send(bytes, fds);
  const answer = await agent.receive(AbortSignal.timeout(20_000));
  assert.ok(answer, "ztunnel closed the connection");
  return Buffer.from(answer.bytes);
}

async function acknowledged(bytes: Buffer, fds: readonly number[] = []): Promise<void> {
  assert.equal((await ask(bytes, fds)).toString("hex"), ACK.toString("hex"));
}

async function isReady(): Promise<boolean> {
  const request = "GET /healthz/ready HTTP/1.1\r\nhost: z\r\nconnection: close\r\n\r\n";
  return / 200 /.test(await pods.ztunnel.call(pods.ztunnel.ipv4, 15021, request));
}

/** Whether ztunnel listens for HBONE inside the pod. */
async function serves(pod: MeshPod): Promise<boolean> {
  const { stdout } = await pod.place.run(["ss", "-Hltn", "sport", "=", ":15008"]);
  return stdout.includes(":15008");
}

const fdsOf = (pod: MeshPod): readonly number[] => [pod.netns.fd];

test(
  "§3.5 hello; a pod with its namespace is served and acknowledged; ready once the snapshot is complete",
  deadline,
  async () => {
    await acknowledged(add(POD), fdsOf(pods.web));
    assert.equal(await serves(pods.web), true, "before the acknowledgement");
    assert.equal(await isReady(), false);
    await acknowledged(SNAPSHOT_SENT);
    await eventually(isReady);
    await acknowledged(add(POD), fdsOf(pods.web));
    await acknowledged(add(OTHER), fdsOf(pods.other));
    assert.equal(await serves(pods.other), true);
    await acknowledged(del(OTHER.uid));
    await eventually(async () => !(await serves(pods.other)));
    await acknowledged(del("never-heard-of"));
    assert.equal(await serves(pods.web), true);
  },
);

test(
  "§3.5 the agent goes: ready and serving on; it comes back: keep holds a pod, silence drains it",
  deadline,
  async () => {
    await acknowledged(add(POD), fdsOf(pods.web));
    await acknowledged(add(OTHER), fdsOf(pods.other));
    await acknowledged(SNAPSHOT_SENT);
    await eventually(isReady);
    agent.close();
    await eventually(() => ztunnel.lines.some((line) => line.includes("node agent disconnected")));
    assert.equal(await isReady(), true, "a DaemonSet that is being updated deletes old pods that are not");
    assert.deepEqual([await serves(pods.web), await serves(pods.other)], [true, true]);
    agent = await greet();
    await acknowledged(keep(POD.uid));
    await acknowledged(keep("never-heard-of"));
    assert.equal(await serves(pods.other), true, "until the snapshot is complete");
    await acknowledged(SNAPSHOT_SENT);
    await eventually(async () => !(await serves(pods.other)));
    assert.equal(await serves(pods.web), true);
  },
);

test("§3.5 the same uid in another namespace replaces the old one", deadline, async () => {
  await acknowledged(add(POD), fdsOf(pods.web));
  await acknowledged(SNAPSHOT_SENT);
  await acknowledged(add(POD), fdsOf(pods.other));
  assert.equal(await serves(pods.other), true);
  await eventually(async () => !(await serves(pods.web)));
});

test(
  "§3.5 a pod that cannot be served: a nack with the reason, and the connection stays",
  deadline,
  async () => {
    await acknowledged(SNAPSHOT_SENT);
    await eventually(isReady);
    const noNamespace = openSync("/dev/null", "r");
    const answer = await ask(add(POD), [noNamespace]);
    closeSync(noNamespace);
    assert.equal(answer[0], ACK[0]);
    assert.ok(answer.length > ACK.length, "Ack.error is not empty");
    await acknowledged(add(OTHER), fdsOf(pods.other));
  },
);

const VIOLATIONS: readonly (readonly [string, () => Promise<Buffer>])[] = [
  ["add without workload_info", () => ask(addWithoutInfo("u1"), fdsOf(pods.web))],
  ["add without a descriptor", () => ask(add(POD))],
  ["add with two descriptors", () => ask(add(POD), [pods.web.netns.fd, pods.other.netns.fd])],
  ["del with a descriptor", () => ask(del("u1"), fdsOf(pods.web))],
  ["keep after the snapshot", () => acknowledged(SNAPSHOT_SENT).then(() => ask(keep("u1")))],
  ["a second snapshot_sent", () => acknowledged(SNAPSHOT_SENT).then(() => ask(SNAPSHOT_SENT))],
];

for (const [name, violate] of VIOLATIONS)
  test(`§3.5 ${name}: a nack, and the process ends with 1`, deadline, async () => {
    const answer = await violate();
    assert.ok(answer.length > ACK.length, answer.toString("hex"));
    assert.equal(await ztunnel.ended, 1, ztunnel.lines.join("\n"));
  });
