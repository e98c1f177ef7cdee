/**
 * What each of our proxies is under Istio's own charts and control plane (reference: protocol §8.3, §12): ztunnel takes the environment
 * that Istio's chart gives it, and a waypoint never serves by half of a configuration.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { xdsClientParts } from "@meltemi/proxy-process";
import { systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { eventually } from "@meltemi/testkit";
import { createWaypointXdsClient } from "@meltemi/xds";
import { readConfig as readWaypointConfig } from "../../components/waypoint/src/config.ts";
import { xdsNode } from "../../components/waypoint/src/world/xds-node.ts";
import { readConfig } from "../../components/ztunnel/src/config.ts";
import { quietLogger } from "../integration/control-plane.fixture.ts";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import {
  ADDRESS,
  AUTHORIZATION,
  type ForeignIstiod,
  ISTIOD_HOSTNAME,
  startForeignIstiod,
} from "./foreign-istiod.fixture.ts";

let authority: ForeignAuthority;
let istiod: ForeignIstiod;

before(async () => {
  authority = createForeignAuthority();
  istiod = await startForeignIstiod(authority);
});
after(async () => {
  await istiod?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});

/** All that Istio's chart sets, with its defaults; the pod's own facts as the downward API gives them. */
const CHART = {
  CA_ADDRESS: "istiod.istio-system.svc:15012",
  XDS_ADDRESS: "istiod.istio-system.svc:15012",
  NETWORK: "",
  RUST_LOG: "info",
  RUST_BACKTRACE: "1",
  ISTIO_META_CLUSTER_ID: "Kubernetes",
  INPOD_ENABLED: "true",
  TERMINATION_GRACE_PERIOD_SECONDS: "30",
  POD_NAME: "ztunnel-x7k",
  POD_NAMESPACE: "istio-system",
  NODE_NAME: "node-a",
  INSTANCE_IP: "10.0.0.9",
  SERVICE_ACCOUNT: "ztunnel",
  ZTUNNEL_CPU_LIMIT: "8",
  ZTUNNEL_RESOURCE_CPU_LIMIT: "8",
  ZTUNNEL_RESOURCE_CPU_REQUEST: "1",
  CRL_PATH: "/var/run/secrets/istio/crl/ca-crl.pem",
};

test("§8.3, §8.5 the environment of Istio's ztunnel chart is taken whole", () => {
  const { mode, xds, ca, node, drainDeadlineMs, hbone, authToken } = readConfig(CHART);
  assert.deepEqual(mode, {
    kind: "shared",
    nodeAgentSocket: "/var/run/ztunnel/ztunnel.sock",
    packetMark: 1337,
  });
  assert.deepEqual([xds.address, ca.address], [CHART.XDS_ADDRESS, CHART.CA_ADDRESS]);
  assert.deepEqual(
    [node.clusterId, node.trustDomain, node.instanceIp],
    ["Kubernetes", "cluster.local", "10.0.0.9"],
  );
  assert.equal(drainDeadlineMs, 25_000);
  assert.equal(hbone.crlPath, CHART.CRL_PATH);
  assert.equal(authToken, "./var/run/secrets/tokens/istio-token");
  assert.equal(xds.rootCa, "./var/run/secrets/istio/root-cert.pem");
});

test("§12 a waypoint of ours presents itself as Istio's, and is never in sync with a server that lacks its types", async () => {
  const config = readWaypointConfig(["proxy", "waypoint"], {
    POD_NAME: "waypoint-1",
    POD_NAMESPACE: "default",
    SERVICE_ACCOUNT: "waypoint",
    INSTANCE_IP: "10.0.0.15",
    NODE_NAME: "node-a",
    XDS_ADDRESS: `https://127.0.0.1:${istiod.port}`,
    XDS_ROOT_CA: authority.rootPem,
    ALT_XDS_HOSTNAME: ISTIOD_HOSTNAME,
    AUTH_TOKEN: "the-token-of-the-waypoint",
  });
  const { options, deps } = xdsClientParts(
    { ...config, clusterId: config.place.clusterId, node: xdsNode(config) },
    config.xds.address ?? "",
    { clock: systemClock, random: Math.random, logger: quietLogger(), registry: createRegistry() },
  );
  // As istiod does: types that it does not serve are left unanswered.
  istiod.answersFirst = false;
  await using client = createWaypointXdsClient(options, { ...deps, onUpdate: () => [] });
  let synced = false;
  void client.synced.then(() => {
    synced = true;
  });
  client.start();
  const stream = await istiod.stream(1);
  await eventually(() => stream.requests.length === 5);
  const [first] = stream.requests;
  assert.equal(first?.node?.id, "waypoint~10.0.0.15~waypoint-1.default~default.svc.cluster.local");
  assert.deepEqual(stream.requests.map(({ typeUrl }) => typeUrl).slice(0, 2), [ADDRESS, AUTHORIZATION]);
  for (const { typeUrl } of stream.requests.slice(2))
    assert.match(typeUrl, /^type\.googleapis\.com\/meltemi\./);
  for (const typeUrl of [ADDRESS, AUTHORIZATION]) {
    const ack = await stream.answer(stream.respond(typeUrl, []));
    assert.equal(ack.errorDetail, undefined);
  }
  assert.equal(synced, false);
});
