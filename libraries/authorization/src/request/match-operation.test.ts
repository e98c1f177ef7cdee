import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import { type RuleCase, ruleMatches } from "./sample-policy.ts";

const OPERATIONS: readonly RuleCase[] = [
  {
    name: "hosts: whatever the case, with the port",
    rule: { to: [{ hosts: ["Echo.Example", "*.internal", "api:8080"] }] },
    yes: [{ authority: "ECHO.example" }, { authority: "a.INTERNAL" }, { authority: "api:8080" }],
    no: [{ authority: "echo.example:80" }, { authority: "api" }],
  },
  { name: "notHosts", rule: { to: [{ notHosts: ["ECHO"] }] }, yes: [{ authority: "b" }], no: [{}] },
  {
    name: "methods: as they are",
    rule: { to: [{ methods: ["GET"] }] },
    yes: [{}],
    no: [{ method: "get" }, { method: "POST" }],
  },
  { name: "notMethods", rule: { to: [{ notMethods: ["GET"] }] }, yes: [{ method: "PUT" }], no: [{}] },
  {
    name: "paths: exact, prefix, suffix, any",
    rule: { to: [{ paths: ["/info", "/admin*", "*.php"] }] },
    yes: [{}, { path: "/admin/x" }, { path: "/x.php" }],
    no: [{ path: "/Info" }, { path: "/info/" }, { path: "/x.php/y" }, { path: "" }],
  },
  {
    name: "paths: bytes of what the user wrote",
    rule: { to: [{ paths: ["/é"] }] },
    yes: [{ path: "/\u00c3\u00a9" }],
    no: [{ path: "/\u00e9" }],
  },
  { name: "notPaths", rule: { to: [{ notPaths: ["/healthz"] }] }, yes: [{}], no: [{ path: "/healthz" }] },
  {
    name: "paths: template",
    rule: { to: [{ paths: ["/u/{*}/x"] }] },
    yes: [{ path: "/u/1/x" }],
    no: [{ path: "/u/1/2/x" }, { path: "/u//x" }],
  },
  {
    name: "ports: the service's",
    rule: { to: [{ ports: [80, 81] }] },
    yes: [{}],
    no: [{ destination: { ip: ip("10.96.0.1"), port: 8080 } }],
  },
  {
    name: "notPorts",
    rule: { to: [{ notPorts: [80] }] },
    yes: [{ destination: { ip: ip("10.96.0.1"), port: 8080 } }],
    no: [{}],
  },
  {
    name: "all kinds of one operation, any of several operations",
    rule: { to: [{ methods: ["GET"], paths: ["/a"] }, { methods: ["PUT"] }] },
    yes: [{ path: "/a" }, { method: "PUT" }],
    no: [{}, { method: "POST", path: "/a" }],
  },
];

for (const { name, rule, yes, no } of OPERATIONS)
  test(name, () => {
    for (const request of yes) assert.equal(ruleMatches(rule, request), true, JSON.stringify(request));
    for (const request of no) assert.equal(ruleMatches(rule, request), false, JSON.stringify(request));
  });
