/** The whole control plane as it is run: with kubectl, its own CA, status, restarts of the API server, and an orderly end. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type ChannelCredentials, Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { AUTHORIZATION_POLICIES, CONFIG_MAPS, type Condition, NAMESPACES } from "@meltemi/kubernetes";
import type { Policy } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import { readConfig } from "../../components/control-plane/src/config.ts";
import { type RunningControlPlane, runControlPlane } from "../../components/control-plane/src/run.ts";
import {
  createRunningPod,
  createToken,
  ensureNamespace,
  quietLogger,
  startCluster,
  startControlPlane,
  subscribe,
  type TestCluster,
} from "./control-plane.fixture.ts";

const deadline = { timeout: 60_000 };

async function kubectl(
  cluster: TestCluster,
  folder: string,
  args: readonly string[],
  input: string,
): Promise<string> {
  const path = join(folder, "kubeconfig");
  await writeFile(path, cluster.kubeconfig, { mode: 0o600 });
  const child = spawn("kubectl", ["--kubeconfig", path, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(input);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 0, output);
  return output;
}

function policyYaml(name: string, operation: string): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: apps }
spec:
  action: DENY
  rules: [{ to: [{ operation: { ${operation} } }] }]
`;
}

interface Run extends AsyncDisposable {
  readonly running: RunningControlPlane;
  readonly httpPort: number;
  readonly securePort: number;
  readonly plainPort: number;
  readonly rootPem: string;
}

let nextPort = 21_000 + Math.floor(Math.random() * 5_000);

/** Everything that main.ts runs, in this process. */
async function run(cluster: TestCluster): Promise<Run> {
  const [http, secure, plain] = [nextPort++, nextPort++, nextPort++];
  const args = [
    `--httpAddr=127.0.0.1:${http}`,
    `--secureGRPCAddr=127.0.0.1:${secure}`,
    `--grpcAddr=127.0.0.1:${plain}`,
    "--monitoringAddr=127.0.0.1:0",
    "--httpsAddr=127.0.0.1:0",
  ];
  const result = readConfig(args, {
    CA_TRUSTED_NODE_ACCOUNTS: "istio-system/ztunnel",
    PILOT_DEBOUNCE_AFTER: "20ms",
  });
  assert.ok(result.kind === "ok", JSON.stringify(result));
  const stop = new AbortController();
  const started = Promise.withResolvers<RunningControlPlane>();
  const deps = {
    client: cluster.client,
    clock: systemClock,
    random: Math.random,
    randomBytes: (count: number): Uint8Array => randomBytes(count),
    logger: quietLogger(),
  };
  const ended = runControlPlane({ ...result.config, drainMs: 200 }, deps, stop.signal, started.resolve);
  ended.catch(started.reject);
  const running = await started.promise;
  const { resolve, promise } = Promise.withResolvers<string>();
  running.authority.onRootBundle(resolve);
  return {
    running,
    httpPort: http,
    securePort: secure,
    plainPort: plain,
    rootPem: await promise,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

test("kubectl apply reaches a subscriber, and the status says what is enforced", deadline, async () => {
  await using folder = await createTemporaryFolder();
  await using cluster = await startCluster();
  const token = await createToken(cluster.client, "istio-system", "ztunnel");
  await ensureNamespace(cluster.client, "apps");
  await using plane = await run(cluster);
  await using subscriber = subscribe(plane, token);
  await subscriber.client.synced;

  await kubectl(cluster, folder.path, ["apply", "-f", "-"], policyYaml("port", 'ports: ["8080"]'));
  await kubectl(cluster, folder.path, ["apply", "-f", "-"], policyYaml("method", 'methods: ["GET"]'));
  await eventually(() => subscriber.held.has("apps/port"));
  const condition = async (name: string): Promise<Condition | undefined> => {
    const policy = await cluster.client.get(AUTHORIZATION_POLICIES, { namespace: "apps", name });
    const { conditions = [] } = (policy?.status ?? {}) as { conditions?: readonly Condition[] };
    return conditions[0];
  };
  const good = await eventually(() => condition("port"));
  assert.deepEqual([good?.type, good?.status, good?.reason], ["ZtunnelAccepted", "True", "Accepted"]);
  const inert = await eventually(() => condition("method"));
  assert.deepEqual([inert?.status, inert?.reason], ["False", "UnsupportedValue"]);
  assert.match(inert?.message ?? "", /has no effect/);
  const waited = await kubectl(
    cluster,
    folder.path,
    ["-n", "apps", "wait", "--for=condition=ZtunnelAccepted", "authorizationpolicy/port", "--timeout=10s"],
    "",
  );
  assert.match(waited, /condition met/);
  const yaml = policyYaml("port", 'ports: ["9090"]');
  await kubectl(cluster, folder.path, ["apply", "-f", "-"], yaml);
  await eventually(() => JSON.stringify(subscriber.held.get("apps/port")).includes("9090"));
  await eventually(async () => (await condition("port"))?.observedGeneration?.toString() === "2");
  await kubectl(cluster, folder.path, ["delete", "-f", "-"], yaml);
  await eventually(() => !subscriber.held.has("apps/port"));
});

test("a policy that cannot be read never opens anything, and its status says so", deadline, async () => {
  await using cluster = await startCluster();
  const token = await createToken(cluster.client, "istio-system", "ztunnel");
  await ensureNamespace(cluster.client, "apps");
  const key = { namespace: "apps", name: "deny" };
  // The CRD's schema does not know addresses: the object is stored.
  const put = async (block: string): Promise<void> => {
    const current = await cluster.client.get(AUTHORIZATION_POLICIES, key);
    const spec = { action: "DENY", rules: [{ from: [{ source: { ipBlocks: [block] } }] }] };
    const object = { metadata: { ...current?.metadata, ...key }, spec };
    await (current === undefined
      ? cluster.client.create(AUTHORIZATION_POLICIES, object)
      : cluster.client.replace(AUTHORIZATION_POLICIES, object));
  };
  const condition = async (pattern: RegExp): Promise<unknown> =>
    await eventually(async () => {
      const policy = await cluster.client.get(AUTHORIZATION_POLICIES, key);
      const { conditions = [] } = (policy?.status ?? {}) as { conditions?: readonly Condition[] };
      return pattern.test(JSON.stringify(conditions));
    });
  await put("10.0.0.0/33");
  await using plane = await run(cluster);
  await using subscriber = subscribe(plane, token);
  await subscriber.client.synced;
  const rules = (): unknown => (subscriber.held.get("apps/deny") as Policy | undefined)?.rules;
  assert.deepEqual(rules(), [[]], "one rule that matches everything");
  await condition(/"status":"False".*"Invalid".*denies everything.*ipBlocks\[0\].*10\.0\.0\.0\/33/);
  const refused = (): string =>
    plane.running.controlPlane.registry
      .exposition(undefined)
      .body.split("\n")
      .filter((line) => line.startsWith("meltemi_refused_objects{"))
      .join();
  assert.equal(refused(), 'meltemi_refused_objects{kind="AuthorizationPolicy"} 1');
  await put("10.0.0.0/8");
  await eventually(() => JSON.stringify(rules()).includes('"prefixLength":8'));
  await condition(/"status":"True".*"Accepted"/);
  assert.equal(refused(), 'meltemi_refused_objects{kind="AuthorizationPolicy"} 0');
  const good = rules();
  await put("nonsense");
  await condition(/"status":"False".*"Invalid".*Generation 2 stays in force.*nonsense/);
  assert.deepEqual(rules(), good);
  await cluster.client.delete(AUTHORIZATION_POLICIES, key);
  await eventually(() => rules() === undefined);
});

test("the mesh configuration may change, or be unreadable, while all goes on", deadline, async () => {
  await using cluster = await startCluster();
  const token = await createToken(cluster.client, "istio-system", "ztunnel");
  await ensureNamespace(cluster.client, "apps");
  await createRunningPod(cluster.client, { namespace: "apps", name: "a", ip: "10.0.0.1" });
  const metadata = { namespace: "istio-system", name: "istio" };
  await cluster.client.create(CONFIG_MAPS, { metadata, data: { mesh: "trustDomain: one.example" } });
  const change = async (mesh: string): Promise<unknown> =>
    await cluster.client.patch(CONFIG_MAPS, metadata, { kind: "merge", body: { data: { mesh } } });
  await using plane = await run(cluster);
  await using subscriber = subscribe(plane, token);
  await subscriber.client.synced;
  const trustDomain = (): unknown =>
    /"trustDomain":"(.*?)"/.exec(JSON.stringify(subscriber.held.get("Kubernetes//Pod/apps/a")))?.[1];
  assert.equal(trustDomain(), "one.example");
  await change("trustDomain: [not, a, name]");
  await change("trustDomain: two.example");
  await eventually(() => trustDomain() === "two.example", { deadlineMs: 30_000 });
  await cluster.client.delete(CONFIG_MAPS, metadata);
  assert.equal(trustDomain(), "two.example");
});

test("the doors: readiness, debug pages, the root certificate in every namespace", deadline, async () => {
  await using cluster = await startCluster();
  const token = await createToken(cluster.client, "istio-system", "ztunnel");
  await using plane = await run(cluster);
  await using subscriber = subscribe(plane, token);
  await subscriber.client.synced;
  const page = async (path: string): Promise<Response> =>
    await fetch(`http://127.0.0.1:${plane.httpPort}${path}`);
  assert.equal((await page("/ready")).status, 200);
  const [client] = (await (await page("/debug/syncz")).json()) as { proxy: string; watches: object }[];
  assert.equal(client?.proxy, "ztunnel-a.istio-system");
  assert.match(JSON.stringify(client?.watches), /SYNCED/);
  assert.equal(((await (await page("/debug/adsz")).json()) as { totalClients: number }).totalClients, 1);
  for (const path of [
    "/debug/endpointz?limit=1",
    "/debug/authorizationz",
    "/debug/servicesz",
    "/debug/configz",
    "/debug",
  ])
    assert.equal((await page(path)).status, 200, path);
  assert.equal((await page("/debug/nothing")).status, 404);
  const post = await fetch(`http://127.0.0.1:${plane.httpPort}/ready`, { method: "POST" });
  assert.equal(post.status, 405);
  await ensureNamespace(cluster.client, "fresh");
  const map = await eventually(() =>
    cluster.client.get(CONFIG_MAPS, { namespace: "fresh", name: "istio-ca-root-cert" }),
  );
  assert.equal(map?.data?.["root-cert.pem"], plane.rootPem);
  // Somebody else is faster, and wrong.
  await ensureNamespace(cluster.client, "early");
  const key = { namespace: "early", name: "istio-ca-root-cert" };
  await eventually(() => cluster.client.get(CONFIG_MAPS, key));
  await cluster.client.delete(CONFIG_MAPS, key);
  await cluster.client
    .create(CONFIG_MAPS, { metadata: key, data: { "root-cert.pem": "x" } })
    .catch(() => undefined);
  await eventually(
    async () => (await cluster.client.get(CONFIG_MAPS, key))?.data?.["root-cert.pem"] === plane.rootPem,
  );
});

/** How a call of this method ends, with a good token and an empty request. */
async function callStatus(
  port: number,
  method: string,
  token: string,
  channel: ChannelCredentials,
): Promise<string> {
  const options = { "grpc.ssl_target_name_override": "istiod.istio-system.svc" };
  const client = new Client(`127.0.0.1:${port}`, channel, options);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const same = (bytes: Buffer): Buffer => bytes;
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(method, same, same, Buffer.alloc(0), metadata, (error) =>
        resolve(error === null ? "OK" : (status[error.code] ?? "")),
      );
    });
  } finally {
    client.close();
  }
}

