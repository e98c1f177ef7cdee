import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "./config.ts";

test("an empty environment is Istio's defaults", () => {
  const config = readConfig({});
  assert.equal(config.xds.address, "https://istiod.istio-system.svc:15012");
  assert.equal(config.ca.address, config.xds.address);
  assert.deepEqual(config.mode, {
    kind: "shared",
    nodeAgentSocket: "/var/run/ztunnel/ztunnel.sock",
    packetMark: 1337,
  });
  assert.deepEqual([config.dns.enabled, config.dns.port], [true, 15053]);
  assert.equal(config.drainDeadlineMs, 5000);
  assert.deepEqual(config.sockets.keepAlive, { idleSeconds: 180, intervalSeconds: 180, probes: 9 });
  assert.equal(config.sockets.userTimeoutMs, undefined);
  assert.equal(config.node.clusterId, "Kubernetes");
});

test("all faults are told together", () => {
  assert.throws(
    () =>
      readConfig({
        PROXY_MODE: "dedicated",
        PROXY_WORKLOAD_INFO: "only/two",
        SECRET_TTL: "tomorrow",
        POOL_MAX_STREAMS_PER_CONNECTION: "0",
        XDS_ON_DEMAND: "true",
        LOCAL_XDS: "{}",
        LOCAL_XDS_PATH: "/x",
        TLS12_ENABLED: "true",
        ISTIO_META_DNS_PROXY_ADDR: "10.0.0.1:53",
        ISTIO_METAJSON_LABELS: "{",
        LOG_FORMAT: "xml",
      }),
    (error: Error) => {
      for (const name of [
        "PROXY_WORKLOAD_INFO",
        "SECRET_TTL",
        "POOL_MAX_STREAMS",
        "XDS_ON_DEMAND",
        "LOCAL_XDS",
        "TLS12_ENABLED",
        "DNS_PROXY_ADDR",
        "ISTIO_METAJSON_LABELS",
        "LOG_FORMAT",
      ])
        assert.ok(error.message.includes(name), name);
      return true;
    },
  );
});

for (const [name, env, want] of [
  ["explicit", { CONNECTION_TERMINATION_DEADLINE: "90s", TERMINATION_GRACE_PERIOD_SECONDS: "30" }, 90_000],
  ["grace period", { TERMINATION_GRACE_PERIOD_SECONDS: "30" }, 25_000],
  ["short grace period", { TERMINATION_GRACE_PERIOD_SECONDS: "10" }, 9000],
  ["shortest", { TERMINATION_GRACE_PERIOD_SECONDS: "1" }, 1000],
] as const)
  test(`drain deadline: ${name}`, () => assert.equal(readConfig(env).drainDeadlineMs, want));

test("on demand excludes the DNS proxy", () => {
  assert.equal(readConfig({}).xds.onDemand, false);
  assert.equal(readConfig({ XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" }).xds.onDemand, true);
  assert.throws(() => readConfig({ XDS_ON_DEMAND: "true" }), /XDS_ON_DEMAND: .*ISTIO_META_DNS_CAPTURE=false/);
});

test("an address set to nothing means none", () => {
  const config = readConfig({ XDS_ADDRESS: "", CA_ADDRESS: "" });
  assert.deepEqual([config.xds.address, config.ca.address], [undefined, undefined]);
  assert.equal(readConfig({ XDS_ADDRESS: "istiod:15012" }).ca.address, "istiod:15012");
});

test("metadata and headers come by prefix", () => {
  const config = readConfig({
    ISTIO_META_NETWORK: "n1",
    ISTIO_METAJSON_LABELS: '{"a":1}',
    XDS_HEADER_tenant: "t",
    ENABLE_ORIG_SRC: "false",
  });
  assert.deepEqual(config.metadata, { NETWORK: "n1", LABELS: { a: 1 } });
  assert.deepEqual([...config.xds.headers], [["tenant", "t"]]);
  assert.equal(config.sockets.originalSource, "off");
});

test("a dedicated proxy marks its packets when it is told to, and by itself does not", () => {
  const dedicated = { PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO: "default/web/sa" };
  const marks = [dedicated, { ...dedicated, PACKET_MARK: "77" }].map(
    (env) => readConfig(env).mode.packetMark,
  );
  assert.deepEqual(marks, [undefined, 77]);
});

test("a path of revocation lists is taken as it is", () => {
  assert.equal(readConfig({}).hbone.crlPath, undefined);
  assert.equal(readConfig({ CRL_PATH: "/crl/ca-crl.pem" }).hbone.crlPath, "/crl/ca-crl.pem");
});
