import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { MeshError, systemClock } from "@meltemi/runtime";
import { staticToken } from "./access.ts";
import { createKubernetesClient } from "./client.ts";
import type { KubernetesClient } from "./client-types.ts";
import { CONFIG_MAPS, PODS } from "./kinds.ts";
import { isAlreadyExists, isConflict, isGone, statusOf } from "./status-error.ts";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly contentType: string;
  readonly body: string;
  readonly authorization: string;
}

/** A plain HTTP server on loopback: what is under test here is what goes over the wire and what comes of the answers. */
let server: Server;
let client: KubernetesClient;
let seen: Seen[] = [];
let answer: (request: Seen, response: ServerResponse) => void = () => {};

before(async () => {
  server = createServer((request, response) => void receive(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  client = createKubernetesClient(
    {
      server: new URL(`http://127.0.0.1:${port}/root`),
      token: staticToken("t0"),
      defaultNamespace: "default",
    },
    { clock: systemClock },
  );
});
after(() => {
  client.close();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  seen = [];
});

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const one = {
    method: request.method ?? "",
    url: request.url ?? "",
    contentType: request.headers["content-type"] ?? "",
    authorization: request.headers.authorization ?? "",
    body,
  };
  seen.push(one);
  answer(one, response);
}

function answerJson(status: number, body: unknown, headers: Record<string, string> = {}): void {
  answer = (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

test("get names the object's path, sends the token, and gives undefined for 404", async () => {
  answerJson(404, { kind: "Status", code: 404, reason: "NotFound", message: "no" });
  assert.equal(await client.get(PODS, { namespace: "a", name: "b" }), undefined);
  assert.equal(seen[0]?.url, "/root/api/v1/namespaces/a/pods/b");
  assert.equal(seen[0]?.authorization, "Bearer t0");
});

test("list fetches all pages and names the kind of each item", async () => {
  answer = (request, response) => {
    const second = request.url.includes("continue=next");
    const metadata = second ? { resourceVersion: "7" } : { resourceVersion: "7", continue: "next" };
    response.end(JSON.stringify({ metadata, items: [{ metadata: { name: second ? "b" : "a" } }] }));
  };
  const list = await client.list(PODS, { labelSelector: "x in (y)", pageSize: 1 });
  assert.deepEqual(
    list.items.map((pod) => [pod.kind, pod.metadata?.name]),
    [
      ["Pod", "a"],
      ["Pod", "b"],
    ],
  );
  assert.equal(list.resourceVersion, "7");
  assert.equal(seen[0]?.url, "/root/api/v1/pods?labelSelector=x+in+%28y%29&limit=1");
});

test("writes carry method, media type, manager and kind", async () => {
  answerJson(200, { metadata: { name: "c" } });
  const object = { metadata: { namespace: "a", name: "c" }, data: { k: "v" } };
  const ref = { namespace: "a", name: "c" };
  await client.create(CONFIG_MAPS, object);
  await client.replace(CONFIG_MAPS, object, { dryRun: true });
  await client.patch(CONFIG_MAPS, ref, { kind: "merge", body: { data: {} } });
  await client.patch(CONFIG_MAPS, ref, { kind: "json", operations: [{ op: "remove", path: "/data" }] });
  await client.patch(PODS, ref, { kind: "strategic", body: {} }, { subresource: "status" });
  await client.apply(CONFIG_MAPS, object, { fieldManager: "m", force: true });
  await client.delete(CONFIG_MAPS, ref, { propagation: "Orphan", preconditions: { uid: "u" } });
  assert.deepEqual(
    seen.map((request) => [
      request.method,
      request.url.replace("/root/api/v1/namespaces/a/", ""),
      request.contentType,
    ]),
    [
      ["POST", "configmaps", "application/json"],
      ["PUT", "configmaps/c?dryRun=All", "application/json"],
      ["PATCH", "configmaps/c", "application/merge-patch+json"],
      ["PATCH", "configmaps/c", "application/json-patch+json"],
      ["PATCH", "pods/c/status", "application/strategic-merge-patch+json"],
      ["PATCH", "configmaps/c?force=true&fieldManager=m", "application/apply-patch+yaml"],
      ["DELETE", "configmaps/c", "application/json"],
    ],
  );
  assert.deepEqual(JSON.parse(seen[5]?.body ?? ""), { apiVersion: "v1", kind: "ConfigMap", ...object });
  const deletion = JSON.parse(seen[6]?.body ?? "") as Record<string, unknown>;
  assert.equal(deletion["propagationPolicy"], "Orphan");
});

const refusals = [
  { name: "conflict", status: 409, reason: "Conflict", code: "CONFLICT", is: isConflict },
  { name: "already exists", status: 409, reason: "AlreadyExists", code: "CONFLICT", is: isAlreadyExists },
  { name: "expired", status: 410, reason: "Expired", code: "CONFLICT", is: isGone },
  { name: "invalid", status: 422, reason: "Invalid", code: "INPUT_INVALID", is: () => true },
  { name: "forbidden", status: 403, reason: "Forbidden", code: "FORBIDDEN", is: () => true },
  { name: "broken server", status: 500, reason: "InternalError", code: "UNAVAILABLE", is: () => true },
] as const;
for (const c of refusals) {
  test(`a refusal keeps status, reason and message: ${c.name}`, async () => {
    answerJson(c.status, { kind: "Status", code: c.status, reason: c.reason, message: "because" });
    const error = await client
      .create(PODS, { metadata: { namespace: "a", name: "b" } })
      .catch((e: unknown) => e);
    assert.ok(error instanceof MeshError && c.is(error));
    assert.equal(error.code, c.code);
    assert.deepEqual(statusOf(error), { code: c.status, reason: c.reason });
    assert.equal(error.message, `create pods a/b: HTTP ${c.status} ${c.reason}: because`);
  });
}

test("an answer that is not JSON is refused, plain text of a proxy becomes the message", async () => {
  answer = (_, response) => response.end("<html>");
  await assert.rejects(client.get(PODS, { namespace: "a", name: "b" }), { code: "PROTOCOL_VIOLATION" });
  answer = (_, response) => response.writeHead(502).end("bad gateway");
  await assert.rejects(client.get(PODS, { namespace: "a", name: "b" }), {
    code: "UNAVAILABLE",
    message: /bad gateway/,
  });
});

test("a throttled call is made again after Retry-After", async () => {
  answer = (_, response) => {
    if (seen.length < 2) response.writeHead(429, { "retry-after": "0" }).end("{}");
    else response.end(JSON.stringify({ metadata: { name: "b" } }));
  };
  const pod = await client.get(PODS, { namespace: "a", name: "b" });
  assert.equal(pod?.metadata?.name, "b");
});

test("no answer within the timeout, an abort, and a peer that resets are three errors", async () => {
  answer = () => {};
  const ref = { namespace: "a", name: "b" };
  await assert.rejects(client.get(PODS, ref, { timeoutMs: 20 }), { code: "TIMEOUT" });
  const end = new AbortController();
  answer = () => end.abort();
  await assert.rejects(client.get(PODS, ref, { signal: end.signal }), { code: "ABORTED" });
  answer = (_, response) => response.destroy();
  await assert.rejects(client.create(PODS, { metadata: ref }), { code: "UNAVAILABLE" });
});

test("names that would leave their place in the path are refused before anything is sent", async () => {
  await assert.rejects(client.get(PODS, { namespace: "a", name: ".." }), { code: "INPUT_INVALID" });
  await assert.rejects(client.get(PODS, { name: "b" }), { code: "INPUT_INVALID" });
  assert.equal(seen.length, 0);
});

test("watch yields events and bookmarks, and an ERROR event is a status error", async () => {
  answer = (_, response) => {
    const object = { metadata: { name: "b", resourceVersion: "5" } };
    response.write(`${JSON.stringify({ type: "ADDED", object })}\n{"type":"BOOK`);
    response.write(`MARK","object":{"metadata":{"resourceVersion":"6"}}}\n`);
    response.end(
      `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } })}\n`,
    );
  };
  const kinds: string[] = [];
  const run = async (): Promise<void> => {
    for await (const event of client.watch(PODS, { resourceVersion: "4" })) kinds.push(event.kind);
  };
  await assert.rejects(run(), isGone);
  assert.deepEqual(kinds, ["added", "bookmark"]);
  assert.match(seen[0]?.url ?? "", /resourceVersion=4&watch=true&allowWatchBookmarks=true/);
});
