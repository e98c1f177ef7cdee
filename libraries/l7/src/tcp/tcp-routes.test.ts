import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import type { TcpRoute } from "@meltemi/model/l7";
import { compileTcpRoutes, decideTcpRoute, type TcpFacts } from "./tcp-routes.ts";

const to = (cluster: string, weight = 1): TcpRoute["targets"][number] => ({
  target: { kind: "cluster", cluster },
  weight,
});
const match = (given: Partial<TcpRoute["matches"][number]>): TcpRoute["matches"][number] => ({
  destinationSubnets: [],
  sniHosts: [],
  ...given,
});
const route = (given: Partial<TcpRoute>): TcpRoute => ({
  name: "",
  matches: [],
  targets: [to("all")],
  ...given,
});

const FACTS: TcpFacts = {
  caller: {
    ip: ip("10.0.0.1"),
    port: 1,
    identity: { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" },
    workload: undefined,
    labels: { app: "web" },
  },
  destinationIp: ip("10.96.0.5"),
  serverName: "db.shop.example.com",
};

const cases: readonly {
  name: string;
  routes: readonly TcpRoute[];
  facts?: Partial<TcpFacts>;
  random?: number;
  want: string;
}[] = [
  { name: "without routes, the service itself", routes: [], want: "default" },
  { name: "a route without matches takes all", routes: [route({})], want: "all" },
  {
    name: "the first that matches wins",
    routes: [route({ targets: [to("first")] }), route({ targets: [to("second")] })],
    want: "first",
  },
  {
    name: "by destination subnet",
    routes: [route({ matches: [match({ destinationSubnets: ["10.96.0.0/16"] })] })],
    want: "all",
  },
  {
    name: "by one address",
    routes: [route({ matches: [match({ destinationSubnets: ["10.96.0.5"] })] })],
    want: "all",
  },
  {
    name: "another subnet",
    routes: [route({ matches: [match({ destinationSubnets: ["10.97.0.0/16"] })] })],
    want: "refuse",
  },
  {
    name: "a subnet that cannot be read matches nothing",
    routes: [route({ matches: [match({ destinationSubnets: ["10.96.0.0/99"] })] })],
    want: "refuse",
  },
  {
    name: "by TLS name",
    routes: [route({ matches: [match({ sniHosts: ["DB.shop.example.com"] })] })],
    want: "all",
  },
  {
    name: "by TLS name below a domain",
    routes: [route({ matches: [match({ sniHosts: ["*.example.com"] })] })],
    want: "all",
  },
  {
    name: "the domain itself is not below it",
    routes: [route({ matches: [match({ sniHosts: ["*.db.shop.example.com"] })] })],
    want: "refuse",
  },
  {
    name: "a TLS name of another",
    routes: [route({ matches: [match({ sniHosts: ["other"] })] })],
    want: "refuse",
  },
  {
    name: "a TLS name where there is none",
    routes: [route({ matches: [match({ sniHosts: ["*"] })] })],
    facts: { serverName: undefined },
    want: "refuse",
  },
  {
    name: "by the caller's namespace",
    routes: [route({ matches: [match({ source: { namespace: "shop" } })] })],
    want: "all",
  },
  {
    name: "another namespace",
    routes: [route({ matches: [match({ source: { namespace: "bank" } })] })],
    want: "refuse",
  },
  {
    name: "by the caller's labels",
    routes: [route({ matches: [match({ source: { labels: { app: "web" } } })] })],
    want: "all",
  },
  {
    name: "labels of who is not verified count for nothing",
    routes: [route({ matches: [match({ source: { labels: { app: "web" } } })] })],
    facts: { caller: { ...FACTS.caller, identity: undefined } },
    want: "refuse",
  },
  {
    name: "weights, below the border",
    routes: [route({ targets: [to("a", 90), to("b", 10)] })],
    random: 0.89,
    want: "a",
  },
  {
    name: "weights, above it",
    routes: [route({ targets: [to("a", 90), to("b", 10)] })],
    random: 0.9,
    want: "b",
  },
  {
    name: "weight zero takes nothing",
    routes: [route({ targets: [to("a", 0), to("b", 1)] })],
    random: 0,
    want: "b",
  },
  { name: "no weight at all", routes: [route({ targets: [to("a", 0)] })], want: "refuse" },
  {
    name: "a backend that does not exist",
    routes: [route({ targets: [{ target: { kind: "invalid", detail: "gone" }, weight: 1 }] })],
    want: "refuse",
  },
];
for (const { name, routes, facts, random = 0.5, want } of cases) {
  test(`decideTcpRoute: ${name}`, () => {
    const decision = decideTcpRoute(compileTcpRoutes(routes), { ...FACTS, ...facts }, () => random);
    assert.equal(decision.kind === "cluster" ? decision.cluster : decision.kind, want);
  });
}
