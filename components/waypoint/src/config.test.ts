import assert from "node:assert/strict";
import { test } from "node:test";
import { logFilterOf, parseArguments } from "./arguments.ts";
import { readConfig } from "./config.ts";

const WORDS = [
  "proxy",
  "waypoint",
  "--domain",
  "ns.svc.example.org",
  "--serviceCluster",
  "wp.ns",
  "--proxyLogLevel",
  "warning",
  "--log_output_level=default:info,xds:debug",
];
const ENV = { POD_NAME: "wp-1", POD_NAMESPACE: "ns", SERVICE_ACCOUNT: "wp", INSTANCE_IP: "10.0.0.15" };

test("Istio's command line and the pod's own names are enough", () => {
  const config = readConfig(WORDS, ENV);
  assert.deepEqual(config.pod, { name: "wp-1", namespace: "ns", serviceAccount: "wp" });
  assert.deepEqual(config.place, { ip: "10.0.0.15", node: "", network: "", clusterId: "Kubernetes" });
  assert.equal(config.clusterDomain, "example.org");
  assert.equal(config.xds.address, "https://istiod.istio-system.svc:15012");
  assert.equal(config.log.filter, "info,xds=debug");
  assert.equal(config.drainDeadlineMs, 25_000);
});

test("CA_ADDR names control plane and CA, more exact variables win", () => {
  const both = readConfig(WORDS, { ...ENV, CA_ADDR: "istiod-canary.mesh.svc:15012" });
  assert.equal(both.xds.address, "istiod-canary.mesh.svc:15012");
  assert.equal(both.ca.address, "istiod-canary.mesh.svc:15012");
  const own = readConfig(WORDS, { ...ENV, CA_ADDR: "a:1", CA_ADDRESS: "b:2", XDS_ADDRESS: "c:3" });
  assert.deepEqual([own.xds.address, own.ca.address], ["c:3", "b:2"]);
});

for (const [name, words, env, want] of [
  ["another role", ["proxy", "router"], ENV, /expected proxy waypoint/],
  ["a flag that Istio does not pass", [...WORDS, "--foo", "1"], ENV, /unknown flag "--foo"/],
  ["a flag without its value", ["proxy", "waypoint", "--domain"], ENV, /--domain: expected a value/],
  ["no name of the pod", WORDS, { ...ENV, POD_NAME: "" }, /POD_NAME: expected/],
  ["an address that is none", WORDS, { ...ENV, INSTANCE_IP: "here" }, /INSTANCE_IP: expected an address/],
  ["no control plane", WORDS, { ...ENV, XDS_ADDRESS: "" }, /XDS_ADDRESS: expected/],
  ["a level that is none", WORDS, { ...ENV, RUST_LOG: "loud" }, /log level: expected/],
] as const)
  test(`refused: ${name}`, () => assert.throws(() => readConfig(words, env), want));

for (const [levels, want] of [
  [["--log_output_level", "default:warning"], "warn"],
  [["--proxyLogLevel", "critical"], "error"],
  [["--proxyLogLevel", "trace"], "trace"],
  [[], undefined],
] as const)
  test(`log level of ${levels.join(" ")}`, () => {
    const args = parseArguments(["proxy", "waypoint", ...levels]);
    assert.ok(args.kind === "ok");
    assert.equal(logFilterOf(args.value), want);
  });
