/** The control plane with the rights that an installation gives it, and no others: everything it does is allowed. */

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  AUTHORIZATION_POLICIES,
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  type Condition,
  type CustomObject,
  createKubernetesClient,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  GATEWAY_CLASSES,
  GATEWAYS,
  HORIZONTAL_POD_AUTOSCALERS,
  HTTP_ROUTES,
  type KubernetesClient,
  type KubernetesObject,
  loadKubeconfig,
  type ObjectRef,
  POD_DISRUPTION_BUDGETS,
  type ResourceType,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICE_ENTRIES,
  SERVICES,
  statusOf,
  VALIDATING_WEBHOOKS,
  WORKLOAD_ENTRIES,
} from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import { renderComponents } from "../../components/cli/src/manifests/render.ts";
import { readInstallValues } from "../../components/cli/src/manifests/values.ts";
import {
  ADMIN_TOKEN,
  createToken,
  ensureNamespace,
  startCluster,
  subscribe,
} from "./control-plane.fixture.ts";
import { isServing, startReplica } from "./control-plane-process.fixture.ts";

const ISTIO = "istio-system";
const WAIT = { deadlineMs: 20_000 };
const INSTALLED: readonly ResourceType[] = [
  SERVICE_ACCOUNTS,
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
  ROLES,
  ROLE_BINDINGS,
  VALIDATING_WEBHOOKS,
];

/** Accounts, rights and webhooks of an installation. */
async function installRights(client: KubernetesClient): Promise<void> {
  const read = readInstallValues([{ profile: "ambient" }]);
  assert.ok(read.kind === "ok", JSON.stringify(read));
  const objects = renderComponents(read.values, []).flatMap(
    (each) => each.objects,
  ) as readonly KubernetesObject[];
  for (const type of INSTALLED)
    for (const object of objects.filter(({ kind }) => kind === type.kind))
      await client.apply(type, object, { fieldManager: "test" });
}

async function exposeWebhook(client: KubernetesClient, port: number): Promise<void> {
  const metadata = { namespace: ISTIO, name: "istiod" };
  await client.create(SERVICES, { metadata, spec: { ports: [{ name: "https-webhook", port: 443 }] } });
  await client.create(ENDPOINT_SLICES, {
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "istiod" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"] }],
    ports: [{ name: "https-webhook", port }],
  });
}

const GATEWAY = {
  gatewayClassName: "istio-waypoint",
  listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
};

function fill(client: KubernetesClient): readonly Promise<unknown>[] {
  const at = (name: string, more: object = {}) => ({ metadata: { namespace: "apps", name, ...more } });
  const annotations = { "meltemi.io/high-availability": "true" };
  const labels = { "istio.io/use-waypoint": "waypoint" };
  const entry = {
    hosts: ["api.example.com"],
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    resolution: "DNS",
  };
  const parentRefs = [{ group: "", kind: "Service", name: "reviews" }];
  return [
    client.create(AUTHORIZATION_POLICIES, { ...at("policy"), spec: { rules: [{}] } }),
    client.create(GATEWAYS, {
      ...at("waypoint", { annotations }),
      spec: GATEWAY,
    }),
    client.create(SERVICES, { ...at("reviews", { labels }), spec: { ports: [{ port: 80 }] } }),
    client.create(SERVICE_ENTRIES, { ...at("api"), spec: entry }),
    client.create(WORKLOAD_ENTRIES, { ...at("vm", { labels }), spec: { address: "10.1.2.3" } }),
    client.create(HTTP_ROUTES, {
      ...at("route"),
      spec: { parentRefs, rules: [{ backendRefs: [{ name: "reviews", port: 80 }] }] },
    }),
  ];
}

function conditionsOf(object: KubernetesObject | undefined): readonly Condition[] {
  return (object as { status?: { conditions?: readonly Condition[] } } | undefined)?.status?.conditions ?? [];
}