test(
  "the plain door serves discovery only: no certificates, and nothing without a token",
  deadline,
  async () => {
    await using cluster = await startCluster();
    const token = await createToken(cluster.client, "istio-system", "ztunnel");
    await using plane = await run(cluster);
    const sign = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
    const plain = credentials.createInsecure();
    const tls = credentials.createSsl(Buffer.from(plane.rootPem));
    assert.equal(await callStatus(plane.plainPort, sign, token, plain), "UNIMPLEMENTED");
    assert.equal(
      await callStatus(plane.securePort, sign, token, tls),
      "INVALID_ARGUMENT",
      "served, without CSR",
    );
    await using anonymous = subscribe(plane, undefined, { address: `http://127.0.0.1:${plane.plainPort}` });
    await eventually(() => anonymous.ends.length > 0);
    assert.equal(anonymous.held.size, 0);
    await using known = subscribe(plane, token, { address: `http://127.0.0.1:${plane.plainPort}` });
    await known.client.synced;
  },
);

test(
  "the API server goes away and comes back: clients keep what they have, changes flow again",
  deadline,
  async () => {
    await using folder = await createTemporaryFolder();
    await using cluster = await startCluster(join(folder.path, "state.sqlite"));
    const token = await createToken(cluster.client, "istio-system", "ztunnel");
    await ensureNamespace(cluster.client, "apps");
    await createRunningPod(cluster.client, { namespace: "apps", name: "a", ip: "10.0.0.1" });
    await using plane = await startControlPlane(cluster);
    await using subscriber = subscribe(plane, token);
    await subscriber.client.synced;
    await eventually(() => subscriber.held.has("Kubernetes//Pod/apps/a"));
    await cluster.restart();
    await eventually(() => cluster.client.list(NAMESPACES).then(() => true));
    await createRunningPod(cluster.client, { namespace: "apps", name: "b", ip: "10.0.0.2" });
    await eventually(() => subscriber.held.has("Kubernetes//Pod/apps/b"), { deadlineMs: 30_000 });
    assert.ok(subscriber.held.has("Kubernetes//Pod/apps/a"));
    assert.deepEqual(subscriber.ends, [], "its stream never ended");
  },
);

