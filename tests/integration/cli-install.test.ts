/** What `install`, `upgrade`, `manifest diff`, `verify-install`, `tag` and `uninstall` say and do, against a real API server. */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  NAMESPACES,
  SECRETS,
  SERVICES,
} from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import { type CommandScene, createCommandScene, goldenOf, keepReady } from "./cli.fixture.ts";

const deadline = { timeout: 120_000 };
const text = { serializers: [String] };
const AMBIENT = "--set profile=ambient";

/** As a cluster is before anything of the mesh is in it. */
async function createBareScene(): Promise<CommandScene> {
  const scene = await createCommandScene();
  for (const { metadata } of (await scene.client.list(CUSTOM_RESOURCE_DEFINITIONS)).items)
    await scene.client.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: metadata?.name ?? "" });
  await eventually(async () => (await scene.client.list(CUSTOM_RESOURCE_DEFINITIONS)).items.length === 0);
  return scene;
}

test("a first dry run lists what would be made, and makes nothing", deadline, async (t) => {
  await using scene = await createBareScene();
  const { client, istioctl } = scene;
  const table = await istioctl(`install ${AMBIENT} --dry-run`);
  assert.equal(table.code, 0, table.err);
  t.assert.snapshot(table.out, text);
  const json = await istioctl("install --set profile=minimal --dry-run -o json");
  t.assert.snapshot(json.out, text);
  assert.equal(await client.get(NAMESPACES, { name: "istio-system" }), undefined);
  assert.deepEqual((await client.list(CUSTOM_RESOURCE_DEFINITIONS)).items, []);
});

test(
  "workloads that somebody deleted or scaled to nothing fail the verification and the installation",
  deadline,
  async () => {
    await using scene = await createBareScene();
    const { client, istioctl } = scene;
    const ended = new AbortController();
    const controllers = keepReady(client, ended.signal);
    const istiod = { name: "istiod", namespace: "istio-system" };
    try {
      assert.equal((await istioctl(`install ${AMBIENT} -y`)).code, 0);
      assert.equal((await istioctl("verify-install")).code, 0);
      await client.patch(DEPLOYMENTS, istiod, { kind: "merge", body: { spec: { replicas: 0 } } });
      const scaled = await istioctl("verify-install");
      assert.equal(scaled.code, 1);
      assert.match(
        scaled.out,
        /✘ Deployment istio-system\/istiod: scaled to 0: kubectl scale deployment\/istiod/,
      );
      // Its replicas are the autoscaler's, which leaves what is scaled to 0 alone.
      const again = await istioctl(`install ${AMBIENT} -y`);
      assert.equal(again.code, 1);
      assert.match(again.err, /Deployment\/istiod has no pods and wants none, scaled to 0: kubectl scale/);
      assert.doesNotMatch(again.out, /✔ Istiod installed/);

      await client.delete(DEPLOYMENTS, istiod);
      await client.delete(DAEMON_SETS, { name: "istio-cni-node", namespace: "istio-system" });
      const deleted = await istioctl("verify-install");
      assert.equal(deleted.code, 1);
      assert.match(deleted.out, /✘ Deployment istio-system\/istiod: not there/);
      assert.match(deleted.out, /✘ DaemonSet istio-system\/istio-cni-node: not there/);
      assert.doesNotMatch(deleted.out, /ztunnel: not there/);
    } finally {
      ended.abort();
      await controllers;
    }
  },
);

