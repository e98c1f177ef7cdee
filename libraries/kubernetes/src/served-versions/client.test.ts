import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "@meltemi/runtime";
import { staticToken } from "../access.ts";
import { createKubernetesClient } from "../client.ts";
import type { KubernetesClient } from "../client-types.ts";
import {
  ENDPOINT_SLICES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  type PodDisruptionBudget,
  SERVICE_ENTRIES,
} from "../kinds.ts";
import { isNotFound } from "../status-error.ts";
import { isNotServed, withServedVersions } from "./client.ts";

interface OldServer extends AsyncDisposable {
  readonly client: KubernetesClient;
  /** `METHOD path` of every call, in order. */
  readonly calls: string[];
  /** Paths it serves; an upgrade changes them. */
  readonly served: Map<string, unknown>;
}

/** Answers like a server that has these paths and no others. A watch says one event and ends. */
async function startServer(served: Map<string, unknown>): Promise<OldServer> {
  const calls: string[] = [];
  const json = (response: ServerResponse, status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const isWatch = searchParams.get("watch") === "true";
    calls.push(`${request.method} ${pathname}${isWatch ? "?watch" : ""}`);
    let sent = "";
    for await (const chunk of request) sent += String(chunk);
    const body = served.get(isWatch ? `${pathname}?watch` : pathname);
    if (body === undefined) return json(response, 404, { kind: "Status", code: 404, reason: "NotFound" });
    return json(response, 200, sent === "" ? body : JSON.parse(sent));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const access = {
    server: new URL(`http://127.0.0.1:${port}`),
    token: staticToken("t"),
    defaultNamespace: "default",
  };
  const plain = createKubernetesClient(access, { clock: systemClock });
  return {
    client: withServedVersions(plain),
    calls,
    served,
    async [Symbol.asyncDispose]() {
      plain.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function collect<T>(events: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const list = (...items: unknown[]): unknown => ({ metadata: { resourceVersion: "7" }, items });
const resources = (...names: string[]): unknown => ({ resources: names.map((name) => ({ name })) });
const slice = (name: string): unknown => ({
  metadata: { name, namespace: "shop", resourceVersion: "8" },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.0.0.4"], topology: { "kubernetes.io/hostname": "node-a" } }],
});
const OLD_SLICES = "/apis/discovery.k8s.io/v1beta1";

test("a server of today is asked for nothing more than its list", async () => {
  const path = "/apis/discovery.k8s.io/v1/endpointslices";
  await using server = await startServer(new Map([[path, list()]]));
  await server.client.list(ENDPOINT_SLICES);
  assert.deepEqual(server.calls, [`GET ${path}`]);
});

test("where v1 is missing, v1beta1 is listed and watched, and comes as v1", async () => {
  await using server = await startServer(
    new Map<string, unknown>([
      [OLD_SLICES, resources("endpointslices")],
      [`${OLD_SLICES}/endpointslices`, list(slice("a"))],
      [`${OLD_SLICES}/endpointslices?watch`, { type: "ADDED", object: slice("b") }],
    ]),
  );
  const { items, resourceVersion } = await server.client.list(ENDPOINT_SLICES);
  assert.equal(items[0]?.apiVersion, "discovery.k8s.io/v1");
  assert.equal(items[0]?.endpoints[0]?.nodeName, "node-a");
  const watched = await collect(server.client.watch(ENDPOINT_SLICES, { resourceVersion }));
  assert.equal(watched[0]?.kind === "added" && watched[0].object.endpoints[0]?.nodeName, "node-a");
});

test("a version that an upgrade took away is let go: the next watch asks for v1, from where the last one ended", async () => {
  await using server = await startServer(
    new Map<string, unknown>([
      [OLD_SLICES, resources("endpointslices")],
      [`${OLD_SLICES}/endpointslices`, list()],
    ]),
  );
  await server.client.list(ENDPOINT_SLICES);
  const event = { type: "ADDED", object: slice("c") };
  server.served.clear();
  server.served.set("/apis/discovery.k8s.io/v1/endpointslices?watch", event);
  const watch = () => collect(server.client.watch(ENDPOINT_SLICES, { resourceVersion: "7" }));
  await assert.rejects(watch(), isNotFound);
  assert.equal((await watch()).length, 1);
});

test("a kind that no version of is served is a 404, until it appears", async () => {
  await using server = await startServer(
    new Map([["/apis/networking.istio.io/v1beta1", resources("gateways")]]),
  );
  await assert.rejects(server.client.list(SERVICE_ENTRIES), isNotFound);
  server.served.set("/apis/networking.istio.io/v1/serviceentries", list());
  assert.deepEqual((await server.client.list(SERVICE_ENTRIES)).items, []);
});

test("a write finds its version by discovery, once, and says it in the object", async () => {
  const root = "/apis/policy/v1beta1";
  await using server = await startServer(
    new Map<string, unknown>([
      [root, resources("podsecuritypolicies", "poddisruptionbudgets")],
      [`${root}/namespaces/shop/poddisruptionbudgets/w`, {}],
    ]),
  );
  const budget: PodDisruptionBudget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "w", namespace: "shop" },
  };
  const apply = () => server.client.apply(POD_DISRUPTION_BUDGETS, budget, { fieldManager: "test" });
  assert.equal((await apply()).apiVersion, "policy/v1");
  await apply();
  const patch = `PATCH ${root}/namespaces/shop/poddisruptionbudgets/w`;
  assert.deepEqual(server.calls, ["GET /apis/policy/v1", `GET ${root}`, patch, patch]);
});

test("a write of what no version of is served says so, unlike a missing object", async () => {
  await using server = await startServer(new Map());
  const apply = server.client.apply(
    POD_DISRUPTION_BUDGETS,
    { metadata: { name: "w", namespace: "shop" } },
    { fieldManager: "test" },
  );
  await assert.rejects(apply, (error: Error) => {
    assert.ok(isNotServed(error));
    assert.match(error.message, /apply poddisruptionbudgets: .*one of policy\/v1, policy\/v1beta1, got none/);
    return true;
  });
  await assert.rejects(
    server.client.patch(PODS, { name: "a", namespace: "shop" }, { kind: "merge", body: {} }),
    (error) => isNotFound(error) && !isNotServed(error),
  );
});
