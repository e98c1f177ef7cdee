/** The control plane as a process, before there is an API server that answers it. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import { startReplica } from "./control-plane-process.fixture.ts";

/** What a load balancer answers while the API server behind it is away. */
async function startAwayServer(): Promise<AsyncDisposable & { readonly port: number; asked(): number }> {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(404, { connection: "close" }).end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

test("it waits for an API server that answers 404, and ends when told to", { timeout: 60_000 }, async () => {
  await using folder = await createTemporaryFolder("control-plane-process-");
  await using away = await startAwayServer();
  const path = join(folder.path, "kubeconfig");
  await writeFile(
    path,
    `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
     clusters: [{name: c, cluster: {server: "http://127.0.0.1:${away.port}"}}], users: [{name: u, user: {}}]}`,
  );
  await using replica = await startReplica("istiod-1", path);
  let code: number | null | undefined;
  void replica.ended.then((ended) => (code = ended));
  // The second and later looks come after pauses in which no socket is open.
  await eventually(() => away.asked() >= 4 || code !== undefined, { deadlineMs: 30_000 });
  assert.equal(code, undefined, replica.output());
  replica.process.kill("SIGTERM");
  assert.equal(await replica.ended, 0, replica.output());
});
