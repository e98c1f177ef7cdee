/** Configuration that changes, and a waypoint that leaves, while requests are under way: none is lost. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer as createHttpServer, get, type IncomingMessage, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import type { HttpRoute } from "@meltemi/model/l7";
import { eventually } from "@meltemi/testkit";
import { clusterOf, type NodeProxy, Scene, servedOf } from "./waypoint.fixture.ts";

interface Backend {
  readonly port: number;
  /** Requests that wait for {@link release}. */
  readonly held: () => number;
  readonly release: () => void;
  readonly proxies: readonly NodeProxy[];
}

/** `/held` is answered when the test says so, everything else at once. */
async function backend(scene: Scene): Promise<Backend> {
  const held: (() => void)[] = [];
  const server = createHttpServer((incoming, response) => {
    incoming.resume();
    if (incoming.url === "/held") {
      response.writeHead(200, { "content-length": 8 });
      response.write("half");
      held.push(() => response.end("done"));
    } else response.end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  scene.onDispose(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const pods = [scene.endpoint("a", "127.0.1.21", port), scene.endpoint("b", "127.0.1.22", port)];
  const proxies = await Promise.all(pods.map((pod) => scene.nodeProxy(pod)));
  scene.put(...pods);
  const release = (): void => {
    for (const end of held.splice(0)) end();
  };
  return { port, held: () => held.length, release, proxies };
}

function routed(version: number, changes: Parameters<typeof clusterOf>[0] = {}) {
  const route: HttpRoute = {
    name: `v${version}`,
    matches: [],
    action: {
      kind: "forward",
      targets: [{ target: { kind: "cluster", cluster: "reviews" }, weight: 1 }],
      mirrors: [],
    },
    responseHeaders: { set: [["x-version", String(version)]], add: [], remove: [] },
  };
  const served = servedOf({ clusters: [clusterOf(changes)] });
  return { ...served, ports: served.ports.map((port) => ({ ...port, httpRoutes: [route] })) };
}

interface Answer {
  readonly status: number | undefined;
  readonly version: unknown;
  readonly body: string;
}

function fetchText(agent: Agent, port: number, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = get(
      { host: "127.0.0.1", port, path, agent, headers: { host: "reviews" } },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => {
          body += chunk;
        });
        response.once("error", reject);
        response.once("end", () =>
          resolve({ status: response.statusCode, version: response.headers["x-version"], body }),
        );
      },
    );
    outgoing.once("error", reject);
  });
}

/** Requests one after another until told to stop; resolves with how many there were, or rejects with the first that failed. */
function load(agent: Agent, port: number): { stop(): Promise<number> } {
  let isStopped = false;
  const run = async (): Promise<number> => {
    let count = 0;
    for (; !isStopped; count++) {
      const { status, body } = await fetchText(agent, port, "/");
      assert.deepEqual([status, body], [200, "ok"]);
    }
    return count;
  };
  const running = run();
  running.catch(() => undefined);
  return {
    stop() {
      isStopped = true;
      return running;
    },
  };
}

test("configuration that changes under load loses no request, and holds for the next one on an open connection", async () => {
  await using scene = await Scene.start();
  const { proxies } = await backend(scene);
  const entry = await scene.entry("10.96.0.1:80");
  const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  scene.serve(routed(0));
  const loads = agents.map((agent) => load(agent, entry));
  const [watched = new Agent()] = agents;
  for (let version = 1; version <= 30; version++) {
    scene.serve(routed(version));
    assert.equal((await fetchText(watched, entry, "/")).version, String(version));
  }
  const streams = proxies.map(({ callers }) => callers.length);
  // Another policy of the cluster is another cluster, with connections of its own; requests on the old ones end there.
  for (let version = 31; version <= 40; version++) {
    scene.serve(
      routed(version, { connectionPool: { ...clusterOf().connectionPool, maxRequests: 1000 + version } }),
    );
    assert.equal((await fetchText(watched, entry, "/")).version, String(version));
  }
  const counts = await Promise.all(loads.map((each) => each.stop()));
  assert.ok(counts.every((count) => count > 10));
  assert.ok(
    streams.every((count) => count <= 6),
    `connections survive what does not concern them: ${streams}`,
  );
  for (const agent of agents) agent.destroy();
});

test("endpoints that come and go under load lose no request", async () => {
  await using scene = await Scene.start();
  const { port } = await backend(scene);
  const entry = await scene.entry("10.96.0.1:80");
  const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const loads = agents.map((agent) => load(agent, entry));
  const third = scene.endpoint("c", "127.0.1.23", port);
  await scene.nodeProxy(third);
  for (let round = 0; round < 20; round++) {
    scene.put(third);
    await fetchText(agents[0] ?? new Agent(), entry, "/");
    scene.tell({ kind: "address", upserts: [], removedNames: [third.uid] });
    await fetchText(agents[1] ?? new Agent(), entry, "/");
  }
  await Promise.all(loads.map((each) => each.stop()));
  for (const agent of agents) agent.destroy();
});

