/** The API server's HTTP edge: protocol details that client libraries rely on, and clients that mean harm. */
import assert from "node:assert/strict";
import { request } from "node:https";
import { after, test } from "node:test";
import { startTestCluster } from "./api-server.fixture.ts";

const cluster = await startTestCluster();
after(() => cluster.close());

interface Answer {
  readonly code: number;
  readonly body: Record<string, unknown>;
}

interface Call {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string;
}

function call(path: string, options: Call = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const token = options.token ?? cluster.adminToken;
    const authorization: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${token}` };
    const headers = { "content-type": "application/json", ...authorization, ...options.headers };
    const target = {
      host: "127.0.0.1",
      port: cluster.port,
      ca: cluster.caPem,
      path,
      method: options.method ?? "GET",
      headers,
    };
    const sent = request(target, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const body = text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : { text };
        resolve({ code: response.statusCode ?? 0, body });
      });
    });
    sent.on("error", reject);
    sent.end(options.body);
  });
}

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

async function createMap(name: string, extra: Record<string, unknown> = {}): Promise<string> {
  const body = JSON.stringify({ metadata: { name, ...extra } });
  const answer = await call(CONFIG_MAPS, { method: "POST", body });
  assert.equal(answer.code, 201, JSON.stringify(answer.body));
  return String((answer.body["metadata"] as Record<string, unknown>)["resourceVersion"]);
}

const refusals: readonly { name: string; path: string; call?: Call; code: number; says: RegExp }[] = [
  {
    name: "no credentials",
    path: CONFIG_MAPS,
    call: { token: "" },
    code: 403,
    says: /User "system:anonymous" cannot list resource "configmaps"/,
  },
  {
    name: "credentials that do not hold",
    path: CONFIG_MAPS,
    call: { token: "wrong" },
    code: 401,
    says: /Unauthorized/,
  },
  {
    name: "an unknown path",
    path: "/apis/nothing.example/v1/things",
    code: 404,
    says: /could not find the requested resource/,
  },
  { name: "an unknown subresource", path: `${CONFIG_MAPS}/x/status`, code: 404, says: /could not find/ },
  { name: "a malformed path", path: "/api/v1/%zz", code: 404, says: /could not find/ },
  {
    name: "an unknown method",
    path: CONFIG_MAPS,
    call: { method: "PROPFIND" },
    code: 405,
    says: /does not allow this method/,
  },
  {
    name: "a selector that is none",
    path: `${CONFIG_MAPS}?labelSelector=a+in+(`,
    code: 400,
    says: /unable to parse requirement/,
  },
  {
    name: "a field nobody may select by",
    path: `${CONFIG_MAPS}?fieldSelector=data.a%3Db`,
    code: 400,
    says: /field label not supported/,
  },
  { name: "no JSON", path: CONFIG_MAPS, call: { method: "POST", body: "{" }, code: 400, says: /as JSON/ },
  {
    name: "too deep",
    path: CONFIG_MAPS,
    call: { method: "POST", body: "[".repeat(500) + "]".repeat(500) },
    code: 400,
    says: /nested deeper/,
  },
  {
    name: "too large",
    path: CONFIG_MAPS,
    call: { method: "POST", body: Buffer.alloc(4 * 1024 * 1024, " ") },
    code: 413,
    says: /limit is/,
  },
  {
    name: "another media type",
    path: CONFIG_MAPS,
    call: { method: "POST", body: "x", headers: { "content-type": "text/xml" } },
    code: 415,
    says: /unknown format/,
  },
  {
    name: "protobuf answers only",
    path: CONFIG_MAPS,
    call: { headers: { accept: "application/vnd.kubernetes.protobuf" } },
    code: 406,
    says: /only the following media types/,
  },
  {
    name: "another kind",
    path: CONFIG_MAPS,
    call: { method: "POST", body: '{"kind":"Secret","metadata":{"name":"x"}}' },
    code: 400,
    says: /cannot be handled as a ConfigMap/,
  },
  {
    name: "a wrong type",
    path: CONFIG_MAPS,
    call: { method: "POST", body: '{"metadata":{"name":"x"},"data":{"a":1}}' },
    code: 400,
    says: /data\.a: expected a string, got 1/,
  },
  {
    name: "a revision that is none",
    path: `${CONFIG_MAPS}?watch=true&resourceVersion=x`,
    code: 400,
    says: /expected a number/,
  },
  {
    name: "a forged continue token",
    path: `${CONFIG_MAPS}?limit=1&continue=bm9wZQ`,
    code: 400,
    says: /continue key is not valid/,
  },
];
for (const c of refusals) {
  test(`refused: ${c.name}`, async () => {
    const answer = await call(c.path, c.call);
    assert.equal(answer.code, c.code, JSON.stringify(answer.body));
    assert.equal(answer.body["kind"], "Status");
    assert.match(String(answer.body["message"]), c.says);
  });
}

test("a watch from a future revision is told that it is over, inside it", async () => {
  const { code, body } = await call(`${CONFIG_MAPS}?watch=true&resourceVersion=999999`);
  const { code: said, message } = body["object"] as { code: number; message: string };
  assert.deepEqual([code, body["type"], said], [200, "ERROR", 410]);
  assert.match(message, /^Too large resource version: 999999, current: \d+$/);
});

test("a header beyond the bound ends the request, the server goes on", async () => {
  const answer = await call(CONFIG_MAPS, { headers: { "x-large": "x".repeat(64 * 1024) } }).catch(() => ({
    code: 431,
  }));
  assert.equal(answer.code, 431);
  assert.equal((await call("/readyz")).body["text"], "ok");
});

test("a stale update is a conflict, a new name is generated, finalizers hold", async () => {
  const stale = await createMap("stale");
  const body = (revision: string): string =>
    JSON.stringify({ metadata: { name: "stale", resourceVersion: revision }, data: { a: "b" } });
  assert.equal((await call(`${CONFIG_MAPS}/stale`, { method: "PUT", body: body(stale) })).code, 200);
  const second = await call(`${CONFIG_MAPS}/stale`, { method: "PUT", body: body(stale) });
  assert.equal(second.code, 409);
  assert.match(String(second.body["message"]), /the object has been modified/);
  const generated = await call(CONFIG_MAPS, { method: "POST", body: '{"metadata":{"generateName":"gen-"}}' });
  assert.match(String((generated.body["metadata"] as Record<string, unknown>)["name"]), /^gen-[a-z0-9]{5}$/);
  await createMap("held", { finalizers: ["example.io/hold"] });
  await call(`${CONFIG_MAPS}/held`, { method: "DELETE" });
  const held = await call(`${CONFIG_MAPS}/held`);
  assert.notEqual((held.body["metadata"] as Record<string, unknown>)["deletionTimestamp"], undefined);
  const patch = {
    method: "PATCH",
    headers: { "content-type": "application/merge-patch+json" },
    body: '{"metadata":{"finalizers":null}}',
  };
  await call(`${CONFIG_MAPS}/held`, patch);
  assert.equal((await call(`${CONFIG_MAPS}/held`)).code, 404);
});

/** Reads the lines of a watch until `enough` says so; the watch is then dropped. */
function watchUntil(
  query: string,
  enough: (events: readonly WatchEvent[]) => boolean,
  started: () => void = () => {},
): Promise<readonly WatchEvent[]> {
  return new Promise((resolve, reject) => {
    const events: WatchEvent[] = [];
    let rest = "";
    const headers = { authorization: `Bearer ${cluster.adminToken}` };
    const sent = request(
      {
        host: "127.0.0.1",
        port: cluster.port,
        ca: cluster.caPem,
        path: `${CONFIG_MAPS}?watch=true&${query}`,
        headers,
      },
      (response) => {
        started();
        response.on("error", () => {});
        response.on("end", () => resolve(events));
        response.on("data", (chunk: Buffer) => {
          const lines = (rest + chunk.toString()).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) events.push(JSON.parse(line) as WatchEvent);
          if (!enough(events)) return;
          resolve(events);
          sent.destroy();
        });
      },
    );
    sent.on("error", (error) => (events.length > 0 ? resolve(events) : reject(error)));
    sent.end();
  });
}

interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly metadata: { readonly name?: string; readonly annotations?: Record<string, string> };
  };
}

test("a watch resumes from a revision, and tells a selector's watcher what left its view", async () => {
  const revision = await createMap("seen", { labels: { watched: "yes" } });
  const patch = { method: "PATCH", headers: { "content-type": "application/merge-patch+json" } };
  await call(`${CONFIG_MAPS}/seen`, { ...patch, body: '{"data":{"a":"1"}}' });
  await call(`${CONFIG_MAPS}/seen`, { ...patch, body: '{"metadata":{"labels":{"watched":"no"}}}' });
  const events = await watchUntil(
    `labelSelector=watched%3Dyes&resourceVersion=${revision}`,
    (all) => all.length === 2,
  );
  assert.deepEqual(
    events.map((event) => `${event.type} ${event.object.metadata.name}`),
    ["MODIFIED seen", "DELETED seen"],
  );
});

test("a watch list ends its beginning with a bookmark", async () => {
  const query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
  const events = await watchUntil(query, (all) => all.some((event) => event.type === "BOOKMARK"));
  assert.equal(events.at(-1)?.object.metadata.annotations?.["k8s.io/initial-events-end"], "true");
  assert.ok(events.slice(0, -1).every((event) => event.type === "ADDED"));
});

test("a watcher that does not read is cut off, nobody else notices", async () => {
  const headers = { authorization: `Bearer ${cluster.adminToken}` };
  const path = `${CONFIG_MAPS}?watch=true&resourceVersion=${await createMap("before-the-flood")}`;
  const cut = new Promise<number>((resolve, reject) => {
    const target = { host: "127.0.0.1", port: cluster.port, ca: cluster.caPem, path, headers };
    const sent = request(target, (response) => {
      let bytes = 0;
      response.on("error", () => {});
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("close", () => resolve(bytes));
      response.pause();
      flood()
        .then(() => response.resume())
        .catch(reject);
    });
    sent.on("error", () => {});
    sent.end();
  });
  // More than the server's bound and the kernel's buffers of both sides hold together.
  const [count, size] = [48, 900_000];
  async function flood(): Promise<void> {
    const body = JSON.stringify({ metadata: { name: "flood" }, data: { a: "x".repeat(size) } });
    assert.equal((await call(CONFIG_MAPS, { method: "POST", body })).code, 201);
    for (let index = 1; index < count; index++) {
      const patch = { method: "PATCH", headers: { "content-type": "application/merge-patch+json" } };
      assert.equal(
        (await call(`${CONFIG_MAPS}/flood`, { ...patch, body: `{"data":{"b":"${index}"}}` })).code,
        200,
      );
    }
  }
  assert.ok((await cut) < count * size);
  assert.equal((await call(`${CONFIG_MAPS}/flood`, { method: "DELETE" })).code, 200);
});

test("a watch that begins with more than may wait is served whole, and is bounded after", async () => {
  const data = { a: "x".repeat(1_000_000) };
  for (let at = 0; at < 12; at++) {
    const answer = await call(CONFIG_MAPS, {
      method: "POST",
      body: JSON.stringify({ metadata: { name: `large-${at}`, labels: { large: "yes" } }, data }),
    });
    assert.equal(answer.code, 201);
  }
  const query = "labelSelector=large%3Dyes&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  const events = await watchUntil(`${query}&allowWatchBookmarks=true`, (all) =>
    all.some((event) => event.type === "BOOKMARK"),
  );
  assert.equal(events.length, 13);
  await call(`${CONFIG_MAPS}?labelSelector=large%3Dyes`, { method: "DELETE" });
});

test("a watch ends when its time is over", async () => {
  const events = await watchUntil("timeoutSeconds=1&resourceVersion=0", () => false);
  assert.ok(events.length > 0);
});

test("a token for a service account: issued, reviewed, used; refused once its pod is gone", async () => {
  await call("/api/v1/namespaces/default/serviceaccounts", {
    method: "POST",
    body: '{"metadata":{"name":"default"}}',
  });
  const pod = { metadata: { name: "holder" }, spec: { containers: [{ name: "c", image: "i" }] } };
  const pods = "/api/v1/namespaces/default/pods";
  assert.equal((await call(pods, { method: "POST", body: JSON.stringify(pod) })).code, 201);
  const tokenPath = "/api/v1/namespaces/default/serviceaccounts/default/token";
  const spec = {
    audiences: ["istio-ca"],
    expirationSeconds: 600,
    boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "holder" },
  };
  const issued = await call(tokenPath, { method: "POST", body: JSON.stringify({ spec }) });
  const token = String((issued.body["status"] as Record<string, unknown>)["token"]);
  const review = async (audiences: readonly string[]): Promise<Record<string, unknown>> => {
    const answer = await call("/apis/authentication.k8s.io/v1/tokenreviews", {
      method: "POST",
      body: JSON.stringify({ spec: { token, audiences } }),
    });
    return answer.body["status"] as Record<string, unknown>;
  };
  const good = await review(["istio-ca"]);
  assert.equal(good["authenticated"], true);
  assert.equal(
    (good["user"] as Record<string, unknown>)["username"],
    "system:serviceaccount:default:default",
  );
  assert.match(String((await review(["other"]))["error"]), /target audiences/);
  assert.equal((await call(CONFIG_MAPS, { token })).code, 401, "a token for others opens nothing here");
  const own = await call(tokenPath, { method: "POST", body: "{}" });
  const ownToken = String((own.body["status"] as Record<string, unknown>)["token"]);
  assert.equal((await call("/api", { token: ownToken })).code, 200);
  assert.equal((await call(CONFIG_MAPS, { token: ownToken })).code, 403);
  assert.equal(
    (await call(tokenPath, { method: "POST", body: '{"spec":{"expirationSeconds":60}}' })).code,
    422,
  );
  await call(`${pods}/holder`, { method: "DELETE" });
  assert.match(String((await review(["istio-ca"]))["error"]), /pod that the token is bound to/);
});
