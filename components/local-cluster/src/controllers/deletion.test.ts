/** What goes when its owner goes, on the real API server: owners, namespaces, jobs. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomObject,
  DEPLOYMENTS,
  type Deployment,
  JOBS,
  NAMESPACES,
  PODS,
  type Pod,
  REPLICA_SETS,
  type ResourceType,
  SERVICE_ACCOUNTS,
} from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import { startTestCluster, type TestCluster } from "./cluster.testing.ts";
import { deployment, podTemplate, settledOnly, WAIT } from "./workload-objects.testing.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster(["node-a"]);
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

test("deleting an owner: background, foreground and orphan", async () => {
  const namespace = "garbage";
  await makeNamespace(namespace);
  for (const name of ["one", "two", "three"])
    await cluster.client.create(DEPLOYMENTS, deployment(namespace, name, 1));
  for (const name of ["one", "two", "three"]) await settled(namespace, name);
  const sets = async (app: string) =>
    (await cluster.client.list(REPLICA_SETS, { namespace, labelSelector: `app=${app}` })).items;
  const pods = async (app: string) =>
    (await cluster.client.list(PODS, { namespace, labelSelector: `app=${app}` })).items;
  await cluster.client.delete(DEPLOYMENTS, { namespace, name: "one" });
  await eventually(async () => (await sets("one")).length + (await pods("one")).length === 0, WAIT);
  await cluster.client.delete(DEPLOYMENTS, { namespace, name: "two" }, { propagation: "Foreground" });
  await eventually(
    async () => (await cluster.client.get(DEPLOYMENTS, { namespace, name: "two" })) === undefined,
    WAIT,
  );
  assert.equal((await sets("two")).length, 0);
  assert.equal((await pods("two")).length, 0);
  await cluster.client.delete(DEPLOYMENTS, { namespace, name: "three" }, { propagation: "Orphan" });
  await eventually(
    async () => (await cluster.client.get(DEPLOYMENTS, { namespace, name: "three" })) === undefined,
    WAIT,
  );
  const left = await sets("three");
  assert.equal(left.length, 1);
  assert.equal(left[0]?.metadata?.ownerReferences, undefined);
  assert.equal((await pods("three")).length, 1);
});

const WIDGETS: ResourceType<CustomObject> = {
  group: "example.com",
  version: "v1",
  plural: "widgets",
  kind: "Widget",
  namespaced: true,
};

test("a namespace goes with everything in it, objects of custom kinds among it", async () => {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  await cluster.client.create(CUSTOM_RESOURCE_DEFINITIONS, {
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget" },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  });
  const namespace = "ending";
  await makeNamespace(namespace);
  await eventually(() => cluster.client.create(WIDGETS, { metadata: { namespace, name: "w" } }), WAIT);
  await cluster.client.create(DEPLOYMENTS, deployment(namespace, "web", 3));
  await settled(namespace, "web");
  await cluster.client.delete(NAMESPACES, { name: namespace });
  await eventually(
    async () => (await cluster.client.get(NAMESPACES, { name: namespace })) === undefined,
    WAIT,
  );
  assert.equal((await podsOf(namespace)).length, 0);
  assert.equal((await cluster.client.list(WIDGETS, { namespace })).items.length, 0);
});

test("a job's pods, which its counting holds, go with it: background, foreground and orphan", async () => {
  const namespace = "jobs";
  await makeNamespace(namespace);
  for (const propagation of ["Background", "Foreground", "Orphan"] as const) {
    const name = propagation.toLowerCase();
    const template = podTemplate(name);
    const spec = { ...template.spec, containers: template.spec?.containers ?? [], restartPolicy: "Never" };
    await cluster.client.create(JOBS, { metadata: { namespace, name }, spec: { template: { spec } } });
    const pods = async () =>
      (await cluster.client.list(PODS, { namespace, labelSelector: `job-name=${name}` })).items;
    await eventually(async () => (await pods()).some(({ status }) => status?.phase === "Running"), WAIT);
    await cluster.client.delete(JOBS, { namespace, name }, { propagation });
    await eventually(async () => (await cluster.client.get(JOBS, { namespace, name })) === undefined, WAIT);
    if (propagation !== "Orphan") {
      await eventually(async () => (await pods()).length === 0, WAIT);
      continue;
    }
    await eventually(async () => (await pods())[0]?.metadata?.finalizers === undefined, WAIT);
    assert.equal((await pods()).length, 1);
  }
});
