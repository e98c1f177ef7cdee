/**
 * What Istio's tools read of a ztunnel (reference: protocol §7.1, §7.2, §7.3, §8.1, §8.2): `config_dump` in the form that
 * `istioctl ztunnel-config` decodes, the admin endpoints, and the names of the metrics.
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import { answerOf, open, session } from "./foreign-hbone-client.fixture.ts";
import { type ForeignHboneServer, startForeignHboneServer } from "./foreign-hbone-server.fixture.ts";
import {
  type ForeignIstiod,
  policyResource,
  serviceResource,
  startForeignIstiod,
  workloadResource,
} from "./foreign-istiod.fixture.ts";
import {
  basicMesh,
  FOREIGN_ADDRESS,
  identityOf,
  OUR_ADDRESS,
  type OurZtunnel,
  startApplication,
  startScene,
} from "./ztunnel.fixture.ts";

let authority: ForeignAuthority;
let istiod: ForeignIstiod;
let ours: OurZtunnel;
let foreign: ForeignHboneServer;
let app: Awaited<ReturnType<typeof startApplication>>;
let outbound: Socket;
let inbound: Awaited<ReturnType<typeof session>>;
let dump: Json;

type Json = { readonly [key: string]: unknown };

const at = (...bytes: number[]): Uint8Array => Uint8Array.of(...bytes);
const gateway = (address: Uint8Array) =>
  ({ destination: { case: "address", value: { network: "", address } }, hboneMtlsPort: 15008 }) as const;

before(async () => {
  authority = createForeignAuthority();
  istiod = await startForeignIstiod(authority);
  app = await startApplication(OUR_ADDRESS, (socket) => void socket.pipe(socket));
  istiod.push(
    workloadResource({
      uid: "full",
      name: "full",
      namespace: "default",
      hostname: "full.example",
      waypoint: gateway(at(127, 0, 0, 9)),
      networkGateway: gateway(at(127, 0, 0, 8)),
      applicationTunnel: { protocol: 1, port: 15088 },
      authorizationPolicies: ["default/named"],
      capacity: 3,
      status: 1,
      networkMode: 1,
      network: "net-2",
    }),
    serviceResource({
      name: "full",
      namespace: "default",
      hostname: "full.default.svc.cluster.local",
      addresses: [
        { network: "net-2", address: at(10, 96, 0, 9) },
        { network: "", address: at(10, 98, 0, 0), length: 16 },
      ],
      ports: [{ servicePort: 80, targetPort: 8080 }],
      subjectAltNames: [identityOf("other")],
      waypoint: gateway(at(127, 0, 0, 9)),
      loadBalancing: { mode: 2, routingPreference: [6, 1, 2], healthPolicy: 1 },
      ipFamilies: 3,
      canonical: true,
    }),
    policyResource({
      name: "named",
      namespace: "default",
      scope: 2,
      action: 1,
      rules: [
        {
          clauses: [
            {
              matches: [
                {
                  principals: [{ matchType: { case: "prefix", value: "x/" } }],
                  notPrincipals: [{ matchType: { case: "presence", value: {} } }],
                  namespaces: [{ matchType: { case: "exact", value: "a" } }],
                  notNamespaces: [{ matchType: { case: "suffix", value: "b" } }],
                  sourceIps: [{ address: at(10, 0, 0, 0), length: 8 }],
                  destinationPorts: [80],
                  serviceAccounts: [{ namespace: "a", serviceAccount: "b" }],
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  ours = await startScene(authority, istiod, {}, basicMesh(app.port));
  const credentials = authority.issue(`URI:${identityOf("server")}`);
  foreign = await startForeignHboneServer(ours.ports.inboundHbone, credentials);
  outbound = await ours.connect(`${FOREIGN_ADDRESS}:8080`);
  await eventually(() => foreign.tunnels.length === 1);
  inbound = await session({ authority, ours });
  await answerOf(open(inbound, `${OUR_ADDRESS}:${app.port}`));
  dump = (await (await admin("/config_dump")).json()) as Json;
});
after(async () => {
  outbound?.destroy();
  inbound?.destroy();
  await ours?.[Symbol.asyncDispose]();
  await foreign?.[Symbol.asyncDispose]();
  await istiod?.[Symbol.asyncDispose]();
  await app?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});

const admin = (path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${ours.ztunnel.ports.adminPort}${path}`, init);
const stats = (path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${ours.ztunnel.ports.statsPort}${path}`, init);

/** What Go's decoder of istioctl takes for a field; `?` marks one that may be missing. */
type Shape = string | readonly [Shape] | { readonly [key: string]: Shape };