test("installed, changed by others, changed by values, upgraded, removed", deadline, async (t) => {
  await using scene = await createBareScene();
  const { client, istioctl, folder } = scene;
  const ended = new AbortController();
  const controllers = keepReady(client, ended.signal);
  const golden = async (words: string, answer?: string): Promise<void> => {
    const said = goldenOf(words, await istioctl(words, answer));
    t.assert.snapshot(said.replaceAll(folder, "<folder>"), text);
  };
  try {
    await golden("verify-install");
    await golden(`install ${AMBIENT}`, "n\n");
    assert.equal((await client.list(DAEMON_SETS)).items.length, 0);
    await golden(`install ${AMBIENT} --set tag=1.2.0`, "y\n");
    await golden("verify-install");
    await golden(`install ${AMBIENT} --set tag=1.2.0 --dry-run`);

    const manifests = join(folder, "mesh.yaml");
    const generated = await istioctl(`manifest generate ${AMBIENT} --set tag=1.2.0`);
    await writeFile(manifests, generated.out);
    await golden(`manifest diff ${manifests}`);
    const other = await istioctl(
      `manifest generate --set profile=minimal --set tag=1.2.0 --set meshConfig.trustDomain=td`,
    );
    const others = join(folder, "other.yaml");
    await writeFile(others, other.out);
    await golden(`manifest diff ${manifests} ${others}`);

    // Somebody scales by hand, and edits the mesh's configuration.
    const istiod = { name: "istiod", namespace: "istio-system" };
    await client.patch(
      DEPLOYMENTS,
      istiod,
      { kind: "merge", body: { spec: { replicas: 3 } } },
      { fieldManager: "kubectl-scale" },
    );
    await client.delete(CONFIG_MAPS, { name: "istio", namespace: "istio-system" });
    await golden(`install ${AMBIENT} --set tag=1.2.0 --dry-run`);
    await golden(`verify-install ${AMBIENT} --set tag=1.2.0 -o json`);

    await golden("install --set profile=minimal --set tag=1.2.0 --dry-run");
    await golden("install --set profile=minimal --set tag=1.2.0 -y");
    assert.deepEqual((await client.list(DAEMON_SETS)).items, []);
    assert.notEqual((await client.list(CUSTOM_RESOURCE_DEFINITIONS)).items.length, 0);

    await golden("upgrade --set tag=1.1.0");
    await golden("upgrade --set tag=1.4.0");
    await golden("upgrade --set tag=1.3.0 --set profile=minimal", "y\n");
    await golden("upgrade --revision canary");

    await golden("install --revision canary --set profile=minimal --set tag=1.3.0 -y");
    await golden("tag list");
    await golden("tag set prod --revision canary");
    await golden("tag set default --revision nothing");
    await golden("tag list");
    await golden("tag list -o json");
    await golden("tag generate next --revision canary");
    await golden("uninstall --revision canary --dry-run");
    await golden("uninstall --set revision=canary -y");
    assert.notEqual(await client.get(DEPLOYMENTS, istiod), undefined);
    await golden("tag remove prod -y");
    await golden("tag remove prod -y");
    await golden("tag set default --revision default");
    assert.deepEqual(
      (await client.list(SERVICES, { labelSelector: "istio.io/tag" })).items.map(
        ({ metadata }) => metadata?.name,
      ),
      ["istiod-revision-tag-default"],
    );
    await golden("uninstall --purge --dry-run");
    await golden("uninstall --purge -y");
    assert.deepEqual((await client.list(SERVICES, { namespace: "istio-system" })).items, []);
    await golden("uninstall --purge -y");
  } finally {
    ended.abort();
    await controllers;
  }
});

test("a control plane of helm's keeps its key when everything else is removed", deadline, async () => {
  await using scene = await createCommandScene();
  const { client, istioctl } = scene;
  const namespace = "istio-system";
  const existing = await client.get(NAMESPACES, { name: namespace });
  if (existing === undefined) await client.create(NAMESPACES, { metadata: { name: namespace } });
  const labels = { app: "istiod", "app.kubernetes.io/managed-by": "Helm" };
  const pod = { metadata: { labels }, spec: { containers: [{ name: "discovery", image: "x" }] } };
  await client.create(DEPLOYMENTS, {
    metadata: { name: "istiod", namespace, labels },
    spec: { selector: { matchLabels: labels }, template: pod },
  });
  const key = { name: "istio-ca-secret", namespace };
  await client.create(SECRETS, { metadata: key });
  const root = { name: "istio-ca-root-cert", namespace: "default" };
  await client.create(CONFIG_MAPS, { metadata: root });
  const said = await istioctl("uninstall --purge -y");
  assert.match(said.err, /istio-system\/istiod is still there, and keeps its key/);
  assert.notEqual(await client.get(SECRETS, key), undefined);
  assert.notEqual(await client.get(CONFIG_MAPS, root), undefined);
  assert.doesNotMatch((await istioctl("uninstall --purge --dry-run")).out, /istio-ca/);
  await client.delete(DEPLOYMENTS, { name: "istiod", namespace });
  const derived = [
    "ConfigMap/istio-ca-root-cert from 1 namespace",
    "Secret/istio-ca-secret: the key of the mesh",
  ];
  const dry = await istioctl("uninstall --purge --dry-run");
  for (const text of derived) assert.ok(dry.out.includes(`  would remove ${text}`), dry.out);
  assert.notEqual(await client.get(SECRETS, key), undefined);
  const done = await istioctl("uninstall --purge -y");
  for (const text of derived) assert.ok(done.out.includes(`  removed ${text}`), done.out);
  assert.match(done.out, /Uninstall complete/);
  assert.equal(await client.get(SECRETS, key), undefined);
  assert.equal(await client.get(CONFIG_MAPS, root), undefined);
});

test("what would take the place of running parts waits until the part before serves", deadline, async () => {
  await using scene = await createBareScene();
  const { client, istioctl } = scene;
  const said = await istioctl(`install ${AMBIENT} -y --readiness-timeout 1s`);
  assert.equal(said.code, 1);
  assert.match(said.err, /still waiting for Deployment\/istiod/);
  // No node lost its agent or its proxy to a version that does not start.
  assert.deepEqual((await client.list(DAEMON_SETS)).items, []);
});

test("who installs over helm's release is told so", deadline, async () => {
  await using scene = await createCommandScene();
  const { client, istioctl } = scene;
  const namespace = "istio-system";
  if ((await client.get(NAMESPACES, { name: namespace })) === undefined)
    await client.create(NAMESPACES, { metadata: { name: namespace } });
  const annotations = { "meta.helm.sh/release-name": "mesh-1", "meta.helm.sh/release-namespace": namespace };
  await client.create(CONFIG_MAPS, {
    metadata: { name: "istio", namespace, annotations },
    data: { mesh: "{}" },
  });
  const said = await istioctl("install --set profile=minimal --dry-run");
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /WARNING: helm installed this \(mesh-1\): its next upgrade finds conflicts/);
});
