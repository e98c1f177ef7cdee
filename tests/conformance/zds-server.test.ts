/**
 * ZDS as a server (reference: protocol §3.5): what our node agent sends to a foreign ztunnel, packet by packet. The foreign side is a
 * bare SOCK_SEQPACKET socket with bytes made by hand. ZDS as a client needs namespaces: tests/network-namespaces/zds-agent.test.ts.
 */

import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import {
  closeFd,
  connectSeqpacket,
  currentNetworkNamespace,
  type NetworkNamespace,
  type Packet,
  type SeqpacketConnection,
} from "@meltemi/linux";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createTemporaryFolder, eventually, type TemporaryFolder } from "@meltemi/testkit";
import { createZdsServer, type ZdsPod, type ZdsServer } from "@meltemi/zds";
import { ACK, add, del, type ForeignPod, HELLO, keep, nack, SNAPSHOT_SENT } from "./zds-bytes.fixture.ts";

const deadline = { timeout: 20_000 };
const log = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: Date.now, write: () => undefined },
  "zds",
);

let folder: TemporaryFolder;
let netns: NetworkNamespace;
let path: string;
let agent: ZdsServer;
let pods: Map<string, ZdsPod>;
let count = 0;

before(async () => {
  folder = await createTemporaryFolder("zds-server");
  netns = currentNetworkNamespace();
});
after(async () => {
  agent?.close();
  netns?.close();
  await folder?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  agent?.close();
  path = folder.file(`${++count}.sock`);
  pods = new Map();
  agent = startAgent();
});

function startAgent(): ZdsServer {
  const known = { uids: () => [...pods.keys()], find: (uid: string) => pods.get(uid) };
  return createZdsServer({ path }, { clock: systemClock, log, pods: known });
}

function foreignPod(uid: string): ForeignPod {
  return { uid, name: `pod-${uid}`, namespace: "demo", serviceAccount: "web" };
}

/** "lost": the agent has no handle of its namespace any more. */
function put(uid: string, namespace: "held" | "lost" = "held"): ForeignPod {
  const pod = foreignPod(uid);
  pods.set(uid, { uid, netnsFd: namespace === "held" ? netns.fd : undefined, workload: pod });
  return pod;
}

interface ForeignZtunnel extends Disposable {
  readonly socket: SeqpacketConnection;
  next(): Promise<Packet>;
  /** Waits for a packet of exactly these bytes with so many descriptors, and acknowledges it. */
  expect(bytes: Buffer, fds?: number): Promise<void>;
}