test("an orderly end tells clients to go, and a new control plane takes over", deadline, async () => {
  await using cluster = await startCluster();
  const token = await createToken(cluster.client, "istio-system", "ztunnel");
  const first = await run(cluster);
  await using subscriber = subscribe(first, token);
  await subscriber.client.synced;
  await first[Symbol.asyncDispose]();
  await eventually(() => subscriber.ends.length > 0);
  await using second = await run(cluster);
  assert.equal(second.rootPem, first.rootPem, "the CA lives in its Secret");
});

/** Runs main.ts; resolves with its exit code and all it wrote. */
function startProcess(args: readonly string[], env: Readonly<Record<string, string>>) {
  const program = new URL("../../components/control-plane/src/main.ts", import.meta.url);
  const child = spawn(process.execPath, [program.pathname, ...args], { env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += String(chunk);
    });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, output })),
  );
  return { child, ended };
}

test("the process: ready when it serves, gone with 0 after SIGTERM", deadline, async () => {
  await using folder = await createTemporaryFolder();
  await using cluster = await startCluster();
  const token = await createToken(cluster.client, "istio-system", "ztunnel");
  const path = join(folder.path, "kubeconfig");
  await writeFile(path, cluster.kubeconfig, { mode: 0o600 });
  const [http, secure] = [nextPort++, nextPort++];
  const { child, ended } = startProcess(
    [
      "discovery",
      `--httpAddr=127.0.0.1:${http}`,
      `--secureGRPCAddr=127.0.0.1:${secure}`,
      "--grpcAddr=127.0.0.1:0",
      "--monitoringAddr=127.0.0.1:0",
      "--httpsAddr=127.0.0.1:0",
    ],
    { KUBECONFIG: path },
  );
  await eventually(async () => (await fetch(`http://127.0.0.1:${http}/ready`)).ok, { deadlineMs: 20_000 });
  const map = await eventually(() =>
    cluster.client.get(CONFIG_MAPS, { namespace: "istio-system", name: "istio-ca-root-cert" }),
  );
  const rootPem = map?.data?.["root-cert.pem"] ?? "";
  await using subscriber = subscribe({ securePort: secure, rootPem }, token);
  await subscriber.client.synced;
  assert.deepEqual(subscriber.ends, [], "who is told that it is ready finds the door open");
  child.kill("SIGTERM");
  const { code, output } = await ended;
  assert.equal(code, 0, output);
  assert.equal(output.includes(token), false, "no token in the log");
});

test("the process: bad arguments are told together, with exit code 2", deadline, async () => {
  const { ended } = startProcess(["discovery", "--typo=1"], { XDS_AUTH: "maybe" });
  const { code, output } = await ended;
  assert.equal(code, 2);
  assert.match(output, /--typo/);
  assert.match(output, /XDS_AUTH/);
  const other = await startProcess(["serve"], {}).ended;
  assert.equal(other.code, 2);
});
