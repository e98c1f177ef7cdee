/** `/healthz` and `/readyz` on 8000, `/metrics` on 15014: what kubelet and Prometheus ask. Bounded, since anyone in the cluster can. */

import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { Registry } from "@meltemi/telemetry";

export interface Readiness {
  readonly ready: boolean;
  /** One line for people: what is missing, and what the kernel offers. */
  readonly text: string;
}

export interface HealthServers {
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
const REQUEST_TIMEOUT_MS = 10_000;

export async function startHealthServers(
  ports: { readonly health: number; readonly metrics: number },
  deps: { readonly readiness: () => Readiness; readonly registry: Registry },
): Promise<HealthServers> {
  const health = await listen(ports.health, (request, response) => {
    const { ready, text } = deps.readiness();
    if (request.url === "/healthz") response.end("ok\n");
    else if (request.url === "/readyz") response.writeHead(ready ? 200 : 503).end(`${text}\n`);
    else response.writeHead(404).end("expected /healthz or /readyz\n");
  });
  const metrics = await listen(ports.metrics, (request, response) => {
    if (request.url?.split("?")[0] !== "/metrics") {
      response.writeHead(404).end("expected /metrics\n");
      return;
    }
    const { contentType, body } = deps.registry.exposition(request.headers.accept);
    response.writeHead(200, { "content-type": contentType }).end(body);
  });
  return {
    async close() {
      for (const server of [health, metrics]) {
        server.close();
        server.closeAllConnections();
        await once(server, "close");
      }
    },
  };
}

async function listen(port: number, handle: RequestListener): Promise<Server> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      request.resume();
      handle(request, response);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port);
  await once(server, "listening");
  return server;
}