test("a service that is served no more lets its connections go: the running request ends as it does, no next one is lost", async () => {
  await using scene = await Scene.start();
  const { held, release } = await backend(scene);
  const entry = await scene.entry("10.96.0.1:80");
  const busy = new Agent({ keepAlive: true, maxSockets: 1 });
  const idle = new Agent({ keepAlive: true, maxSockets: 1 });
  await fetchText(idle, entry, "/");
  const running = fetchText(busy, entry, "/held");
  await eventually(() => held() === 1);
  const [kept] = Object.values(idle.freeSockets).flat();
  assert.ok(kept !== undefined);
  scene.tell({
    kind: "servedService",
    upserts: [],
    removedNames: ["default/reviews.default.svc.cluster.local"],
  });
  await fetchText(new Agent(), entry, "/");
  await eventually(() => kept.destroyed);
  release();
  const answer = await running;
  assert.equal(answer.body, "halfdone");
  await assert.rejects(fetchText(busy, entry, "/"));
  busy.destroy();
  idle.destroy();
});

test("a waypoint that leaves finishes what runs: HTTP/1.1, HTTP/2, streams of bytes, and ends by itself", async () => {
  await using scene = await Scene.start();
  const { held, release } = await backend(scene);
  const entry = await scene.entry("10.96.0.1:80");
  const agent = new Agent({ keepAlive: true });
  const running = [fetchText(agent, entry, "/held"), fetchText(agent, entry, "/held")];
  const session = connectHttp2(`http://127.0.0.1:${entry}`);
  session.on("error", () => undefined);
  scene.serve(servedOf({ clusters: [clusterOf({ protocol: "http1" })] }));
  const stream = session.request({ ":path": "/held" });
  const ended = new Promise<string>((resolve, reject) => {
    let body = "";
    stream.on("data", (chunk: Buffer) => {
      body += chunk;
    });
    stream.once("end", () => resolve(body));
    stream.once("error", reject);
  });
  const bytes = connect(await scene.entry("10.96.0.1:82"), "127.0.0.1");
  bytes.write("GET /held HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n");
  let carried = "";
  bytes.on("data", (chunk: Buffer) => {
    carried += chunk;
  });
  await eventually(() => held() === 4);
  const finished = scene.waypoint.shutdown();
  // From here on nobody new is let in, while nothing that runs is touched.
  await eventually(async () => (await refusesNew(scene)) === true);
  release();
  for (const answer of await Promise.all(running)) assert.equal(answer.body, "halfdone");
  assert.equal(await ended, "halfdone");
  await eventually(() => carried.endsWith("halfdone"));
  await finished;
  await scene.waypoint.finished;
  assert.equal(scene.lines.filter((line) => line.includes("failed to drain")).length, 0);
  session.close();
  agent.destroy();
});

test("a client that keeps one connection hears in an answer that the waypoint leaves, and loses no request", async () => {
  await using scene = await Scene.start();
  await backend(scene);
  const entry = await scene.entry("10.96.0.1:80");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (): Promise<string | undefined> => {
    const outgoing = get({ port: entry, path: "/", agent, headers: { host: "reviews" } });
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    await response.resume().toArray();
    assert.equal(response.statusCode, 200);
    return response.headers.connection;
  };
  assert.equal(await ask(), undefined);
  const finished = scene.waypoint.shutdown();
  while ((await ask()) !== "close");
  await finished;
  assert.equal(scene.lines.filter((line) => line.includes("failed to drain")).length, 0);
  agent.destroy();
});

async function refusesNew(scene: Scene): Promise<boolean> {
  const outcome = await scene.tunnel(scene.pool(), "10.96.0.1:80");
  return outcome.kind === "failed";
}

test("readiness, statistics and the dump tell what is", async () => {
  await using scene = await Scene.start();
  await backend(scene);
  const agent = new Agent();
  const entry = await scene.entry("10.96.0.1:80");
  await fetchText(agent, entry, "/");
  const { adminPort, statsPort, secondStatsPort, readinessPort } = scene.waypoint.ports;
  const ask = async (port: number | undefined, path: string) =>
    await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  assert.equal(await ask(readinessPort, "/healthz/ready"), "ready\n");
  for (const port of [statsPort, secondStatsPort])
    assert.match(
      await ask(port, "/stats/prometheus"),
      /^istio_requests_total\{.*response_code="200".*\} 1$/m,
    );
  const dump = JSON.parse(await ask(adminPort, "/config_dump")) as {
    readonly clusters: readonly { readonly name: string; readonly endpoints: readonly { uid: string }[] }[];
    readonly certificates: readonly { readonly state: string }[];
  };
  const [cluster] = dump.clusters;
  assert.deepEqual(
    cluster?.endpoints.map(({ uid }) => uid),
    ["Kubernetes//Pod/default/a", "Kubernetes//Pod/default/b"],
  );
  assert.equal(dump.certificates.length, 1);
  const quit = await new Promise<number | undefined>((resolve) => {
    request({ host: "127.0.0.1", port: adminPort, path: "/quitquitquit", method: "POST" }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).end();
  });
  assert.equal(quit, 200);
  await scene.waypoint.finished;
});
