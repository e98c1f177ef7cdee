import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { MeshError } from "@meltemi/runtime";
import { openTunnel } from "./tunnel.ts";

test("requests go through the tunnel, one connection each", async () => {
  const server = createServer((_request, response) => response.end("page"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const errors: unknown[] = [];
  {
    const open = async () => connect(port, "127.0.0.1");
    await using tunnel = await openTunnel("127.0.0.1", 0, open, (error) => errors.push(error));
    const headers = { connection: "close" };
    const pages = await Promise.all(
      [1, 2, 3].map(async () => (await fetch(`http://127.0.0.1:${tunnel.port}/`, { headers })).text()),
    );
    assert.deepEqual(pages, ["page", "page", "page"]);
    await assert.rejects(
      openTunnel("127.0.0.1", tunnel.port, open, () => undefined),
      { code: "UNAVAILABLE" },
    );
  }
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(errors, []);
});

test("a connection that cannot be carried is cut, and why is told", async () => {
  const told = Promise.withResolvers<unknown>();
  const refuse = (): Promise<never> => Promise.reject(new MeshError("UNAVAILABLE", "gone"));
  await using tunnel = await openTunnel("127.0.0.1", 0, refuse, told.resolve);
  await assert.rejects(fetch(`http://127.0.0.1:${tunnel.port}/`));
  assert.match(String(await told.promise), /gone/);
});
