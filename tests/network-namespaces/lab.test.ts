/** The lab that the other tests of this folder stand on: reachability, addresses, leftovers. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { createNetnsLab, type LabPlace, startTcpServer } from "@meltemi/testkit";

const NAME = "mlx-lab";
const namespaces = (): string[] =>
  execFileSync("ip", ["netns", "list"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.startsWith(`${NAME}-`));

/** Sends `hello` and half-closes; gives what came back. bash and its /dev/tcp are on every machine. */
async function hello(from: LabPlace, to: string, port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/${to}/${port}; printf hello >&3; head -c 10 <&3`;
  const { stdout, stderr } = await from.run(["bash", "-c", script], { timeoutMs: 5000 });
  return stdout || stderr;
}

test("pods reach pods of their own and of other nodes by IPv4 and IPv6, with their own addresses", async () => {
  await using lab = await createNetnsLab(NAME);
  const [a, b] = [await lab.node("node-a"), await lab.node("node-b")];
  const [client, near, far] = [await a.pod("client"), await a.pod("near"), await b.pod("far")];
  for (const place of [near, far]) {
    const server = await startTcpServer(place, { mode: "double" });
    for (const [to, from] of [
      [place.ipv4, client.ipv4],
      [place.ipv6, client.ipv6],
    ] as const) {
      assert.equal(
        await hello(client, to, server.port),
        "hellohello",
        `${client.netns} → ${place.netns} ${to}`,
      );
      assert.deepEqual(server.accepted.at(-1), { peer: from, local: to });
    }
    assert.equal(await hello(b, place.ipv4, server.port), "hellohello", "nodes reach pods");
  }
});

test("leftovers of a run that crashed are removed, its processes too", async () => {
  const crashed = await createNetnsLab(NAME);
  const node = await crashed.node("node-a");
  const server = await startTcpServer(await node.pod("client"));
  assert.equal(namespaces().length, 3);
  const lab = await createNetnsLab(NAME);
  assert.throws(() => process.kill(server.pid, 0), { code: "ESRCH" });
  assert.equal(namespaces().length, 1);
  await lab[Symbol.asyncDispose]();
  assert.deepEqual(namespaces(), []);
});

test("programs that end by themselves while the lab is disposed are not waited for", async () => {
  const lab = await createNetnsLab(NAME);
  const node = await lab.node("node-a");
  const children = Array.from({ length: 8 }, () => node.spawn(["sleep", "1000"]));
  await Promise.all(children.map((child) => once(child, "spawn")));
  for (const child of children.slice(1)) child.kill("SIGKILL");
  await lab[Symbol.asyncDispose]();
  assert.deepEqual(
    children.map(({ signalCode }) => signalCode),
    children.map(() => "SIGKILL"),
  );
});

test("a server that cannot listen says why", async () => {
  await using lab = await createNetnsLab(NAME);
  const node = await lab.node("node-a");
  const { port } = await startTcpServer(node, { port: 9000 });
  await assert.rejects(startTcpServer(node, { port }), /EADDRINUSE/);
  assert.equal((await node.run(["false"])).exitCode, 1);
});
