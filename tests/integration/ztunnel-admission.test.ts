/** Places in the process: every connection has one, and every tunnel; without one there is a refusal, never a wait. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { createTestMesh, ended, exchange, sample } from "./ztunnel.fixture.ts";

const PORT = 18080;
const places = (count: number) => ({ deps: { admission: { process: count, pod: count } } });
const env = { POOL_UNUSED_RELEASE_TIMEOUT: "50ms" };

test("a connection and its tunnel have a place each; who finds none is refused, and the end of another one gives his back", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2", places(3));
  await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.3", PORT);
  const [first, second] = [
    await client.connect(`127.0.0.3:${PORT}`),
    await client.connect(`127.0.0.3:${PORT}`),
  ];
  for (const socket of [first, second]) assert.equal(await exchange(socket, "a", 2), "aa");
  await ended(await client.connect(`127.0.0.3:${PORT}`));
  assert.ok(
    client.lines.some((line) =>
      /connection failed.*dst\.addr=127\.0\.0\.3:18080.*too many connections: this proxy holds 3/.test(line),
    ),
    client.lines.join(""),
  );
  assert.equal(sample(client.metrics(), "meltemi_connections_refused_total", { reporter: "source" }), 1);
  second.destroy();
  await eventually(async () => {
    const third = await client.connect(`127.0.0.3:${PORT}`);
    const answer = await exchange(third, "b", 2).catch(() => "");
    third.destroy();
    return answer === "bb";
  });
  first.destroy();
});

test("a stream whose tunnel finds no place is refused and does not wait; plaintext still passes", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2", places(1));
  await mesh.pod("server", "127.0.0.3");
  await mesh.echo("127.0.0.4", PORT);
  await ended(await client.connect(`127.0.0.3:${PORT}`));
  await eventually(() =>
    client.lines.some((line) =>
      /connection complete.*error="connection failed: connect to 127\.0\.0\.3:\d+: too many connections: this proxy holds 1"/.test(
        line,
      ),
    ),
  );
  const plain = await client.connect(`127.0.0.4:${PORT}`);
  assert.equal(await exchange(plain, "a", 2), "aa");
  plain.destroy();
});

test("a tunnel gives its place back when it closes", async () => {
  await using mesh = await createTestMesh();
  const client = await mesh.pod("client", "127.0.0.2", { ...places(2), env });
  for (const address of ["127.0.0.3", "127.0.0.4"]) {
    await mesh.pod(`server-${address.at(-1)}`, address);
    await mesh.echo(address, PORT);
  }
  for (const address of ["127.0.0.3", "127.0.0.4", "127.0.0.3"])
    await eventually(async () => {
      const socket = await client.connect(`${address}:${PORT}`);
      const answer = await exchange(socket, "a", 2).catch(() => "");
      socket.destroy();
      return answer === "aa";
    });
});