function connect(): ForeignZtunnel {
  const socket = connectSeqpacket(path);
  const next = async (): Promise<Packet> => {
    const packet = await socket.receive();
    assert.ok(packet, "the agent closed the connection");
    return packet;
  };
  return {
    socket,
    next,
    async expect(bytes, fds = 0) {
      const packet = await next();
      assert.deepEqual(Buffer.from(packet.bytes).toString("hex"), bytes.toString("hex"));
      assert.ok(packet.bytes.length <= 1024);
      assert.equal(packet.fds.length, fds);
      for (const fd of packet.fds) {
        assert.equal(
          fstatSync(fd, { bigint: true }).ino,
          netns.inode,
          "the descriptor is the pod's namespace",
        );
        closeFd(fd);
      }
      await socket.send(ACK);
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

async function greeted(): Promise<ForeignZtunnel> {
  const before = agent.connections();
  const ztunnel = connect();
  await ztunnel.socket.send(HELLO);
  await eventually(() => agent.connections() > before);
  return ztunnel;
}

test(
  "§3.5 after the hello the snapshot: add with its namespace, keep without a handle, then snapshot_sent",
  deadline,
  async () => {
    const pod = put("u1");
    put("u2", "lost");
    using ztunnel = await greeted();
    await ztunnel.expect(add(pod), 1);
    await ztunnel.expect(keep("u2"));
    await ztunnel.expect(SNAPSHOT_SENT);
  },
);

test(
  "§3.5 nothing is said before the hello, and one request is outstanding at a time",
  deadline,
  async () => {
    put("u1");
    put("u2");
    using ztunnel = connect();
    await eventually(() => agent.connections() === 1);
    const first = ztunnel.next();
    let early = false;
    void first.then(() => {
      early = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(early, false);
    await ztunnel.socket.send(HELLO);
    for (const fd of (await first).fds) closeFd(fd);
    const second = ztunnel.next();
    const race = await Promise.race([
      second.then(() => "second"),
      new Promise((resolve) => setImmediate(resolve, "none")),
    ]);
    assert.equal(race, "none");
    await ztunnel.socket.send(ACK);
    for (const fd of (await second).fds) closeFd(fd);
  },
);

test(
  "§3.5 a pod that comes, a pod that goes: add with one descriptor, del with the uid as field 2",
  deadline,
  async () => {
    using ztunnel = await greeted();
    await ztunnel.expect(SNAPSHOT_SENT);
    const pod = put("u1");
    const added = agent.add("u1");
    await ztunnel.expect(add(pod), 1);
    assert.deepEqual(await added, { kind: "ack" });
    const removed = agent.del("u1");
    await ztunnel.expect(del("u1"));
    await removed;
  },
);

test("§3.5 a nack comes to who asked, with its words, and the connection stays", deadline, async () => {
  using ztunnel = await greeted();
  await ztunnel.expect(SNAPSHOT_SENT);
  put("u1");
  const added = agent.add("u1");
  for (const fd of (await ztunnel.next()).fds) closeFd(fd);
  await ztunnel.socket.send(nack("failure to start proxy : no"));
  assert.deepEqual(await added, { kind: "nack", why: "failure to start proxy : no" });
  const again = agent.add("u1");
  await ztunnel.expect(add(foreignPod("u1")), 1);
  assert.deepEqual(await again, { kind: "ack" });
});

test("§3.5 two ztunnels: new pods to the newest alone, removals to both", deadline, async () => {
  using old = await greeted();
  await old.expect(SNAPSHOT_SENT);
  using young = await greeted();
  await young.expect(SNAPSHOT_SENT);
  const pod = put("u1");
  const added = agent.add("u1");
  await young.expect(add(pod), 1);
  await added;
  const removed = agent.del("u1");
  // The old one hears of the removal first of all: the add was not for it.
  await Promise.all([old.expect(del("u1")), young.expect(del("u1"))]);
  await removed;
});

test("§3.5 when the newest goes, the older one takes new pods again", deadline, async () => {
  using old = await greeted();
  await old.expect(SNAPSHOT_SENT);
  const young = await greeted();
  await young.expect(SNAPSHOT_SENT);
  young.socket.close();
  await eventually(() => agent.connections() === 1);
  const pod = put("u1");
  const added = agent.add("u1");
  await old.expect(add(pod), 1);
  await added;
});

test(
  "§3.5 a ztunnel that comes back, and an agent that comes back: a whole snapshot each time",
  deadline,
  async () => {
    const pod = put("u1");
    const first = await greeted();
    await first.expect(add(pod), 1);
    await first.expect(SNAPSHOT_SENT);
    first.socket.close();
    await eventually(() => agent.connections() === 0);
    {
      using second = await greeted();
      await second.expect(add(pod), 1);
      await second.expect(SNAPSHOT_SENT);
      agent.close();
      assert.equal(await second.socket.receive(), undefined);
    }
    // On the same path, where a crashed agent may have left its socket.
    agent = startAgent();
    using third = await greeted();
    await third.expect(add(pod), 1);
    await third.expect(SNAPSHOT_SENT);
  },
);

test("§3.5 names as long as Kubernetes permits still fit a packet of 1024 bytes", deadline, async () => {
  const uid = "0b5c8a6e-6a53-4f55-9a70-9d6d8e4fd5d1";
  const pod = { uid, name: "p".repeat(253), namespace: "n".repeat(63), serviceAccount: "s".repeat(253) };
  pods.set(uid, { uid, netnsFd: netns.fd, workload: pod });
  using ztunnel = await greeted();
  await ztunnel.expect(add(pod), 1);
});

const VIOLATIONS: readonly (readonly [string, (ztunnel: ForeignZtunnel) => Promise<void>])[] = [
  ["a hello of an unknown version", ({ socket }) => socket.send(Buffer.from([0x08, 0x02]))],
  ["a hello that is none", ({ socket }) => socket.send(Buffer.from("hello"))],
  ["an answer that nobody asked for", spokenUnasked],
  ["an answer that is no ack", wrongAnswer],
];

async function spokenUnasked(ztunnel: ForeignZtunnel): Promise<void> {
  await ztunnel.socket.send(HELLO);
  await ztunnel.expect(SNAPSHOT_SENT);
  await ztunnel.socket.send(ACK);
}

async function wrongAnswer(ztunnel: ForeignZtunnel): Promise<void> {
  await ztunnel.socket.send(HELLO);
  await ztunnel.next();
  await ztunnel.socket.send(Buffer.from([0xff, 0xff]));
}

for (const [name, violate] of VIOLATIONS)
  test(`§3.5 ${name} ends the connection, and another one is served`, deadline, async () => {
    using ztunnel = connect();
    await eventually(() => agent.connections() === 1);
    await violate(ztunnel).catch((error: NodeJS.ErrnoException) =>
      assert.match(error.message, /EPIPE|ECONNRESET/),
    );
    await eventually(() => agent.connections() === 0);
    using other = await greeted();
    await other.expect(SNAPSHOT_SENT);
  });