const GATEWAY: Shape = { destination: "string" };
const STRING_MATCH: Shape = {
  "Exact?": "string",
  "Prefix?": "string",
  "Suffix?": "string",
  "Presence?": "any",
};
const CONNECTION: Shape = {
  src: "string",
  "originalDst?": "string",
  actualDst: "string",
  protocol: "string",
};
const CERTIFICATE: Shape = {
  pem: "string",
  serialNumber: "string",
  validFrom: "string",
  expirationTime: "string",
};
const DUMP: Shape = {
  workloads: [
    {
      uid: "string",
      workloadIps: ["string"],
      "waypoint?": GATEWAY,
      "networkGateway?": GATEWAY,
      protocol: "string",
      name: "string",
      namespace: "string",
      serviceAccount: "string",
      workloadName: "string",
      workloadType: "string",
      canonicalName: "string",
      canonicalRevision: "string",
      clusterId: "string",
      "trustDomain?": "string",
      "locality?": { "region?": "string", "zone?": "string", "subzone?": "string" },
      node: "string",
      "network?": "string",
      status: "string",
      "hostname?": "string",
      capacity: "number",
      "applicationTunnel?": { protocol: "string", "port?": "number" },
      "authorizationPolicies?": ["string"],
    },
  ],
  services: [
    {
      name: "string",
      namespace: "string",
      hostname: "string",
      vips: ["string"],
      "cidrVips?": ["string"],
      ports: { "*": "number" },
      "loadBalancer?": { mode: "string", routingPreferences: ["string"], healthPolicy: "string" },
      "waypoint?": GATEWAY,
      endpoints: {
        "*": { workloadUid: "string", "service?": "string", "address?": "string", port: { "*": "number" } },
      },
      "subjectAltNames?": ["string"],
      "ipFamilies?": "string",
      "canonical?": "boolean",
      "visibility?": "string",
    },
  ],
  policies: [
    {
      name: "string",
      namespace: "string",
      scope: "string",
      action: "string",
      rules: [
        [
          [
            {
              "namespaces?": [STRING_MATCH],
              "notNamespaces?": [STRING_MATCH],
              "principals?": [STRING_MATCH],
              "notPrincipals?": [STRING_MATCH],
              "sourceIps?": ["string"],
              "notSourceIps?": ["string"],
              "destinationIps?": ["string"],
              "notDestinationIps?": ["string"],
              "destinationPorts?": ["number"],
              "notDestinationPorts?": ["number"],
              "serviceAccounts?": [{ namespace: "string", serviceAccount: "string" }],
              "notServiceAccounts?": [{ namespace: "string", serviceAccount: "string" }],
            },
          ],
        ],
      ],
    },
  ],
  certificates: [{ identity: "string", state: "string", certChain: [CERTIFICATE], rootCerts: [CERTIFICATE] }],
  workloadState: {
    "*": {
      state: "string",
      connections: { inbound: [CONNECTION], outbound: [CONNECTION] },
      info: { name: "string", namespace: "string", "trustDomain?": "string", serviceAccount: "string" },
    },
  },
};

/** Faults that Go would find, or that would leave a column of istioctl empty. Keys that istioctl does not know are no fault. */
function faults(value: unknown, shape: Shape, path: string): string[] {
  if (shape === "any") return [];
  if (typeof shape === "string")
    return typeof value === shape ? [] : [`${path}: ${JSON.stringify(value)} is no ${shape}`];
  if (isList(shape)) {
    if (!Array.isArray(value)) return [`${path}: no list`];
    return value.flatMap((one, index) => faults(one, shape[0], `${path}[${index}]`));
  }
  if (typeof value !== "object" || value === null) return [`${path}: no object`];
  const each = shape["*"];
  if (each !== undefined)
    return Object.entries(value).flatMap(([key, one]) => faults(one, each, `${path}.${key}`));
  return Object.entries(shape).flatMap(([word, inner]) => {
    const key = word.replace("?", "");
    const found = (value as Json)[key];
    // Go reads null as absent.
    if (found === undefined || found === null) return word.endsWith("?") ? [] : [`${path}.${key}: missing`];
    return faults(found, inner, `${path}.${key}`);
  });
}

