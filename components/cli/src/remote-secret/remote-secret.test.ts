import assert from "node:assert/strict";
import { test } from "node:test";
import { loadKubeconfig } from "@meltemi/kubernetes";
import { remoteSecret } from "./remote-secret.ts";

const CLUSTER = {
  name: "east",
  server: "https://10.0.0.1:6443",
  certificateAuthority: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
  serverName: "kubernetes",
  token: "t0ken",
};

test("a Secret whose only key is a kubeconfig that works", async () => {
  const secret = remoteSecret(CLUSTER, "istio-system", undefined) as {
    metadata: { name: string; labels: object; annotations: object };
    stringData: Record<string, string>;
  };
  assert.equal(secret.metadata.name, "istio-remote-secret-east");
  assert.deepEqual(secret.metadata.labels, { "istio/multiCluster": "true" });
  assert.deepEqual(secret.metadata.annotations, { "networking.istio.io/cluster": "east" });
  assert.deepEqual(Object.keys(secret.stringData), ["east"]);
  const access = loadKubeconfig(secret.stringData["east"] ?? "");
  assert.equal(access.server.href, "https://10.0.0.1:6443/");
  assert.equal(access.certificateAuthority, CLUSTER.certificateAuthority);
  assert.equal(access.serverName, "kubernetes");
  assert.equal(await access.token?.token(), "t0ken");
});

for (const name of ["", "East", "a/b", "-a"])
  test(`no name of a cluster: ${JSON.stringify(name)}`, () =>
    assert.throws(() => remoteSecret({ ...CLUSTER, name }, "istio-system", undefined), {
      code: "INPUT_INVALID",
    }));
