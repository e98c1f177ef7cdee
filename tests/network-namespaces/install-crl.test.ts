/** A certificate is revoked in a running mesh: from the Secret of a plugged-in CA to the connection that is cut, with no restart. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { certificatePem, decodeCertificates } from "@meltemi/identity";
import { createTestAuthority, eventually } from "@meltemi/testkit";
import {
  cluster,
  clusterUp,
  deployPrograms,
  fetchFromClient,
  istioctl,
  kubectl,
  OpenConnection,
  skip,
  untilEnrolled,
} from "./install.fixture.ts";

const INSTALL = ["install", "-y", "--set", "profile=ambient"];
const PATIENCE = { deadlineMs: 20_000, everyMs: 200 } as const;
const authority = createTestAuthority({ intermediates: 1 });

/** As an operator plugs in a CA (Istio's keys). */
async function plugIn(): Promise<void> {
  const { issuer, rootPem } = authority;
  const own = certificatePem(issuer.certificate);
  const literal = Object.entries({
    "ca-cert.pem": own,
    "ca-key.pem": issuer.key.export({ format: "pem", type: "pkcs8" }).toString(),
    "cert-chain.pem": own + rootPem,
    "root-cert.pem": rootPem,
  }).map(([key, text]) => `--from-literal=${key}=${text}`);
  await kubectl("create", "namespace", "istio-system");
  await kubectl("create", "secret", "generic", "cacerts", "-n", "istio-system", ...literal);
}

async function putLists(text: string): Promise<void> {
  const body = JSON.stringify({ stringData: { "ca-crl.pem": text } });
  await kubectl("patch", "secret", "cacerts", "-n", "istio-system", "--type=merge", "-p", body);
}

async function published(namespace: string): Promise<string> {
  const path = "jsonpath={.data.ca-crl\\.pem}";
  return await kubectl("get", "cm", "istio-ca-crl", "-n", namespace, "--ignore-not-found", "-o", path);
}

const untilPublished = (text: string): Promise<unknown> =>
  eventually(async () => {
    const found = await Promise.all(["shop", "default", "istio-system"].map(published));
    return found.every((one) => one === text);
  }, PATIENCE);

/** Of the ztunnel on this node, or of the control plane. */
async function ask(selector: string, node: string, url: string): Promise<string> {
  const field = `--field-selector=spec.nodeName=${node}`;
  const on = node === "" ? [] : [field];
  const name = await kubectl(
    "get",
    "pod",
    "-n",
    "istio-system",
    "-l",
    `app=${selector}`,
    ...on,
    "-o",
    "name",
  );
  return await kubectl("exec", "-n", "istio-system", name.trim(), "--", "curl", "-sS", "-m", "5", url);
}

/** The certificate that the client's ztunnel presents now is put on the list. */
async function revokeClient(): Promise<void> {
  const dump = JSON.parse(await ask("ztunnel", "node-1", "http://localhost:15000/config_dump"));
  const held = dump.certificates.find(({ identity }: { identity: string }) => identity.includes("/ns/shop/"));
  const pem = Buffer.from(held.certChain[0].pem, "base64").toString();
  const chain = decodeCertificates(pem);
  const leaf = chain.kind === "ok" ? chain.value[0] : undefined;
  assert.ok(leaf !== undefined);
  authority.revoke(leaf);
}

const meshPods = (): Promise<string> =>
  kubectl(
    "get",
    "pods",
    "-n",
    "istio-system",
    "-o",
    "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{'\\n'}{end}",
  );
const isServed = (): Promise<boolean> =>
  fetchFromClient().then(
    (text) => text === "hello\n",
    () => false,
  );

before(async () => {
  if (skip !== false) return;
  await cluster("down");
  await clusterUp();
  await plugIn();
  const { code, stderr } = await istioctl(...INSTALL);
  assert.equal(code, 0, stderr);
  await deployPrograms();
  await kubectl("label", "namespace", "shop", "istio.io/dataplane-mode=ambient");
  await untilEnrolled(2);
});

after(async () => {
  if (skip === false) await cluster("down");
});

test("a mesh whose CA has no lists runs, and publishes none", { skip }, async () => {
  assert.ok(await isServed());
  assert.equal(await published("shop"), "");
});

test("lists reach every namespace, and what somebody does to them is mended", { skip }, async () => {
  const text = authority.crlPem();
  await putLists(text);
  await untilPublished(text);
  await kubectl("delete", "cm", "istio-ca-crl", "-n", "shop");
  await untilPublished(text);
  const garbage = JSON.stringify({ data: { "ca-crl.pem": "garbage" } });
  await kubectl("patch", "cm", "istio-ca-crl", "-n", "default", "--type=merge", "-p", garbage);
  await untilPublished(text);
});

test("a revoked workload is cut off, and let in again by a list without it", { skip }, async () => {
  const pods = await meshPods();
  using open = new OpenConnection();
  await open.isAlive();
  const before = authority.crlPem();
  await revokeClient();
  await putLists(authority.crlPem());
  await open.hasEnded();
  assert.equal(await isServed(), false);
  const metrics = await ask("ztunnel", "node-2", "http://localhost:15020/metrics");
  assert.match(metrics, /^istio_crl_policy_rejections_total\{reporter="destination"\} [1-9]/m);
  await putLists("not a list");
  const refused = /^meltemi_certificate_authority_material_refused 1$/m;
  const isRefused = async (): Promise<boolean> =>
    refused.test(await ask("istiod", "", "http://localhost:15014/metrics"));
  await eventually(isRefused, PATIENCE);
  assert.equal(await isServed(), false);
  await putLists(before);
  await eventually(isServed, PATIENCE);
  assert.equal(await meshPods(), pods, "nothing was restarted");
});
