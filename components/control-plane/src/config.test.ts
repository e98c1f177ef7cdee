import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_TRAFFIC } from "./compile/l7/traffic-settings.ts";
import { readConfig, readMeshConfig } from "./config.ts";

test("everything has istiod's default", () => {
  const result = readConfig([], {});
  assert.ok(result.kind === "ok");
  assert.equal(result.config.clusterId, "Kubernetes");
  assert.deepEqual(result.config.tokenAudiences, ["istio-ca"]);
  assert.deepEqual(result.config.addresses, {
    secureGrpc: ":15012",
    plainGrpc: "127.0.0.1:15010",
    monitoring: ":15014",
    http: ":8080",
    https: ":15017",
  });
  assert.equal(result.config.requireToken, true);
  assert.equal(result.config.revocationLists, true);
  assert.equal(result.config.debounce.quietMs, 100);
});

test("flags and variables are istiod's", () => {
  const args = ["--monitoringAddr=:9999", "--domain", "example.org", "--log_output_level=default:debug"];
  const result = readConfig(args, {
    CA_TRUSTED_NODE_ACCOUNTS: "istio-system/ztunnel, other/z",
    TOKEN_AUDIENCES: "a,b",
    PILOT_DEBOUNCE_AFTER: "50ms",
    POD_NAMESPACE: "mesh",
    MAX_WORKLOAD_CERT_TTL: "1h",
    PILOT_ENABLE_CA_CRL: "false",
    ISTIOD_CUSTOM_HOST: "istiod.example.com, mesh.internal",
  });
  assert.ok(result.kind === "ok");
  const { config } = result;
  assert.equal(config.addresses.monitoring, ":9999");
  assert.deepEqual(config.customHosts, ["istiod.example.com", "mesh.internal"]);
  assert.equal(config.clusterDomain, "example.org");
  assert.equal(config.logLevel, "debug");
  assert.deepEqual(config.tokenAudiences, ["a", "b"]);
  assert.equal(config.trustedNodeAccounts.length, 2);
  assert.equal(config.debounce.quietMs, 50);
  assert.equal(config.namespace, "mesh");
  assert.equal(config.maxCertificateTtlMs, 3_600_000);
  assert.equal(config.revocationLists, false);
});

test("all faults are told together, each with its name", () => {
  const result = readConfig(["--nonsense=1", "--domain"], {
    PILOT_ENABLE_AMBIENT: "false",
    XDS_AUTH: "perhaps",
    CA_TRUSTED_NODE_ACCOUNTS: "ztunnel",
    PILOT_DEBOUNCE_MAX: "soon",
    ISTIOD_CUSTOM_HOST: "a b",
  });
  assert.ok(result.kind === "invalid");
  for (const name of [
    "--nonsense",
    "--domain",
    "PILOT_ENABLE_AMBIENT",
    "XDS_AUTH",
    "CA_TRUSTED_NODE_ACCOUNTS",
    "PILOT_DEBOUNCE_MAX",
    "ISTIOD_CUSTOM_HOST",
  ])
    assert.ok(
      result.problems.some((problem) => problem.startsWith(name)),
      name,
    );
});

const defaults = { namespace: "istio-system", trustDomain: undefined };

test("mesh configuration: defaults, values, and the environment below it", () => {
  assert.deepEqual(readMeshConfig(undefined, defaults), {
    trustDomain: "cluster.local",
    rootNamespace: "istio-system",
    traffic: DEFAULT_TRAFFIC,
  });
  assert.deepEqual(readMeshConfig("trustDomain: td\nrootNamespace: root\nunknown: {a: b}\n", defaults), {
    trustDomain: "td",
    rootNamespace: "root",
    traffic: DEFAULT_TRAFFIC,
  });
  assert.equal(readMeshConfig("", { ...defaults, trustDomain: "env" }).trustDomain, "env");
});

const refused = ["- a list", "trustDomain: [a]", "trustDomain: 'a b'", "a: b: c", "rootNamespace: 7"];
for (const text of refused)
  test(`mesh configuration refused: ${text}`, () =>
    assert.throws(() => readMeshConfig(text, defaults), { code: "CONFIG_INVALID" }));
