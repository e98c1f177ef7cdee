import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AddressChange,
  applyAddressUpdates,
  EMPTY_SNAPSHOT,
  ip,
  newService,
  newWorkload,
  type Service,
  type Workload,
} from "@meltemi/model";
import { type DnsContext, decideAnswer } from "./decide-answer.ts";
import { queryNames, withWildcards } from "./query-names.ts";

const svc = (
  hostname: string,
  namespace: string,
  vips: readonly string[],
  given: Partial<Service> = {},
): Service =>
  newService({
    name: hostname.split(".")[0] ?? "",
    namespace,
    hostname,
    vips: vips.map((vip) => ({ network: "", ip: ip(vip) })),
    ...given,
  });
const kube = (
  name: string,
  namespace: string,
  vips: readonly string[],
  given: Partial<Service> = {},
): Service => svc(`${name}.${namespace}.svc.cluster.local`, namespace, vips, { canonical: true, ...given });
const pod = (
  name: string,
  addresses: readonly string[],
  service: string,
  given: Partial<Workload> = {},
): Workload =>
  newWorkload({
    uid: name,
    name,
    namespace: "ns1",
    addresses: addresses.map(ip),
    services: new Map([[service, []]]),
    ...given,
  });
const CLIENT = newWorkload({ uid: "client", name: "client", namespace: "ns1" });

const MESH: readonly (Service | Workload)[] = [
  kube("productpage", "ns1", ["9.9.9.9"]),
  kube("example", "ns2", ["10.10.10.10"]),
  kube("private", "ns2", ["10.10.10.11"], { visibility: "namespace" }),
  svc("www.google.com", "ns1", ["1.1.1.1"]),
  svc("*.wild.com", "ns1", ["2.2.2.2"]),
  svc("*.svc.mesh.company.net", "ns1", ["10.1.2.3"]),
  svc("details.ns2.svc.cluster.remote", "ns2", ["11.11.11.11", "12.12.12.12"]),
  svc("dual.example", "ns1", ["13.13.13.13", "fd00::13"], { ipFamilies: "dual" }),
  svc("v4.example", "ns1", ["14.14.14.14", "fd00::14"], { ipFamilies: "ipv4" }),
  svc("v6.example", "ns1", ["15.15.15.15", "fd00::15"], { ipFamilies: "ipv6" }),
  svc("elsewhere.example", "ns1", [], { vips: [{ network: "remote", ip: ip("16.16.16.16") }] }),
  svc("no-vip.example", "ns1", []),
  kube("headless", "ns1", []),
  pod("h1", ["30.30.30.30"], "ns1/headless.ns1.svc.cluster.local"),
  pod("h2", ["31.31.31.31"], "ns1/headless.ns1.svc.cluster.local"),
  pod("h3", ["32.32.32.32"], "ns1/headless.ns1.svc.cluster.local", { status: "unhealthy" }),
  pod("h4", ["33.33.33.33"], "ns1/headless.ns1.svc.cluster.local", { network: "remote" }),
  kube("headless-six", "ns1", []),
  pod("h6", ["fd00::66"], "ns1/headless-six.ns1.svc.cluster.local"),
  kube("hasty", "ns1", [], {
    loadBalancing: { routingPreferences: [], mode: "standard", healthPolicy: "allowAll" },
  }),
  pod("h7", ["34.34.34.34"], "ns1/hasty.ns1.svc.cluster.local", { status: "unhealthy" }),
  svc("shared.example", "ns3", ["40.0.0.3"]),
  svc("shared.example", "ns4", ["40.0.0.4"]),
  svc("owned.example", "ns4", ["41.0.0.4"], { canonical: true }),
  svc("owned.example", "ns1", ["41.0.0.1"]),
  svc("canonical.example", "ns3", ["42.0.0.3"]),
  svc("canonical.example", "ns4", ["42.0.0.4"], { canonical: true }),
  kube("twice", "ns1", ["50.0.0.1", "50.0.0.1"]),
];
const SNAPSHOT = applyAddressUpdates(
  EMPTY_SNAPSHOT,
  MESH.map(
    (item): AddressChange =>
      "uid" in item ? { kind: "workload", workload: item } : { kind: "service", service: item },
  ),
);
const CONTEXT: DnsContext = {
  client: CLIENT,
  clusterDomain: "cluster.local",
  preferredNamespace: undefined,
  ipv6Enabled: true,
};

function ask(name: string, type = "A", given: Partial<DnsContext> = {}): string {
  const decision = decideAnswer(SNAPSHOT, { name, type }, { ...CONTEXT, ...given });
  if (decision.kind === "forward") return "forward";
  const cname = decision.name === name ? "" : `CNAME ${decision.name}: `;
  return `${cname}${decision.addresses.toSorted().join(" ") || "nothing"}`;
}

