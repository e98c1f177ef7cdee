import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Service } from "@meltemi/kubernetes";
import { frontends, renderRuleset } from "./services-ruleset.ts";

type ServiceSpec = NonNullable<Service["spec"]>;

const serviceOf = (spec: Partial<ServiceSpec>): Service => ({
  metadata: { namespace: "shop", name: "web" },
  spec: { clusterIP: "10.96.0.20", ports: [{ port: 80, name: "http" }], ...spec },
});

const sliceOf = (changes: Partial<EndpointSlice>): EndpointSlice => ({
  metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: [{ addresses: ["10.244.1.2"], nodeName: "node-1" }],
  ...changes,
});

const cases: readonly {
  readonly name: string;
  readonly service?: Partial<ServiceSpec>;
  readonly slice?: Partial<EndpointSlice>;
  /** `address:port → endpoints`, one word a frontend. */
  readonly want: readonly string[];
}[] = [
  { name: "a ready endpoint serves", want: ["10.96.0.20:80=10.244.1.2:8080"] },
  { name: "a headless service has no address", service: { clusterIP: "None" }, want: [] },
  { name: "a service without an address is skipped", service: { clusterIP: "" }, want: [] },
  { name: "ExternalName is the DNS server's affair", service: { type: "ExternalName" }, want: [] },
  { name: "SCTP is not forwarded", service: { ports: [{ port: 80, protocol: "SCTP" }] }, want: [] },
  {
    name: "an endpoint that is not ready does not serve",
    slice: { endpoints: [{ addresses: ["10.244.1.2"], conditions: { ready: false } }] },
    want: ["10.96.0.20:80="],
  },
  {
    name: "a port of another name does not serve",
    slice: { ports: [{ name: "admin", port: 9000 }] },
    want: ["10.96.0.20:80="],
  },
  {
    name: "a slice of another service does not serve",
    slice: { metadata: { namespace: "shop", labels: { "kubernetes.io/service-name": "other" } } },
    want: ["10.96.0.20:80="],
  },
  {
    name: "a slice of the same name in another namespace does not serve",
    slice: { metadata: { namespace: "bank", labels: { "kubernetes.io/service-name": "web" } } },
    want: ["10.96.0.20:80="],
  },
  {
    name: "an address that is none is refused",
    slice: { endpoints: [{ addresses: ["10.0.0.1; flush ruleset"] }] },
    want: ["10.96.0.20:80="],
  },
  {
    name: "Local serves endpoints of this node alone",
    service: { internalTrafficPolicy: "Local" },
    slice: {
      endpoints: [
        { addresses: ["10.244.1.2"], nodeName: "node-1" },
        { addresses: ["10.244.2.2"], nodeName: "node-2" },
      ],
    },
    want: ["10.96.0.20:80=10.244.1.2:8080"],
  },
  {
    name: "both families, each with its own endpoints",
    service: { clusterIPs: ["10.96.0.20", "fd00:10:96::20"] },
    want: ["10.96.0.20:80=10.244.1.2:8080", "fd00:10:96::20:80="],
  },
];

for (const { name, service = {}, slice = {}, want } of cases)
  test(`frontends: ${name}`, () => {
    const found = frontends([serviceOf(service)], [sliceOf(slice)], "node-1");
    const words = found.map(
      ({ address, port, endpoints }) =>
        `${address}:${port}=${endpoints.map((endpoint) => `${endpoint.address}:${endpoint.port}`).join(",")}`,
    );
    assert.deepEqual(words, want);
  });

test("renderRuleset: one endpoint, several, none, and IPv6", () => {
  const text = renderRuleset([
    { address: "10.96.0.1", protocol: "tcp", port: 443, endpoints: [{ address: "10.240.0.1", port: 6443 }] },
    {
      address: "10.96.0.2",
      protocol: "udp",
      port: 53,
      endpoints: [
        { address: "10.244.1.2", port: 53 },
        { address: "10.244.2.2", port: 53 },
      ],
    },
    { address: "10.96.0.3", protocol: "tcp", port: 80, endpoints: [] },
    { address: "fd00::1", protocol: "tcp", port: 80, endpoints: [{ address: "fd00::2", port: 8080 }] },
  ]);
  assert.match(text, /^table inet meltemi-services\ndelete table inet meltemi-services\ntable inet/);
  assert.match(text, /10\.96\.0\.1 \. tcp \. 443 : goto svc-10_96_0_1-tcp-443/);
  assert.match(text, /meta l4proto tcp dnat ip to 10\.240\.0\.1:6443/);
  assert.match(
    text,
    /dnat ip addr \. port to numgen random mod 2 map \{ 0 : 10\.244\.1\.2 \. 53, 1 : 10\.244\.2\.2 \. 53 \}/,
  );
  assert.match(text, /set idle4 \{\n.*\n {4}elements = \{ 10\.96\.0\.3 \. tcp \. 80 \}/);
  assert.match(text, /dnat ip6 to \[fd00::2\]:8080/);
  assert.match(text, /set hairpin6 \{\n.*\n {4}elements = \{ fd00::2 \. fd00::2 \}/);
});

test("renderRuleset: the order of the objects does not matter", () => {
  const services = [
    serviceOf({}),
    { ...serviceOf({ clusterIP: "10.96.0.21" }), metadata: { namespace: "a", name: "b" } },
  ];
  const text = (list: readonly Service[]): string => renderRuleset(frontends(list, [sliceOf({})], "node-1"));
  assert.equal(text(services), text(services.toReversed()));
});