test("an installation's rights are enough for all that the control plane does", {
  timeout: 120_000,
}, async () => {
  await using folder = await createTemporaryFolder();
  await using cluster = await startCluster();
  const { client } = cluster;
  for (const namespace of [ISTIO, "apps"]) await ensureNamespace(client, namespace);
  await installRights(client);
  const token = await createToken(client, ISTIO, "ztunnel");
  const own = await client.createToken({ namespace: ISTIO, name: "istiod" });
  const kubeconfig = join(folder.path, "kubeconfig");
  await writeFile(kubeconfig, cluster.kubeconfig.replace(ADMIN_TOKEN, own.token), { mode: 0o600 });
  const itself = createKubernetesClient(loadKubeconfig(await readFile(kubeconfig, "utf8")), {
    clock: systemClock,
  });
  const mayNot = (call: Promise<unknown>): Promise<void> =>
    assert.rejects(call, (error) => statusOf(error)?.code === 403);
  await mayNot(itself.list(SECRETS));
  await mayNot(itself.get(SECRETS, { namespace: ISTIO, name: "other" }));
  await mayNot(itself.list(SECRETS, { namespace: "apps", fieldSelector: "metadata.name=cacerts" }));
  // What it makes it does not take away, and what it writes the status of it does not rewrite.
  await mayNot(itself.delete(SERVICES, { namespace: "apps", name: "reviews" }));
  await mayNot(itself.delete(DEPLOYMENTS, { namespace: "apps", name: "reviews" }));
  await mayNot(
    itself.replace(GATEWAYS, { metadata: { namespace: "apps", name: "waypoint" }, spec: GATEWAY }),
  );
  await mayNot(itself.delete(VALIDATING_WEBHOOKS, { name: "istiod-default-validator" }));
  itself.close();
  await using replica = await startReplica("istiod-a", kubeconfig);
  await eventually(() => isServing(replica), { deadlineMs: 30_000 });
  await exposeWebhook(client, replica.webhookPort);
  await Promise.all(fill(client));

  const has = <T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    judge: (object: T) => boolean = () => true,
  ): Promise<unknown> =>
    eventually(async () => {
      const object = await client.get(type, ref);
      return object !== undefined && judge(object);
    }, WAIT);
  const apps = (name: string): ObjectRef => ({ namespace: "apps", name });
  const tells = (object: KubernetesObject): boolean => conditionsOf(object).length > 0;
  const waypoint = apps("waypoint");
  await has(SECRETS, { namespace: ISTIO, name: "istio-ca-secret" });
  await has(CONFIG_MAPS, apps("istio-ca-root-cert"));
  await has(AUTHORIZATION_POLICIES, apps("policy"), tells);
  await has(GATEWAY_CLASSES, { name: "istio-waypoint" }, tells);
  await has(GATEWAYS, waypoint, tells);
  await has(HORIZONTAL_POD_AUTOSCALERS, waypoint);
  await has(POD_DISRUPTION_BUDGETS, waypoint);
  await has(SERVICES, apps("reviews"), tells);
  await has(WORKLOAD_ENTRIES, apps("vm"), tells);
  await has(HTTP_ROUTES, apps("route"), ({ status }) => status !== undefined);
  await has(SERVICE_ENTRIES, apps("api"), (object: CustomObject) =>
    JSON.stringify(object.status ?? {}).includes("240.240."),
  );
  for (const name of ["istiod-default-validator", `istio-validator-${ISTIO}`])
    await has(VALIDATING_WEBHOOKS, { name }, ({ webhooks }) => webhooks?.[0]?.failurePolicy === "Fail");
  const body = { metadata: { annotations: { "meltemi.io/high-availability": null } } };
  await client.patch(GATEWAYS, waypoint, { kind: "merge", body });
  await eventually(async () => (await client.get(POD_DISRUPTION_BUDGETS, waypoint)) === undefined, WAIT);

  const root = await client.get(CONFIG_MAPS, { namespace: ISTIO, name: "istio-ca-root-cert" });
  const rootPem = root?.data?.["root-cert.pem"] ?? "";
  await using subscriber = subscribe({ securePort: replica.securePort, rootPem }, token);
  await eventually(() => subscriber.held.has("apps/policy"), WAIT);
  replica.process.kill("SIGTERM");
  assert.equal(await replica.ended, 0);
  const refused = replica
    .output()
    .split("\n")
    .filter((line) => /forbidden|HTTP 40[13]/i.test(line));
  assert.deepEqual(refused, []);
});
