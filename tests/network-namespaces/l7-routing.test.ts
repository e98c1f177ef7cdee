/** Waypoints route: every table of scenarios on one cluster, whose namespace `apps` has a waypoint. */

import { after, before } from "node:test";
import { createTestAuthority } from "@meltemi/testkit";
import { BALANCING } from "./l7-balancing.scenarios.ts";
import { Caller } from "./l7-calls.fixture.ts";
import { apply, configureMesh, istioctl, kubectl, meshDown, meshUp, skip } from "./l7-cluster.fixture.ts";
import { EGRESS, MORE_FILTERS } from "./l7-egress.scenarios.ts";
import { HTTP_FILTERS } from "./l7-gateway-filters.scenarios.ts";
import { GRPC_ROUTES } from "./l7-gateway-grpc.scenarios.ts";
import { HTTP_ROUTES } from "./l7-gateway-routing.scenarios.ts";
import { HOSTILE } from "./l7-hostile.scenarios.ts";
import {
  AMBIENT,
  APPS,
  CONSUMER,
  callerProgram,
  echo,
  namespace,
  OUTSIDE,
  secretOf,
  service,
} from "./l7-objects.fixture.ts";
import { AUTHORIZERS, POLICIES } from "./l7-policies.scenarios.ts";
import { PROTOCOLS } from "./l7-protocols.scenarios.ts";
import { RESILIENCE } from "./l7-resilience.scenarios.ts";
import { type Callers, objectsOf, type Scenario, testScenarios } from "./l7-scenario.fixture.ts";
import { CA_SECRET, STREAMS, TLS_NAME } from "./l7-streams.scenarios.ts";
import { VIRTUAL_SERVICES } from "./l7-virtual-service.scenarios.ts";
import { VIRTUAL_TRAFFIC } from "./l7-virtual-traffic.scenarios.ts";

const TABLES: readonly (readonly [title: string, scenarios: readonly Scenario[]])[] = [
  ["HTTPRoute", HTTP_ROUTES],
  ["HTTPRoute", HTTP_FILTERS],
  ["GRPCRoute", GRPC_ROUTES],
  ["VirtualService", VIRTUAL_SERVICES],
  ["VirtualService", VIRTUAL_TRAFFIC],
  ["resilience", RESILIENCE],
  ["balancing", BALANCING],
  ["protocols", PROTOCOLS],
  ["streams", STREAMS],
  ["policy", POLICIES],
  ["egress", EGRESS],
  ["HTTPRoute", MORE_FILTERS],
  ["hostile", HOSTILE],
];
/** HTTP within TLS, and behind a PROXY header. */
const MORE_PORTS = {
  serve: ["tls=8443", "proxied=8081"],
  env: [
    { name: "TLS_CERTIFICATE", value: "/tls/tls.crt" },
    { name: "TLS_KEY", value: "/tls/tls.key" },
  ],
  volumeMounts: [{ name: "tls", mountPath: "/tls" }],
  volumes: [{ name: "tls", secret: { secretName: "echo-tls" } }],
} as const;
const authority = createTestAuthority();
const { cert, key } = authority.serverPem(TLS_NAME);
const callers: Record<string, Caller> = {};

before(async () => {
  if (skip !== false) return;
  await meshUp();
  await configureMesh(AUTHORIZERS);
  await apply(
    namespace(APPS, AMBIENT),
    namespace(CONSUMER, AMBIENT),
    namespace(OUTSIDE),
    secretOf("echo-tls", { "tls.crt": cert, "tls.key": key }),
    secretOf(CA_SECRET, { "ca.crt": authority.rootPem }),
    ...echo("echo-v1", "v1", "node-1", MORE_PORTS),
    ...echo("echo-v2", "v2", "node-2", MORE_PORTS),
    ...["v1", "v2"].map((version) => service(`echo-${version}`, { selector: { app: "echo", version } })),
    ...echo("external", "external", "node-2", { namespace: OUTSIDE }),
    service("external", { namespace: OUTSIDE, selector: { version: "external" }, ports: [{ port: 8080 }] }),
    service("authorizer", { labels: { "istio.io/use-waypoint": "none" } }),
    ...callerProgram("client", APPS, "node-1"),
    ...callerProgram("other", APPS, "node-2"),
    ...callerProgram("client", CONSUMER, "node-2"),
    ...callerProgram("client", OUTSIDE, "node-1"),
    ...TABLES.flatMap(([, scenarios]) => objectsOf(scenarios)),
  );
  await istioctl("waypoint", "apply", "-n", APPS, "--enroll-namespace", "--overwrite", "--wait");
  for (const each of [APPS, CONSUMER, OUTSIDE])
    await kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", each, "--timeout=60s");
  callers["client"] = new Caller(APPS, "deploy/client");
  callers["other"] = new Caller(APPS, "deploy/other");
  callers["consumer"] = new Caller(CONSUMER, "deploy/client");
  callers["outside"] = new Caller(OUTSIDE, "deploy/client");
});

after(async () => {
  for (const caller of Object.values(callers)) caller[Symbol.dispose]();
  if (skip === false) await meshDown();
});

for (const [title, scenarios] of TABLES) testScenarios(title, scenarios, (): Callers => callers);
