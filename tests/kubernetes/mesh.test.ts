/** The demo's claims of the L4 mesh, on a real cluster. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { apply, kubectl } from "./cluster/cluster.ts";
import { TOOLS_IMAGE } from "./cluster/images.ts";
import { nodeNetwork } from "./cluster/network.ts";
import { ensureMesh, skip } from "./mesh.fixture.ts";
import {
  call,
  deployWorkloads,
  enrolledPods,
  joinMesh,
  leaveMesh,
  onTheWire,
  podLives,
  SHOP,
} from "./workloads.fixture.ts";

const CHANGE = { deadlineMs: 30_000, everyMs: 200 } as const;

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
});

after(async () => {
  if (skip !== false) return;
  await kubectl("delete", "authorizationpolicies,peerauthentications", "--all", "-n", SHOP);
  if ((await enrolledPods()).length > 0) await leaveMesh();
});

/** Calls v2, which is on the other node, with a word that must not be read on the way. */
async function callWith(word: string): Promise<string> {
  return await onTheWire(nodeNetwork(2), async () => {
    const { status, text } = await call("client", `http://web-v2.${SHOP}/`, { "x-word": word });
    assert.equal(status, 200, text);
  });
}

test("outside the mesh, everybody on the way reads along", { skip }, async () => {
  const word = randomUUID();
  assert.ok((await callWith(word)).includes(word));
});

test("a label brings running pods into the mesh: mutual TLS on the wire, and no pod restarts", {
  skip,
}, async () => {
  const lives = await podLives();
  await joinMesh();
  const word = randomUUID();
  const seen = await callWith(word);
  assert.ok(!seen.includes(word));
  assert.match(seen, /\.15008/);
  assert.deepEqual(await podLives(), lives);
});

test("who calls is known by identity, and a policy of it is enforced at once", { skip }, async () => {
  await apply([
    {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "only-client", namespace: SHOP },
      spec: {
        selector: { matchLabels: { app: "web" } },
        action: "ALLOW",
        rules: [{ from: [{ source: { principals: [`cluster.local/ns/${SHOP}/sa/client`] } }] }],
      },
    },
  ]);
  await eventually(async () => (await call("stranger")).status === 0, CHANGE);
  assert.equal((await call("client")).status, 200);
  assert.equal((await call("outsider")).status, 0);
  await kubectl("delete", "authorizationpolicy", "only-client", "-n", SHOP);
  await eventually(async () => (await call("stranger")).status === 200, CHANGE);
});

test("STRICT refuses plaintext, and the kubelet's probes pass all the same", { skip }, async () => {
  const lives = await podLives();
  assert.equal((await call("outsider")).status, 200);
  await apply([
    {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "default", namespace: SHOP },
      spec: { mtls: { mode: "STRICT" } },
    },
  ]);
  await eventually(async () => (await call("outsider")).status === 0, CHANGE);
  assert.equal((await call("client")).status, 200);
  // Liveness every two seconds, readiness every second: several of each have been by now, and more will.
  await kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=web", "-n", SHOP, "--timeout=20s");
  assert.deepEqual(await podLives(), lives);
  await kubectl("delete", "peerauthentication", "default", "-n", SHOP);
});

test("a new pod has its identity with its first packet", { skip }, async () => {
  const name = "hurried";
  const curl = `curl -sS -m 10 -o /dev/null -w '%{http_code}' http://web-v2.${SHOP}/`;
  await apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: SHOP },
      spec: {
        serviceAccountName: "client",
        restartPolicy: "Never",
        containers: [
          { name: "main", image: TOOLS_IMAGE, imagePullPolicy: "IfNotPresent", command: ["sh", "-c", curl] },
        ],
      },
    },
  ]);
  const phase = (): Promise<string> =>
    kubectl("get", "pod", name, "-n", SHOP, "-o", "jsonpath={.status.phase}");
  await eventually(async () => /Succeeded|Failed/.test(await phase()), CHANGE);
  assert.equal(await kubectl("logs", name, "-n", SHOP), "200");
  const logs = await kubectl("logs", "-n", "istio-system", "-l", "app=ztunnel", "--tail=200");
  const line = logs
    .split("\n")
    .find((each) => each.includes(`src.workload="${name}"`) && each.includes("inbound"));
  assert.match(line ?? "", new RegExp(`src.identity="spiffe://cluster.local/ns/${SHOP}/sa/client"`));
  await kubectl("delete", "pod", name, "-n", SHOP);
});

test("pods on the node's network are left alone", { skip }, async () => {
  const name = "on-the-node";
  await apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: SHOP },
      spec: {
        hostNetwork: true,
        nodeName: "node1",
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: "main",
            image: TOOLS_IMAGE,
            imagePullPolicy: "IfNotPresent",
            command: ["sleep", "infinity"],
          },
        ],
      },
    },
  ]);
  await kubectl("wait", "--for=condition=Ready", `pod/${name}`, "-n", SHOP, "--timeout=60s");
  assert.ok(!(await enrolledPods()).includes(name));
  const said = await kubectl(
    "exec",
    name,
    "-n",
    SHOP,
    "--",
    "curl",
    "-sS",
    "-m",
    "5",
    "http://10.241.0.10:6443/",
  );
  assert.match(said, /Client sent an HTTP request to an HTTPS server/);
  await kubectl("delete", "pod", name, "-n", SHOP);
});

test("connections are counted, by both sides' identities", { skip }, async () => {
  await call("client", `http://web-v2.${SHOP}/`);
  const { items } = JSON.parse(
    await kubectl("get", "pods", "-n", "istio-system", "-l", "app=ztunnel", "-o", "json"),
  );
  const pages = await Promise.all(
    items.map((pod: { metadata: { name: string } }) =>
      kubectl(
        "get",
        "--raw",
        `/api/v1/namespaces/istio-system/pods/${pod.metadata.name}:15020/proxy/metrics`,
      ),
    ),
  );
  const counted = pages
    .join("\n")
    .split("\n")
    .find(
      (line) =>
        line.startsWith("istio_tcp_connections_opened_total") && line.includes('reporter="destination"'),
    );
  assert.match(counted ?? "", /source_principal="spiffe:\/\/cluster.local\/ns\/shop\/sa\/(client|stranger)"/);
  assert.match(counted ?? "", /connection_security_policy="mutual_tls"/);
});

test("without the label, pods leave the mesh as they came: running", { skip }, async () => {
  const lives = await podLives();
  await leaveMesh();
  const word = randomUUID();
  assert.ok((await callWith(word)).includes(word));
  assert.deepEqual(await podLives(), lives);
});
