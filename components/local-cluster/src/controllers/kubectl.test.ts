/** What `kubectl rollout` makes of the controllers' work: the real kubectl, over TLS on loopback. */

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import {
  AUTHORIZATION_POLICIES,
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  DAEMON_SETS,
  DEPLOYMENTS,
  STATEFUL_SETS,
} from "@meltemi/kubernetes";
import { customResourceDefinitions } from "@meltemi/resources";
import { createTemporaryFolder, eventually, type TemporaryFolder } from "@meltemi/testkit";
import { startTestCluster, type TestCluster } from "./cluster.testing.ts";

const isMissing = spawnSync("kubectl", ["version", "--client"]).error !== undefined;
const needsKubectl = { skip: isMissing && "kubectl is not installed" };

let cluster: TestCluster;
let folder: TemporaryFolder;
let kubeconfig: string;
before(async () => {
  cluster = await startTestCluster(["node-a", "node-b"]);
  folder = await createTemporaryFolder("kubectl");
  kubeconfig = folder.file("kubeconfig");
  const { server, certificateAuthority = "", token } = cluster.access;
  const authority = Buffer.from(certificateAuthority).toString("base64");
  const config = {
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: server.href, "certificate-authority-data": authority } }],
    users: [{ name: "u", user: { token: await token?.token() } }],
  };
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
});
after(async () => {
  await cluster.stop();
  await folder[Symbol.asyncDispose]();
});

const run = promisify(execFile);

async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await run("kubectl", ["--kubeconfig", kubeconfig, ...args], { timeout: 30_000 });
  return stdout;
}

async function revisionsOf(object: string): Promise<readonly string[]> {
  const lines = (await kubectl("rollout", "history", object)).split("\n");
  return lines.flatMap((line) => /^(\d+) /.exec(line)?.[1] ?? []);
}

async function rolledOut(object: string): Promise<void> {
  assert.match(await kubectl("rollout", "status", object, "--timeout=20s"), /successfully rolled out/);
}

test(
  "kubectl rollout of a deployment: status, history, undo, restart, scale, wait",
  needsKubectl,
  async () => {
    await kubectl("create", "deployment", "web", "--image=app:1", "--replicas=3");
    await rolledOut("deployment/web");
    await kubectl("set", "image", "deployment/web", "app=app:2");
    await rolledOut("deployment/web");
    assert.deepEqual(await revisionsOf("deployment/web"), ["1", "2"]);
    await kubectl("rollout", "undo", "deployment/web");
    await rolledOut("deployment/web");
    const ref = { namespace: "default", name: "web" };
    const undone = await cluster.client.get(DEPLOYMENTS, ref);
    assert.equal(undone?.spec?.template.spec?.containers[0]?.image, "app:1");
    assert.deepEqual(await revisionsOf("deployment/web"), ["2", "3"]);
    await kubectl("rollout", "restart", "deployment/web");
    await rolledOut("deployment/web");
    await kubectl("scale", "deployment/web", "--replicas=5");
    await rolledOut("deployment/web");
    await kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=20s");
    await kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=20s");
    assert.equal(await kubectl("get", "replicasets,pods", "-o", "name"), "");
  },
);

test("kubectl rollout of a daemon set: status, history, undo, restart", needsKubectl, async () => {
  const namespace = "default";
  const image = (version: string) => ({ containers: [{ name: "agent", image: `agent:${version}` }] });
  await cluster.client.create(DAEMON_SETS, {
    metadata: { namespace, name: "agent" },
    spec: {
      selector: { matchLabels: { app: "agent" } },
      updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { labels: { app: "agent" } }, spec: image("1") },
    },
  });
  await rolledOut("daemonset/agent");
  await kubectl("set", "image", "daemonset/agent", "agent=agent:2");
  await rolledOut("daemonset/agent");
  assert.deepEqual(await revisionsOf("daemonset/agent"), ["1", "2"]);
  await kubectl("rollout", "undo", "daemonset/agent");
  await rolledOut("daemonset/agent");
  const undone = await cluster.client.get(DAEMON_SETS, { namespace, name: "agent" });
  assert.equal(undone?.spec?.template.spec?.containers[0]?.image, "agent:1");
  await eventually(async () => assert.deepEqual(await revisionsOf("daemonset/agent"), ["2", "3"]) ?? true);
  await kubectl("rollout", "restart", "daemonset/agent");
  await rolledOut("daemonset/agent");
});

test("kubectl rollout of a stateful set: status, undo", needsKubectl, async () => {
  const namespace = "default";
  const template = {
    metadata: { labels: { app: "db" } },
    spec: { containers: [{ name: "db", image: "db:1" }] },
  };
  const spec = { replicas: 2, serviceName: "db", selector: { matchLabels: { app: "db" } }, template };
  await cluster.client.create(STATEFUL_SETS, { metadata: { namespace, name: "db" }, spec });
  const done = async (): Promise<void> => {
    assert.match(await kubectl("rollout", "status", "statefulset/db", "--timeout=20s"), /complete/);
  };
  await done();
  await kubectl("set", "image", "statefulset/db", "db=db:2");
  await done();
  await kubectl("rollout", "undo", "statefulset/db");
  await done();
  const images = await kubectl(
    "get",
    "pods",
    "-l",
    "app=db",
    "-o",
    "jsonpath={.items[*].spec.containers[0].image}",
  );
  assert.equal(images, "db:1 db:1");
});

test(
  "kubectl get shows which proxies accepted a policy, and why not with -o wide",
  needsKubectl,
  async () => {
    for (const definition of customResourceDefinitions())
      await cluster.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition as CustomResourceDefinition);
    const policy = {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "deny", namespace: "default" },
      spec: { action: "DENY" },
    };
    await eventually(() => cluster.client.create(AUTHORIZATION_POLICIES, policy).then(Boolean, () => false));
    const condition = {
      type: "ZtunnelAccepted",
      status: "False",
      reason: "UnsupportedValue",
      message: "no rule",
      observedGeneration: "1",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    const body = JSON.stringify({ status: { conditions: [condition] } });
    await kubectl("patch", "ap", "deny", "--subresource=status", "--type=merge", "-p", body);
    const [header = "", row = ""] = (await kubectl("get", "ap", "-o", "wide")).split("\n");
    assert.deepEqual(
      header.split(/ {2,}/).map((name) => name.trim()),
      ["NAME", "ACTION", "ZTUNNELACCEPTED", "WAYPOINTACCEPTED", "AGE", "MESSAGE"],
    );
    assert.match(row, /^deny +DENY +False +\S+ +no rule$/);
  },
);