function isList(shape: Exclude<Shape, string>): shape is readonly [Shape] {
  return Array.isArray(shape);
}

test("§8.2 config_dump is what istioctl decodes, in every field and its type", () => {
  assert.deepEqual(faults(dump, DUMP, "dump"), []);
  for (const key of ["stagedServices", "staticConfig", "version", "config"]) assert.ok(key in dump, key);
});

const find = (list: string, name: string): Json =>
  (dump[list] as Json[]).find((one) => one["name"] === name) ?? assert.fail(`${list}: no ${name}`);

test("§8.2 words of workloads, services and policies are ztunnel's", () => {
  const workload = find("workloads", "full");
  assert.equal(workload["protocol"], "TCP");
  assert.equal(find("workloads", "client")["protocol"], "HBONE");
  assert.equal(workload["status"], "Unhealthy");
  assert.equal(workload["networkMode"], "HostNetwork");
  assert.equal(workload["workloadType"], "deployment");
  assert.equal((workload["waypoint"] as Json)["destination"], "/127.0.0.9");
  assert.deepEqual(workload["applicationTunnel"], { protocol: "PROXY", port: 15088 });
  const service = find("services", "full");
  assert.deepEqual(service["vips"], ["net-2/10.96.0.9"]);
  assert.deepEqual(service["cidrVips"], ["/10.98.0.0/16"]);
  assert.deepEqual(service["ports"], { "80": 8080 });
  assert.deepEqual(service["loadBalancer"], {
    mode: "Failover",
    routingPreferences: ["Network", "Region", "Zone"],
    healthPolicy: "AllowAll",
  });
  assert.equal(service["ipFamilies"], "Dual");
  const policy = find("policies", "named");
  assert.deepEqual([policy["scope"], policy["action"]], ["WorkloadSelector", "Deny"]);
  const [[[match]]] = policy["rules"] as [[[Json]]];
  assert.deepEqual(match?.["principals"], [{ Prefix: "x/" }]);
  assert.deepEqual(match?.["notPrincipals"], [{ Presence: [] }]);
  assert.deepEqual(match?.["sourceIps"], ["10.0.0.0/8"]);
});

