import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import {
  ANONYMOUS,
  inNamespace,
  ofDomain,
  type RuleCase,
  ruleMatches,
  type SampleRequest,
  TOKEN,
  when,
} from "./sample-policy.ts";

const withToken = (claims: Readonly<Record<string, unknown>>): SampleRequest => ({
  token: { ...TOKEN, claims },
});

const WHEN: readonly RuleCase[] = [
  {
    name: "request.headers: name in any case, value as it is",
    rule: when("request.headers[X-Team]", "blue*", "*green", "red"),
    yes: ["blue-1", "dark green", "red"].map((team) => ({ headers: { "x-team": team } })),
    no: [{}, { headers: { "x-team": "Red" } }, { headers: { "x-team": "reds" } }],
  },
  {
    name: "request.headers: there, and not empty",
    rule: when("request.headers[x]", "*"),
    yes: [{ headers: { x: "1" } }],
    no: [{}, { headers: { x: "" } }],
  },
  {
    name: "notValues hold for what is not there",
    rule: { when: [{ key: "request.headers[x]", notValues: ["1"] }] },
    yes: [{}, { headers: { x: "2" } }],
    no: [{ headers: { x: "1" } }],
  },
  {
    name: "values and notValues",
    rule: { when: [{ key: "request.headers[x]", values: ["a*"], notValues: ["ab"] }] },
    yes: [{ headers: { x: "ac" } }],
    no: [{ headers: { x: "ab" } }, {}],
  },
  {
    name: "every condition",
    rule: {
      when: [
        { key: "request.headers[x]", values: ["1"] },
        { key: "source.namespace", values: ["default"] },
      ],
    },
    yes: [{ headers: { x: "1" } }],
    no: [{}, { ...inNamespace("o"), headers: { x: "1" } }],
  },
  { name: "source.ip", rule: when("source.ip", "10.0.0.0/8"), yes: [{}], no: [{ sourceIp: ip("11.0.0.1") }] },
  {
    name: "remote.ip",
    rule: when("remote.ip", "1.2.3.4"),
    yes: [{ headers: { "x-forwarded-for": "1.2.3.4" } }],
    no: [{}],
  },
  {
    name: "source.namespace",
    rule: when("source.namespace", "def*"),
    yes: [{}],
    no: [inNamespace("x"), ANONYMOUS],
  },
  {
    name: "source.serviceAccount",
    rule: when("source.serviceAccount", "default/sleep"),
    yes: [{}],
    no: [inNamespace("x")],
  },
  {
    name: "source.trustDomain",
    rule: when("source.trustDomain", "cluster.local"),
    yes: [{}, ofDomain("old.example")],
    no: [ofDomain("x")],
  },
  { name: "source.principal", rule: when("source.principal", "*/sa/sleep"), yes: [{}], no: [ANONYMOUS] },
  {
    name: "request.auth.principal",
    rule: when("request.auth.principal", "https://issuer/sub-1"),
    yes: [{ token: TOKEN }],
    no: [{}],
  },
  {
    name: "request.auth.audiences: any of them",
    rule: when("request.auth.audiences", "b"),
    yes: [{ token: TOKEN }],
    no: [{}, { token: { ...TOKEN, audiences: ["c"] } }],
  },
  {
    name: "request.auth.presenter",
    rule: when("request.auth.presenter", "app"),
    yes: [withToken({ azp: "app" })],
    no: [withToken({ azp: ["x"] }), {}],
  },
  {
    name: "request.auth.claims: text",
    rule: when("request.auth.claims[a]", "x*"),
    yes: [withToken({ a: "xy" })],
    no: [withToken({ a: 1 }), withToken({}), {}],
  },
  {
    name: "request.auth.claims: any of a list",
    rule: when("request.auth.claims[a]", "x"),
    yes: [withToken({ a: ["y", "x"] })],
    no: [withToken({ a: [["x"]] }), withToken({ a: ["xx", 1, null] })],
  },
  {
    name: "request.auth.claims: words of a scope",
    rule: when("request.auth.claims[scope]", "read"),
    yes: [withToken({ scope: "write read" })],
    no: [withToken({ scope: "reader" })],
  },
  {
    name: "request.auth.claims: words are of no other claim",
    rule: when("request.auth.claims[a]", "read"),
    yes: [withToken({ a: "read" })],
    no: [withToken({ a: "write read" })],
  },
  {
    name: "request.auth.claims: nested",
    rule: when("request.auth.claims[a][b.c]", "x"),
    yes: [withToken({ a: { "b.c": "x" } })],
    no: [withToken({ a: "x" }), withToken({ "a.b.c": "x" })],
  },
  {
    name: "request.auth.claims: nothing that every object has",
    rule: when("request.auth.claims[constructor][name]", "*"),
    yes: [],
    no: [withToken({})],
  },
  {
    name: "destination.ip",
    rule: when("destination.ip", "10.96.0.0/16"),
    yes: [{}],
    no: [{ destination: { ip: ip("10.97.0.1"), port: 80 } }],
  },
  {
    name: "destination.port",
    rule: when("destination.port", "80"),
    yes: [{}],
    no: [{ destination: { ip: ip("10.96.0.1"), port: 8 } }],
  },
  {
    name: "connection.sni",
    rule: when("connection.sni", "*.example"),
    yes: [{ serverName: "a.example" }],
    no: [{}, { serverName: "example" }],
  },
  {
    name: "experimental.envoy.filters",
    rule: when("experimental.envoy.filters.http.ext_authz[user]", "ann", "[bob]"),
    yes: [{ user: "ann" }, { user: ["bob", "x"] }].map((entry) => ({
      metadata: new Map([["envoy.filters.http.ext_authz", entry]]),
    })),
    no: [{}, { metadata: new Map([["envoy.filters.http.ext_authz", { user: "bob" }]]) }],
  },
];

for (const { name, rule, yes, no } of WHEN)
  test(name, () => {
    for (const request of yes) assert.equal(ruleMatches(rule, request), true, JSON.stringify(request));
    for (const request of no) assert.equal(ruleMatches(rule, request), false, JSON.stringify(request));
  });
