/** The controllers against the real API server, over TLS on loopback. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  type DaemonSet,
  DEPLOYMENTS,
  type Deployment,
  ENDPOINT_SLICES,
  NAMESPACES,
  nameOf,
  PODS,
  type Pod,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import { startTestCluster, type TestCluster } from "./cluster.testing.ts";
import { deployment, podTemplate, settledOnly, WAIT } from "./workload-objects.testing.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster(["node-a", "node-b"]);
});
after(() => cluster.stop());

async function makeNamespace(name: string): Promise<void> {
  await cluster.client.create(NAMESPACES, { metadata: { name } });
  // Pods are refused before their service account is there.
  await eventually(() => cluster.client.get(SERVICE_ACCOUNTS, { namespace: name, name: "default" }), WAIT);
}

const podsOf = async (namespace: string): Promise<readonly Pod[]> =>
  (await cluster.client.list(PODS, { namespace })).items;

const settled = (namespace: string, name: string): Promise<Deployment> =>
  eventually(async () => settledOnly(await cluster.client.get(DEPLOYMENTS, { namespace, name })), WAIT);

test("every namespace gets its service account and root certificates, and gets them back", async () => {
  await makeNamespace("content");
  const ref = { namespace: "content", name: "kube-root-ca.crt" };
  const present = () =>
    eventually(async () => {
      const map = await cluster.client.get(CONFIG_MAPS, ref);
      assert.equal(map?.data?.["ca.crt"], cluster.certificateAuthority);
      return cluster.client.get(SERVICE_ACCOUNTS, { namespace: "content", name: "default" });
    }, WAIT);
  await present();
  await cluster.client.delete(CONFIG_MAPS, ref);
  await present();
  await cluster.client.patch(CONFIG_MAPS, ref, { kind: "merge", body: { data: { "ca.crt": "forged" } } });
  await present();
});

test("a deployment rolls out over both nodes, updates, and is undone by its old template", async () => {
  const namespace = "rollout";
  await makeNamespace(namespace);
  await cluster.client.create(DEPLOYMENTS, deployment(namespace, "web", 4));
  const first = await settled(namespace, "web");
  assert.equal(first.metadata?.annotations?.["deployment.kubernetes.io/revision"], "1");
  const byNode = Map.groupBy(await podsOf(namespace), (pod) => pod.spec?.nodeName);
  assert.deepEqual(
    [...byNode.values()].map((pods) => pods.length),
    [2, 2],
  );

  const ref = { namespace, name: "web" };
  const useImage = (image: string) =>
    cluster.client.patch(DEPLOYMENTS, ref, {
      kind: "strategic",
      body: { spec: { template: { spec: { containers: [{ name: "main", image }] } } } },
    });
  await useImage("app:2");
  await settled(namespace, "web");
  await eventually(async () => {
    const pods = await podsOf(namespace);
    assert.deepEqual(
      pods.map((pod) => pod.spec?.containers[0]?.image),
      ["app:2", "app:2", "app:2", "app:2"],
    );
    return true;
  }, WAIT);
  await useImage("app:1");
  await settled(namespace, "web");
  const sets = (await cluster.client.list(REPLICA_SETS, { namespace })).items;
  assert.equal(sets.length, 2);
  const again = await eventually(async () => {
    const found = await cluster.client.get(DEPLOYMENTS, ref);
    assert.equal(found?.metadata?.annotations?.["deployment.kubernetes.io/revision"], "3");
    return found;
  }, WAIT);
  const progressing = again.status?.conditions?.find(({ type }) => type === "Progressing");
  assert.equal(progressing?.reason, "NewReplicaSetAvailable");
});

test("a broken update stops within its bounds, and the old pods go on serving", async () => {
  const namespace = "broken";
  await makeNamespace(namespace);
  await cluster.client.create(DEPLOYMENTS, deployment(namespace, "api", 4));
  await settled(namespace, "api");
  for (const pod of await podsOf(namespace)) assert.match(nameOf(pod), /^api-/);
  const oldNames = (await podsOf(namespace)).map(nameOf);
  cluster.broken.add("api-");
  await cluster.client.patch(
    DEPLOYMENTS,
    { namespace, name: "api" },
    {
      kind: "merge",
      body: { spec: { template: { metadata: { annotations: { change: "1" } } } } },
    },
  );
  await eventually(async () => {
    const found = await cluster.client.get(DEPLOYMENTS, { namespace, name: "api" });
    // One surplus, one missing: two new ones that do not work, three old ones that do.
    assert.equal(found?.status?.updatedReplicas, 2);
    assert.equal(found?.status?.availableReplicas, 3);
    return true;
  }, WAIT);
  const left = (await podsOf(namespace)).filter((pod) => oldNames.includes(nameOf(pod)));
  assert.equal(left.length, 3);
  cluster.broken.delete("api-");
});

test("a service follows its pods: ready, not ready, terminating, gone", async () => {
  const namespace = "serving";
  await makeNamespace(namespace);
  await cluster.client.create(SERVICES, {
    metadata: { namespace, name: "web", labels: { team: "a" } },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
  });
  await cluster.client.create(DEPLOYMENTS, deployment(namespace, "web", 2));
  const endpoints = async () => {
    const { items } = await cluster.client.list(ENDPOINT_SLICES, { namespace });
    return items.flatMap((slice) => slice.endpoints.map((endpoint) => ({ ...endpoint, ports: slice.ports })));
  };
  const ready = await eventually(async () => {
    const found = await endpoints();
    assert.equal(found.filter(({ conditions }) => conditions?.ready).length, 2);
    return found;
  }, WAIT);
  assert.deepEqual(ready[0]?.ports, [{ name: "http", port: 8080, protocol: "TCP" }]);
  assert.equal(ready[0]?.zone, `zone-of-${ready[0]?.nodeName}`);
  await cluster.client.patch(
    DEPLOYMENTS,
    { namespace, name: "web" },
    { kind: "merge", body: { spec: { replicas: 0 } } },
  );
  await eventually(async () => (await endpoints()).length === 0, WAIT);
  const { items } = await cluster.client.list(ENDPOINT_SLICES, { namespace });
  assert.equal(items.length, 1);
  await cluster.client.delete(SERVICES, { namespace, name: "web" });
  await eventually(
    async () => (await cluster.client.list(ENDPOINT_SLICES, { namespace })).items.length === 0,
    WAIT,
  );
});

function daemonSet(namespace: string, name: string): DaemonSet {
  return {
    metadata: { namespace, name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: podTemplate(name),
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    },
  };
}

test("a daemon set runs once a node, and updates with a second pod first", async () => {
  const namespace = "daemons";
  await makeNamespace(namespace);
  await cluster.client.create(DAEMON_SETS, daemonSet(namespace, "agent"));
  const done = (updated: number) =>
    eventually(async () => {
      const found = await cluster.client.get(DAEMON_SETS, { namespace, name: "agent" });
      assert.equal(found?.status?.observedGeneration, found?.metadata?.generation);
      assert.equal(found?.status?.numberAvailable, 2);
      assert.equal(found?.status?.updatedNumberScheduled, updated);
      const pods = await podsOf(namespace);
      assert.deepEqual(pods.map((pod) => pod.spec?.nodeName).sort(), ["node-a", "node-b"]);
      return pods;
    }, WAIT);
  const first = await done(2);
  // From here on, at no time may a node be without a ready pod.
  const end = new AbortController();
  const { resourceVersion } = await cluster.client.list(PODS, { namespace });
  const ready = new Map(first.map((pod) => [nameOf(pod), pod.spec?.nodeName]));
  let least = 2;
  const watching = (async () => {
    for await (const event of cluster.client.watch(PODS, {
      namespace,
      resourceVersion,
      signal: end.signal,
    })) {
      if (event.kind === "bookmark") continue;
      const { object } = event;
      const isReady = object.status?.conditions?.some(
        ({ type, status }) => type === "Ready" && status === "True",
      );
      if (event.kind === "deleted" || object.metadata?.deletionTimestamp !== undefined || isReady !== true)
        ready.delete(nameOf(object));
      else ready.set(nameOf(object), object.spec?.nodeName);
      least = Math.min(least, new Set(ready.values()).size);
    }
  })().catch(() => {});
  await cluster.client.patch(
    DAEMON_SETS,
    { namespace, name: "agent" },
    {
      kind: "merge",
      body: { spec: { template: { metadata: { annotations: { restarted: "1" } } } } },
    },
  );
  await eventually(async () => {
    const pods = await done(2);
    return pods.every((pod) => !first.some((old) => nameOf(old) === nameOf(pod)));
  }, WAIT);
  end.abort();
  await watching;
  assert.equal(least, 2);
});

test("a pod that fits nowhere says why, and is scheduled once it fits", async () => {
  const namespace = "placing";
  await makeNamespace(namespace);
  await cluster.client.create(PODS, {
    metadata: { namespace, name: "picky" },
    spec: { containers: [{ name: "main", image: "app:1" }], nodeSelector: { disk: "fast" } },
  });
  const ref = { namespace, name: "picky" };
  await eventually(async () => {
    const pod = await cluster.client.get(PODS, ref);
    const condition = pod?.status?.conditions?.find(({ type }) => type === "PodScheduled");
    assert.equal(condition?.reason, "Unschedulable");
    assert.equal(
      condition?.message,
      "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    );
    return true;
  }, WAIT);
  const body = { metadata: { labels: { disk: "fast" } } };
  await cluster.client.request({
    method: "PATCH",
    path: "/api/v1/nodes/node-b",
    contentType: "application/merge-patch+json",
    body: JSON.stringify(body),
  });
  await eventually(async () => (await cluster.client.get(PODS, ref))?.spec?.nodeName === "node-b", WAIT);
});

test("controllers and scheduler go on when the API server was away", async () => {
  const namespace = "restart";
  await makeNamespace(namespace);
  await cluster.client.create(DEPLOYMENTS, deployment(namespace, "before", 2));
  await settled(namespace, "before");
  await cluster.restartServer();
  await eventually(() => cluster.client.create(DEPLOYMENTS, deployment(namespace, "after", 2)), WAIT);
  await settled(namespace, "after");
  await cluster.client.delete(DEPLOYMENTS, { namespace, name: "before" });
  await eventually(async () => (await podsOf(namespace)).length === 2, WAIT);
});
