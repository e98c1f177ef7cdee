/** The mesh comes into a cluster and goes again: the real command, the real kubectl, pods that run on throughout. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  cluster,
  clusterUp,
  deployPrograms,
  enrolledPods,
  fetchFromClient,
  istioctl,
  kubectl,
  meshObjects,
  nodeTraces,
  OpenConnection,
  podLives,
  skip,
  untilEnrolled,
} from "./install.fixture.ts";

/** A proxy that ends waits this long for connections it holds: here, not long. */
const INSTALL = [
  "install",
  "-y",
  "--set",
  "profile=ambient",
  "--set",
  "values.ztunnel.terminationGracePeriodSeconds=3",
];
const LABEL = "istio.io/dataplane-mode";

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await clusterUp();
  await deployPrograms();
});

after(async () => {
  if (skip === false) await cluster("down");
});

async function install(): Promise<void> {
  const { code, stderr } = await istioctl(...INSTALL);
  assert.equal(code, 0, stderr);
}

test("a dry run on an empty cluster tries everything and changes nothing", { skip }, async () => {
  const { code, stdout, stderr } = await istioctl(...INSTALL, "--dry-run");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /the API server takes every object/);
  assert.deepEqual(await meshObjects(), []);
});

test("installing once more changes nothing", { skip }, async () => {
  await install();
  const objects = await meshObjects();
  await install();
  assert.deepEqual(await meshObjects(), objects);
  const { stdout } = await istioctl("version");
  assert.match(stdout, /control plane version: [\d.]+\ndata plane version: [\d.]+ \(2 proxies\)/);
});

test("an installation whose pods fail says why, and the next one mends it", { skip }, async () => {
  const { code, stderr } = await istioctl(
    ...INSTALL,
    "--set",
    "values.ztunnel.env.XDS_ADDRESS=not a url",
    "--readiness-timeout",
    "10s",
  );
  assert.equal(code, 1);
  assert.match(stderr, /not ready within 10\.0s, still waiting for DaemonSet\/ztunnel: \d of 2 pods ready/);
  assert.match(
    stderr,
    /pod ztunnel-\w+ on node-\d: container istio-proxy: .*; its log ends: .*expected https/,
  );
  await install();
});

test("pods enter and leave the mesh, and no open connection notices", { skip }, async () => {
  using plain = new OpenConnection();
  await plain.isAlive();
  await kubectl("label", "namespace", "shop", `${LABEL}=ambient`);
  await untilEnrolled(2);
  using tunnelled = new OpenConnection();
  await tunnelled.isAlive();
  assert.notDeepEqual(await nodeTraces(), []);
  await kubectl("label", "namespace", "shop", `${LABEL}-`);
  await untilEnrolled(0);
  await tunnelled.isAlive();
  await plain.isAlive();
  assert.equal(await fetchFromClient(), "hello\n");
});

test("uninstall leaves running pods that talk in plaintext, and nothing else", { skip }, async () => {
  const lives = await podLives();
  using plain = new OpenConnection();
  await plain.isAlive();
  await kubectl("label", "namespace", "shop", `${LABEL}=ambient`);
  await untilEnrolled(2);
  assert.equal(await fetchFromClient(), "hello\n");
  const { code, stdout, stderr } = await istioctl("uninstall", "--purge", "-y");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /✔ Uninstall complete/);
  await plain.isAlive();
  assert.equal(await fetchFromClient(), "hello\n");
  assert.equal(await podLives(), lives);
  assert.equal(await enrolledPods(), 0);
  assert.deepEqual(await meshObjects(), []);
  assert.deepEqual(await nodeTraces(), []);
});

test("uninstalling once more finds nothing", { skip }, async () => {
  const { code, stdout } = await istioctl("uninstall", "--purge", "-y");
  assert.equal(code, 0);
  assert.match(stdout, /No resources will be pruned/);
});

test("installed again, it finds the namespace's label and enrols the pods", { skip }, async () => {
  const lives = await podLives();
  await install();
  await untilEnrolled(2);
  using tunnelled = new OpenConnection();
  await tunnelled.isAlive();
  assert.equal(await fetchFromClient(), "hello\n");
  assert.equal(await podLives(), lives);
});
