import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Service } from "@meltemi/kubernetes";
import * as dns from "dns-packet";
import fc from "fast-check";
import type { ClusterView } from "./records.ts";
import { respond, serverFailure } from "./respond.ts";
import { parseNameservers } from "./upstream.ts";

const services: Record<string, NonNullable<Service["spec"]>> = {
  "shop/web": { clusterIP: "10.96.0.20", clusterIPs: ["10.96.0.20", "fd00::20"] },
  "shop/peers": { clusterIP: "None" },
  "shop/away": { type: "ExternalName", externalName: "example.org" },
};
const endpoints: NonNullable<EndpointSlice["endpoints"]> = [
  { addresses: ["10.244.1.2"], hostname: "db-0" },
  { addresses: ["10.244.1.3"], hostname: "db-1", conditions: { ready: false } },
];
const view: ClusterView = {
  service: (namespace, name) => {
    const spec = services[`${namespace}/${name}`];
    return spec === undefined ? undefined : { metadata: { namespace, name }, spec };
  },
  slices: (_, service) =>
    service === "peers"
      ? [
          { addressType: "IPv4", endpoints },
          { addressType: "IPv4", endpoints: manyEndpoints },
        ].slice(0, big ? 2 : 1)
      : [],
  hasNamespace: (namespace) => namespace === "shop",
};
let big = false;
const manyEndpoints = Array.from({ length: 200 }, (_, index) => ({ addresses: [`10.244.2.${index}`] }));

function ask(name: string, type: dns.RecordType, transport: "udp" | "tcp" = "udp", extra: dns.Packet = {}) {
  const query = dns.encode({
    id: 7,
    type: "query",
    flags: dns.RECURSION_DESIRED,
    questions: [{ name, type }],
    ...extra,
  });
  return respond(view, query, transport);
}

const rcode = (bytes: Buffer): number => bytes.readUInt8(3) & 0x0f;

const cases: readonly {
  name: string;
  type?: dns.RecordType;
  want: readonly unknown[] | "forward";
  code?: number;
}[] = [
  { name: "web.shop.svc.cluster.local", want: ["10.96.0.20"] },
  { name: "WEB.Shop.svc.CLUSTER.local", want: ["10.96.0.20"] },
  { name: "web.shop.svc.cluster.local", type: "AAAA", want: ["fd00::20"] },
  { name: "web.shop.svc.cluster.local", type: "TXT", want: [] },
  { name: "away.shop.svc.cluster.local", want: ["example.org"] },
  { name: "peers.shop.svc.cluster.local", want: ["10.244.1.2"] },
  { name: "db-0.peers.shop.svc.cluster.local", want: ["10.244.1.2"] },
  { name: "db-1.peers.shop.svc.cluster.local", want: [], code: 3 },
  { name: "db-0.web.shop.svc.cluster.local", want: [], code: 3 },
  { name: "a.b.peers.shop.svc.cluster.local", want: [], code: 3 },
  { name: "none.shop.svc.cluster.local", want: [], code: 3 },
  { name: "shop.svc.cluster.local", want: [] },
  { name: "bank.svc.cluster.local", want: [], code: 3 },
  { name: "svc.cluster.local", want: [] },
  { name: "cluster.local", want: [] },
  { name: "pod.cluster.local", want: [], code: 3 },
  { name: "example.org", want: "forward" },
  { name: "xcluster.local", want: "forward" },
];
for (const { name, type = "A", want, code = 0 } of cases)
  test(`respond: ${type} ${name}`, () => {
    const response = ask(name, type);
    if (want === "forward") return assert.equal(response.kind, "forward");
    assert.ok(response.kind === "answer");
    assert.equal(rcode(response.bytes), code);
    const packet = dns.decode(response.bytes);
    assert.equal(packet.id, 7);
    assert.deepEqual(
      packet.answers?.map((answer) => (answer as { data: unknown }).data),
      want,
    );
  });

test("respond: an answer too long for UDP is cut to nothing and flagged; TCP and EDNS get it", () => {
  big = true;
  const name = "peers.shop.svc.cluster.local";
  const plain = ask(name, "A");
  const whole = ask(name, "A", "tcp");
  big = false;
  assert.ok(plain.kind === "answer" && whole.kind === "answer");
  assert.ok(plain.bytes.length <= 512);
  assert.equal(dns.decode(plain.bytes).flag_tc, true);
  assert.equal(dns.decode(whole.bytes).answers?.length, 201);
});

test("respond: what is no query gets silence, what is no packet an error", () => {
  assert.equal(respond(view, Buffer.alloc(3), "udp").kind, "ignore");
  assert.equal(respond(view, dns.encode({ type: "response", id: 1 }), "udp").kind, "ignore");
  const empty = respond(view, dns.encode({ type: "query", id: 1 }), "udp");
  assert.ok(empty.kind === "answer" && rcode(empty.bytes) === 1);
  const update = dns.encode({
    type: "query",
    id: 1,
    flags: 5 << 11,
    questions: [{ name: "a.b", type: "A" }],
  });
  const refused = respond(view, update, "udp");
  assert.ok(refused.kind === "answer" && rcode(refused.bytes) === 4);
  assert.equal(rcode(serverFailure(update)), 2);
});

test("respond: no bytes make it throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const response = respond(view, Buffer.from(bytes), "udp");
      if (response.kind === "answer") assert.ok(response.bytes.length >= 12);
    }),
    { numRuns: 2000 },
  );
});

test("parseNameservers: three addresses at most, and nothing else", () => {
  const text =
    "# nameserver 1.1.1.1\nsearch a\nnameserver 10.0.0.1\n nameserver fd00::1 \nnameserver here\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
  assert.deepEqual(parseNameservers(text), ["10.0.0.1", "fd00::1", "10.0.0.2"]);
  assert.deepEqual(parseNameservers(""), []);
});
