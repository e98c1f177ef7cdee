import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { loadInCluster } from "./in-cluster.ts";

const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

function podFiles(files: Record<string, string>) {
  return (path: string): Promise<string> => {
    const text = files[path.replace(`${FOLDER}/`, "")];
    return text === undefined ? Promise.reject(new Error(`ENOENT: ${path}`)) : Promise.resolve(text);
  };
}

const env = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };

test("a rotated token is read again after a minute, and at once after a refusal", async () => {
  const clock = createFakeClock();
  const files = { token: "one\n", "ca.crt": "pem", namespace: "shop" };
  const access = await loadInCluster({ env, clock, readFile: podFiles(files) });
  assert.equal(access.server.href, "https://10.96.0.1/");
  assert.equal(access.defaultNamespace, "shop");
  assert.equal(await access.token?.token(), "one");
  files.token = "two";
  clock.advance(59_000);
  assert.equal(await access.token?.token(), "one");
  clock.advance(1_000);
  assert.equal(await access.token?.token(), "two");
  files.token = "three";
  access.token?.refused();
  assert.equal(await access.token?.token(), "three");
});

test("an IPv6 service address", async () => {
  const readFile = podFiles({ token: "t", "ca.crt": "pem", namespace: "shop" });
  const ipv6 = { ...env, KUBERNETES_SERVICE_HOST: "fd00::1" };
  const access = await loadInCluster({ env: ipv6, clock: createFakeClock(), readFile });
  assert.equal(access.server.host, "[fd00::1]");
});

const refusals = [
  { name: "outside a pod", env: {}, files: {}, message: /KUBERNETES_SERVICE_HOST is not set/ },
  { name: "no token", env, files: { "ca.crt": "pem", namespace: "a" }, message: /serviceaccount\/token/ },
  { name: "no authority", env, files: { token: "t", namespace: "a" }, message: /serviceaccount\/ca\.crt/ },
];
for (const c of refusals) {
  test(`refused: ${c.name}`, async () => {
    const deps = { env: c.env, clock: createFakeClock(), readFile: podFiles(c.files) };
    await assert.rejects(loadInCluster(deps), { code: "CONFIG_INVALID", message: c.message });
  });
}
