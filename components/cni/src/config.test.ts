import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "./config.ts";

test("readConfig has Istio's defaults", () => {
  const config = readConfig({ NODE_NAME: "node-1" });
  assert.deepEqual([...config.enrolment.excludeNamespaces], ["kube-system"]);
  assert.equal(config.enrolment.dnsCapture, true);
  assert.equal(config.capture.backend, "auto");
  assert.equal(config.ztunnelSocket, "/var/run/ztunnel/ztunnel.sock");
});

test("NATIVE_NFTABLES wins over CAPTURE_BACKEND", () => {
  const env = {
    NODE_NAME: "n",
    NATIVE_NFTABLES: "true",
    CAPTURE_BACKEND: "ebpf",
    EXCLUDE_NAMESPACES: " a, b ,,",
  };
  const config = readConfig(env);
  assert.equal(config.capture.backend, "nftables");
  assert.deepEqual([...config.enrolment.excludeNamespaces], ["a", "b"]);
});

test("readConfig names every variable at fault together", () => {
  const env = { AMBIENT_DNS_CAPTURE: "perhaps", CAPTURE_BACKEND: "iptables", MONITORING_PORT: "0" };
  assert.throws(
    () => readConfig(env),
    /NODE_NAME.*CAPTURE_BACKEND|NODE_NAME[\s\S]*AMBIENT_DNS_CAPTURE[\s\S]*CAPTURE_BACKEND[\s\S]*MONITORING_PORT/,
  );
});

const OWNED = { NODE_NAME: "n", ISTIO_OWNED_CNI_CONFIG: "true" };
test("a list of our own has Istio's name", () => {
  assert.equal(readConfig({ NODE_NAME: "n" }).install.ownedName, undefined);
  assert.equal(readConfig(OWNED).install.ownedName, "02-istio-cni.conflist");
});

for (const [name, env, want] of [
  ["in another folder", { ISTIO_OWNED_CNI_CONFIG_FILENAME: "../02.conflist" }, /FILENAME/],
  ["that runtimes do not look at", { ISTIO_OWNED_CNI_CONFIG_FILENAME: ".02.conflist" }, /FILENAME/],
  ["of one plugin", { ISTIO_OWNED_CNI_CONFIG_FILENAME: "02.conf" }, /FILENAME/],
  ["of a network that is not joined", { CHAINED_CNI_PLUGIN: "false" }, /CHAINED_CNI_PLUGIN/],
] as const)
  test(`readConfig refuses a list of our own ${name}`, () =>
    assert.throws(() => readConfig({ ...OWNED, ...env }), want));
