/** Server and client against each other over a real socket; the network namespace passed is this process's own. */

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  connectSeqpacket,
  currentNetworkNamespace,
  listenSeqpacket,
  type SeqpacketConnection,
} from "@meltemi/linux";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createZdsClient, type ZdsHandler } from "./client.ts";
import { encodeAnswer, encodeHello, encodeRequest, type ZdsAnswer } from "./codec.ts";
import type { ZdsPod } from "./pods.ts";
import { createZdsServer, type ZdsServer } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "zds-"));
after(() => rmSync(folder, { recursive: true }));

const log = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => undefined },
  "zds",
);
const ACK: ZdsAnswer = { kind: "ack" };

/** Waits until `condition` holds; the test's own timeout is the deadline. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

interface Agent extends AsyncDisposable {
  readonly path: string;
  readonly server: ZdsServer;
  readonly pods: Map<string, ZdsPod>;
}

let number = 0;
function startAgent(uids: readonly string[] = [], path = join(folder, `${number++}.sock`)): Agent {
  const netns = currentNetworkNamespace();
  const pods = new Map<string, ZdsPod>();
  for (const uid of uids) pods.set(uid, podOf(uid, netns.fd));
  const lookup = { uids: () => [...pods.keys()], find: (uid: string) => pods.get(uid) };
  const server = createZdsServer({ path }, { clock: systemClock, log, pods: lookup });
  const dispose = async (): Promise<void> => {
    server.close();
    netns.close();
  };
  return { path, server, pods, [Symbol.asyncDispose]: dispose };
}

function podOf(uid: string, netnsFd: number | undefined): ZdsPod {
  return { uid, netnsFd, workload: { name: uid, namespace: "default", serviceAccount: "sa" } };
}

interface Ztunnel extends AsyncDisposable {
  readonly seen: string[];
  readonly ended: Promise<void>;
}

function startZtunnel(path: string, answers: Partial<ZdsHandler> = {}): Ztunnel {
  const seen: string[] = [];
  const handler: ZdsHandler = {
    connected: () => void seen.push("connected"),
    add: async (uid, workload, netns) => {
      seen.push(`add ${uid} ${workload.namespace} ${netns.inode > 0n}`);
      netns.close();
      return ACK;
    },
    keep: (uid) => void seen.push(`keep ${uid}`),
    del: async (uid) => {
      seen.push(`del ${uid}`);
      return ACK;
    },
    snapshotSent: async () => {
      seen.push("snapshot");
      return ACK;
    },
    disconnected: () => void seen.push("disconnected"),
    ...answers,
  };
  const stop = new AbortController();
  const client = createZdsClient({ path }, { clock: systemClock, random: () => 0.5, log, handler });
  const ended = client.run(stop.signal);
  const dispose = async (): Promise<void> => {
    stop.abort();
    await ended.catch(() => undefined);
  };
  return { seen, ended, [Symbol.asyncDispose]: dispose };
}

test("a ztunnel gets the snapshot, then adds and removals, each acknowledged", async () => {
  await using agent = startAgent(["one"]);
  agent.pods.set("lost", podOf("lost", undefined));
  await using ztunnel = startZtunnel(agent.path);
  await until(() => ztunnel.seen.includes("snapshot"));
  assert.deepEqual(ztunnel.seen, ["connected", "add one default true", "keep lost", "snapshot"]);
  agent.pods.set("two", podOf("two", agent.pods.get("one")?.netnsFd));
  assert.deepEqual(await agent.server.add("two"), ACK);
  await agent.server.del("one");
  assert.deepEqual(ztunnel.seen.slice(4), ["add two default true", "del one"]);
});

test("a refusal and a throw come back as nacks, and the connection stays", async () => {
  await using agent = startAgent(["one"]);
  const answers = [
    async (): Promise<ZdsAnswer> => ACK,
    async (): Promise<ZdsAnswer> => ({ kind: "nack", why: "not ready" }),
    async (): Promise<ZdsAnswer> => Promise.reject(new Error("failure to start proxy")),
  ];
  let calls = 0;
  await using ztunnel = startZtunnel(agent.path, {
    add: async (_uid, _workload, netns) => {
      netns.close();
      return await (answers[calls++] ?? (async () => ACK))();
    },
  });
  await until(() => ztunnel.seen.includes("snapshot"));
  assert.deepEqual(await agent.server.add("one"), { kind: "nack", why: "not ready" });
  assert.deepEqual(await agent.server.add("one"), { kind: "nack", why: "failure to start proxy" });
  assert.deepEqual(await agent.server.add("one"), ACK);
});

test("adds go to the newest ztunnel alone, removals to all", async () => {
  await using agent = startAgent(["one"]);
  await using old = startZtunnel(agent.path);
  await until(() => old.seen.includes("snapshot"));
  await using fresh = startZtunnel(agent.path);
  await until(() => fresh.seen.includes("snapshot"));
  await agent.server.add("one");
  await agent.server.del("one");
  assert.deepEqual(old.seen.slice(3), ["del one"]);
  assert.deepEqual(fresh.seen.slice(3), ["add one default true", "del one"]);
});

test("without a ztunnel an add is UNAVAILABLE, a pod that is gone is refused, and a lost ztunnel falls back to the older", async () => {
  await using agent = startAgent(["one"]);
  await assert.rejects(agent.server.add("one"), { code: "UNAVAILABLE" });
  await using old = startZtunnel(agent.path);
  await until(() => old.seen.includes("snapshot"));
  {
    await using fresh = startZtunnel(agent.path);
    await until(() => fresh.seen.includes("snapshot"));
  }
  await until(() => agent.server.connections() === 1);
  assert.deepEqual(await agent.server.add("one"), ACK);
  assert.equal((await agent.server.add("unknown")).kind, "nack");
});

test("when the newest ztunnel goes, the one that stays hears of the pods that only the other was told of", async () => {
  await using agent = startAgent(["one"]);
  agent.pods.set("lost", podOf("lost", undefined));
  await using stays = startZtunnel(agent.path);
  await until(() => stays.seen.includes("snapshot"));
  {
    await using goes = startZtunnel(agent.path);
    await until(() => goes.seen.includes("snapshot"));
    agent.pods.set("two", podOf("two", agent.pods.get("one")?.netnsFd));
    await agent.server.add("two");
    assert.ok(!stays.seen.some((line) => line.startsWith("add two")));
  }
  await until(() => stays.seen.length >= 6);
  assert.deepEqual(stays.seen.slice(4), ["add one default true", "add two default true"]);
});

test("the client comes back when the agent does, and gets a fresh snapshot", async () => {
  const first = startAgent(["one"]);
  await using ztunnel = startZtunnel(first.path);
  await until(() => ztunnel.seen.includes("snapshot"));
  await first[Symbol.asyncDispose]();
  await until(() => ztunnel.seen.includes("disconnected"));
  await using second = startAgent(["two"], first.path);
  await until(() => ztunnel.seen.at(-1) === "snapshot" && ztunnel.seen.length > 4);
  assert.deepEqual(ztunnel.seen.slice(4), ["connected", "add two default true", "snapshot"]);
  assert.equal(second.server.connections(), 1);
});

/** A bare peer, to say what no ztunnel would. */
async function barePeer(agent: Agent): Promise<SeqpacketConnection> {
  const peer = connectSeqpacket(agent.path);
  await until(() => agent.server.connections() === 1);
  return peer;
}

