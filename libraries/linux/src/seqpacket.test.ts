import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { errnoName } from "./failure.ts";
import { connectSeqpacket, listenSeqpacket, type SeqpacketConnection } from "./seqpacket.ts";
import { MAX_PACKET_BYTES } from "./seqpacket-message.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "seqpacket-"));
});
after(() => rmSync(folder, { recursive: true }));

let count = 0;
async function pair(): Promise<{ client: SeqpacketConnection; server: SeqpacketConnection } & Disposable> {
  using listener = listenSeqpacket({ path: join(folder, `${count++}.sock`), backlog: 4, mode: 0o600 });
  const accepting = listener.accept();
  const client = connectSeqpacket(join(folder, `${count - 1}.sock`));
  const server = await accepting;
  const close = (): void => {
    client.close();
    server.close();
  };
  return { client, server, [Symbol.dispose]: close };
}

test("a descriptor travels with its bytes and opens the same file", async () => {
  using sockets = await pair();
  const fd = openSync(folder, "r");
  const receiving = sockets.server.receive();
  await sockets.client.send(Buffer.from("here"), [fd]);
  const packet = await receiving;
  assert.ok(packet !== undefined && !packet.truncated);
  assert.equal(Buffer.from(packet.bytes).toString(), "here");
  const [passed] = packet.fds;
  assert.ok(passed !== undefined && passed !== fd && packet.fds.length === 1);
  assert.equal(fstatSync(passed).ino, fstatSync(fd).ino);
  closeSync(passed);
  closeSync(fd);
});

test("messages keep their boundaries and order, both ways", async () => {
  using sockets = await pair();
  for (const word of ["a", "bb", "ccc"]) await sockets.client.send(Buffer.from(word));
  for (const word of ["a", "bb", "ccc"])
    assert.equal(Buffer.from((await sockets.server.receive())?.bytes ?? []).toString(), word);
  await sockets.server.send(Buffer.from("back"));
  assert.equal(Buffer.from((await sockets.client.receive())?.bytes ?? []).toString(), "back");
});

test("more descriptors than expected are flagged, and every one received is handed over", async () => {
  using sockets = await pair();
  const fds = [1, 2, 3, 4].map(() => openSync(folder, "r"));
  await sockets.client.send(Buffer.from("x"), fds);
  const packet = await sockets.server.receive();
  assert.equal(packet?.fds.length, 4);
  for (const fd of [...fds, ...(packet?.fds ?? [])]) closeSync(fd);
});

test("a packet beyond the limit is refused before it is sent", async () => {
  using sockets = await pair();
  const tooLong = sockets.client.send(Buffer.alloc(MAX_PACKET_BYTES + 1));
  await assert.rejects(tooLong, { code: "LIMIT_EXCEEDED" });
  await assert.rejects(sockets.client.send(Buffer.alloc(0)), { code: "LIMIT_EXCEEDED" });
});

test("a full queue holds the sender back until the peer reads", async () => {
  using sockets = await pair();
  const total = 2000;
  let sent = 0;
  const sending = (async (): Promise<void> => {
    for (; sent < total; sent++) await sockets.client.send(Buffer.alloc(MAX_PACKET_BYTES, sent % 251));
  })();
  for (let received = 0; received < total; received++)
    assert.equal((await sockets.server.receive())?.bytes[0], received % 251);
  await sending;
});

test("the peer's close is the end for the reader and EPIPE for the writer", async () => {
  using sockets = await pair();
  const receiving = sockets.server.receive();
  sockets.client.close();
  assert.equal(await receiving, undefined);
  await assert.rejects(sockets.server.send(Buffer.from("x")), (error) => errnoName(error) === "EPIPE");
});

test("closing or aborting ends a pending receive", async () => {
  using sockets = await pair();
  const stop = new AbortController();
  const aborted = sockets.server.receive(stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const closed = sockets.server.receive();
  sockets.server.close();
  await assert.rejects(closed, { code: "ABORTED" });
});

test("nobody listening is ECONNREFUSED or ENOENT; a path too long is refused", () => {
  const path = join(folder, "gone.sock");
  assert.throws(
    () => connectSeqpacket(path),
    (error) => errnoName(error) === "ENOENT",
  );
  assert.throws(() => connectSeqpacket("x".repeat(108)), { code: "INPUT_INVALID" });
});

test("a closed listener leaves no file and no descriptor behind", async () => {
  const before = readdirSync("/proc/self/fd").length;
  for (let i = 0; i < 10; i++) (await pair())[Symbol.dispose]();
  assert.equal(readdirSync("/proc/self/fd").length, before);
});

/** Runs a program of its own, since it is the end of a process that is tried. */
async function runProgram(body: string): Promise<string> {
  const source = `import { listenSeqpacket } from ${JSON.stringify(join(import.meta.dirname, "seqpacket.ts"))};
    const listener = listenSeqpacket({ path: ${JSON.stringify(join(folder, "end.sock"))}, backlog: 1, mode: 0o600 });
    const waiting = listener.accept().catch((error) => console.log(error.code));
    ${body}`;
  const args = ["--input-type=module-typescript", "--eval", source];
  return (await promisify(execFile)(process.execPath, args)).stdout;
}

test("a process ends although its thread waits, by exit and by having nothing left to do", async () => {
  assert.equal(
    await runProgram(`setTimeout(() => { console.log("exiting"); process.exit(0); }, 50)`),
    "exiting\n",
  );
  assert.equal(await runProgram(`setTimeout(() => listener.close(), 50)`), "ABORTED\n");
});

test("a listener that ends leaves the socket of its successor alone, and takes its own with it", async () => {
  const path = join(folder, "upgrade.sock");
  const old = listenSeqpacket({ path, backlog: 1, mode: 0o600 });
  const successor = listenSeqpacket({ path, backlog: 1, mode: 0o600 });
  old.close();
  using client = connectSeqpacket(path);
  using server = await successor.accept();
  await client.send(Buffer.from("found"));
  assert.equal(Buffer.from((await server.receive())?.bytes ?? []).toString(), "found");
  successor.close();
  assert.equal(existsSync(path), false);
});