const from = (namespace: string): Partial<DnsContext> => ({ client: { ...CLIENT, namespace } });
const PRODUCT = "productpage.ns1.svc.cluster.local";
for (const [name, query, want, type, given] of [
  ["unknown name", "www.bing.com", "forward"],
  ["full name", PRODUCT, "9.9.9.9"],
  ["name and namespace and svc", "productpage.ns1.svc", "9.9.9.9"],
  ["name and namespace", "productpage.ns1", "9.9.9.9"],
  ["name alone, own namespace", "productpage", "9.9.9.9"],
  ["name alone, other namespace", "example", "forward"],
  ["name and other namespace", "example.ns2", "10.10.10.10"],
  ["full name of another namespace", "example.ns2.svc.cluster.local", "10.10.10.10"],
  ["private service of another namespace", "private.ns2.svc.cluster.local", "forward"],
  ["private service of the own namespace", "private", "10.10.10.11", "A", from("ns2")],
  ["AAAA of an IPv4 service", PRODUCT, "nothing", "AAAA"],
  ["TXT", PRODUCT, "forward", "TXT"],
  ["PTR", "9.9.9.9.in-addr.arpa", "forward", "PTR"],
  ["external service", "www.google.com", "1.1.1.1"],
  [
    "external service with the own search domain",
    "www.google.com.ns1.svc.cluster.local",
    "CNAME www.google.com: 1.1.1.1",
  ],
  [
    "external service with the svc search domain",
    "www.google.com.svc.cluster.local",
    "CNAME www.google.com: 1.1.1.1",
  ],
  [
    "external service with the cluster domain",
    "www.google.com.cluster.local",
    "CNAME www.google.com: 1.1.1.1",
  ],
  ["external service with a foreign search domain", "www.google.com.ns2.svc.cluster.local", "forward"],
  ["short name with search domain is the full name", "productpage.ns1.svc.cluster.local", "9.9.9.9"],
  [
    "name.namespace with search domain",
    "example.ns2.ns1.svc.cluster.local",
    "CNAME example.ns2.svc.cluster.local: 10.10.10.10",
  ],
  [
    "name.namespace.svc with search domain",
    "example.ns2.svc.svc.cluster.local",
    "CNAME example.ns2.svc.cluster.local: 10.10.10.10",
  ],
  ["wildcard", "any.wild.com", "2.2.2.2"],
  ["wildcard, deeper", "very.deep.wild.com", "2.2.2.2"],
  ["wildcard does not cover its own root", "wild.com", "forward"],
  ["wildcard with search domain answers without CNAME", "any.wild.com.ns1.svc.cluster.local", "2.2.2.2"],
  ["wildcard of a company domain", "foo.svc.mesh.company.net", "10.1.2.3"],
  ["wildcard of a company domain, two levels", "foo.foons.svc.mesh.company.net", "10.1.2.3"],
  [
    "wildcard of a company domain with search domain",
    "foo.svc.mesh.company.net.ns1.svc.cluster.local",
    "10.1.2.3",
  ],
  ["remote cluster's domain", "details.ns2.svc.cluster.remote", "11.11.11.11 12.12.12.12"],
  ["remote cluster's domain, short", "details.ns2", "forward"],
  ["dual stack, A", "dual.example", "13.13.13.13"],
  ["dual stack, AAAA", "dual.example", "fd00::13", "AAAA"],
  ["IPv4 only, A", "v4.example", "14.14.14.14"],
  ["IPv4 only, AAAA", "v4.example", "nothing", "AAAA"],
  ["IPv6 only, A", "v6.example", "nothing"],
  ["IPv6 only, AAAA", "v6.example", "fd00::15", "AAAA"],
  ["AAAA when IPv6 is off", "dual.example", "nothing", "AAAA", { ipv6Enabled: false }],
  ["VIP of another network", "elsewhere.example", "nothing"],
  ["no VIP, other domain", "no-vip.example", "forward"],
  ["headless: healthy endpoints of the network", "headless.ns1.svc.cluster.local", "30.30.30.30 31.31.31.31"],
  ["headless, AAAA", "headless", "nothing", "AAAA"],
  ["headless IPv6", "headless-six", "fd00::66", "AAAA"],
  ["headless with unready addresses published", "hasty", "34.34.34.34"],
  ["pod name of a headless service", "h1.headless.ns1.svc.cluster.local", "forward"],
  ["several namespaces: the first", "shared.example", "40.0.0.3"],
  ["several namespaces: the preferred", "shared.example", "40.0.0.4", "A", { preferredNamespace: "ns4" }],
  [
    "several namespaces: canonical before preferred",
    "canonical.example",
    "42.0.0.4",
    "A",
    { preferredNamespace: "ns3" },
  ],
  ["several namespaces: own before canonical", "owned.example", "41.0.0.1"],
  ["several namespaces: canonical for others", "owned.example", "41.0.0.4", "A", from("ns9")],
  ["a VIP given twice is answered once", "twice", "50.0.0.1"],
  ["empty name", "", "forward"],
] as const satisfies readonly (readonly [string, string, string, string?, Partial<DnsContext>?])[])
  test(`decideAnswer: ${name}`, () => assert.equal(ask(query, type, given), want));

for (const [query, want] of [
  ["a", ["a", "a.ns.svc.D"]],
  ["a.b", ["a.b", "a.b.svc.D", "a.b.ns.svc.D"]],
  ["a.b.svc", ["a.b.svc", "a.b.svc.D", "a.b.svc.svc.D"]],
  ["a.b.c", ["a.b.c", "a.b.c.svc.D"]],
  ["a.b.c.svc", ["a.b.c.svc", "a.b.c.svc.D"]],
  ["a.b.c.d", ["a.b.c.d"]],
  ["a.b.c.d.e", ["a.b.c.d.e"]],
] as const)
  test(`queryNames ${query}`, () =>
    assert.deepEqual(
      queryNames(query, "ns", "D")
        .filter((name) => !name.stripped)
        .map((name) => name.name),
      want,
    ));

test("wildcards go from the closest to one label", () => {
  assert.deepEqual(withWildcards("a.b.com"), ["a.b.com", "*.b.com", "*.com"]);
  assert.deepEqual(withWildcards("com"), ["com"]);
});