for (const { name, bytes } of [
  { name: "a wrong hello", bytes: [Buffer.from([8, 9])] },
  { name: "an answer nobody asked for", bytes: [encodeHello(), encodeAnswer(ACK), encodeAnswer(ACK)] },
  { name: "something else than an ack", bytes: [encodeHello(), Buffer.from([0x12, 0])] },
])
  test(`the server closes on ${name}`, async () => {
    await using agent = startAgent();
    using peer = await barePeer(agent);
    for (const packet of bytes) await peer.send(packet);
    while ((await peer.receive()) !== undefined);
    await until(() => agent.server.connections() === 0);
  });

test("a second snapshot_sent ends the client with PROTOCOL_VIOLATION after a nack", async () => {
  const path = join(folder, "rude.sock");
  using listener = listenSeqpacket({ path, backlog: 1, mode: 0o600 });
  await using ztunnel = startZtunnel(path);
  using agent = await listener.accept();
  for (let i = 0; i < 2; i++) await agent.send(encodeRequest({ kind: "snapshotSent" }));
  await assert.rejects(ztunnel.ended, { code: "PROTOCOL_VIOLATION" });
});

test("descriptors that a ztunnel sends are closed", async () => {
  await using agent = startAgent();
  using peer = await barePeer(agent);
  const path = join(folder, "sent");
  writeFileSync(path, "");
  const fd = openSync(path, "r");
  await peer.send(encodeHello(), [fd, fd, fd]);
  closeSync(fd);
  const heldBySomebody = (): boolean =>
    readdirSync("/proc/self/fd").some((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`) === path;
      } catch {
        // Closed while the folder was read.
        return false;
      }
    });
  await peer.receive();
  assert.equal(heldBySomebody(), false);
});