test("§8.2 certificates: PEM in base64, times in RFC 3339 seconds, and no key anywhere", () => {
  const [own] = dump["certificates"] as {
    identity: string;
    state: string;
    certChain: Json[];
    rootCerts: Json[];
  }[];
  assert.deepEqual([own?.identity, own?.state], [identityOf("client"), "Available"]);
  const leaf = new X509Certificate(Buffer.from(String(own?.certChain[0]?.["pem"]), "base64").toString());
  assert.equal(leaf.subjectAltName, `URI:${identityOf("client")}`);
  assert.equal(own?.certChain.length, 2, "the intermediate is shown too");
  assert.match(String(own?.certChain[0]?.["validFrom"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.doesNotMatch(JSON.stringify(dump), /PRIVATE KEY|the-token-of-ztunnel/);
});

test("§8.2 connections, for istioctl ztunnel-config connections", () => {
  const [state] = Object.values(dump["workloadState"] as Json) as {
    state: string;
    connections: { inbound: Json[]; outbound: Json[] };
    info: Json;
  }[];
  assert.equal(state?.state, "Up");
  assert.deepEqual(state?.info, { name: "client", namespace: "default", serviceAccount: "client" });
  assert.equal(state?.connections.inbound[0]?.["protocol"], "HBONE");
  assert.equal(state?.connections.inbound[0]?.["actualDst"], `${OUR_ADDRESS}:${app.port}`);
  assert.equal(state?.connections.outbound[0]?.["originalDst"], `${FOREIGN_ADDRESS}:8080`);
  assert.equal(state?.connections.outbound[0]?.["protocol"], "HBONE");
});

test("§8.1 /logging: a query, a level, a scope, a reset, and what is refused", async () => {
  assert.equal((await admin("/logging")).status, 405);
  const said = async (query: string): Promise<string> =>
    (await admin(`/logging${query}`, { method: "POST" })).text();
  assert.match(await said(""), /^current log level is .*info.*\n$/);
  assert.match(await said("?level=debug"), /^current log level is .*debug/);
  assert.match(await said("?level=access=error"), /access=error/);
  assert.match(await said("?reset"), /^current log level is .*info/);
  assert.equal((await admin("/logging?level=access", { method: "POST" })).status, 400);
});

test("§8.1 /quitquitquit takes POST alone; readiness says ready", async () => {
  assert.equal((await admin("/quitquitquit")).status, 405);
  const ready = await fetch(`http://127.0.0.1:${ours.ztunnel.ports.readinessPort}/healthz/ready`);
  assert.deepEqual([ready.status, await ready.text()], [200, "ready\n"]);
});

test("§7.1 the exposition: both paths, content types by Accept, unstable families marked", async () => {
  const plain = await stats("/metrics");
  assert.equal(plain.headers.get("content-type"), "text/plain; charset=utf-8");
  const text = await plain.text();
  assert.match(text, /# EOF\n$/);
  const open_ = await stats("/stats/prometheus", { headers: { accept: "application/openmetrics-text" } });
  assert.equal(open_.headers.get("content-type"), "application/openmetrics-text;charset=utf-8;version=1.0.0");
  assert.equal((await stats("/other")).status, 404);
  const stable =
    /^(istio_build|istio_tcp_(connections_(opened|closed)|received_bytes|sent_bytes)|process_.*|tokio_.*)$/;
  for (const [, name = "", help = ""] of text.matchAll(/^# HELP (\S+) (.*)$/gm))
    if (!name.startsWith("meltemi_"))
      assert.equal(/\(unstable\)\.?$/.test(help), !stable.test(name), `${name}: ${help}`);
});

test("§7.2 labels of the TCP metrics, all of them, in Istio's order", async () => {
  const text = await (await stats("/metrics")).text();
  const line = text
    .split("\n")
    .find((one) => one.startsWith('istio_tcp_connections_opened_total{reporter="source"'));
  const labels = [...(line ?? "").matchAll(/(\w+)="/g)].map(([, name]) => name);
  assert.deepEqual(labels, [
    "reporter",
    ...["workload", "canonical_service", "canonical_revision", "workload_namespace"].map(
      (one) => `source_${one}`,
    ),
    ...["principal", "app", "version", "cluster"].map((one) => `source_${one}`),
    ...["service", "service_namespace", "service_name"].map((one) => `destination_${one}`),
    ...["workload", "canonical_service", "canonical_revision", "workload_namespace"].map(
      (one) => `destination_${one}`,
    ),
    ...["principal", "app", "version", "cluster"].map((one) => `destination_${one}`),
    ...["request_protocol", "response_flags", "connection_security_policy"],
    ...["source_region", "source_zone", "destination_region", "destination_zone"],
  ]);
  assert.match(text, /^istio_build\{component="ztunnel",tag="1\.30\.3"\} 1$/m);
  assert.match(
    text,
    /^istio_xds_message_total\{url="type\.googleapis\.com\/istio\.workload\.Address"\} \d+$/m,
  );
  assert.match(text, /^istio_xds_message_bytes_total\{url=/m);
});

test("§7.2 open sockets: the application's, and tunnels of peers, until they close", async () => {
  const sockets = async (reporter: string): Promise<number> => {
    const text = await (await stats("/metrics")).text();
    return Number(
      new RegExp(`^istio_tcp_sockets_open\\{reporter="${reporter}"\\} (\\d+)$`, "m").exec(text)?.[1],
    );
  };
  assert.deepEqual([await sockets("source"), await sockets("destination")], [1, 1]);
  const other = await session({ authority, ours });
  assert.equal(await sockets("destination"), 2);
  other.destroy();
  await eventually(async () => (await sockets("destination")) === 1);
});
