import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePeerAuthentication } from "./peer-authentication.ts";

const object = (spec: unknown): unknown => ({
  kind: "PeerAuthentication",
  metadata: { name: "default", namespace: "shop" },
  spec,
});

const accepted = [
  { name: "nothing said inherits", spec: {}, mode: "unset", ports: [], selector: undefined },
  { name: "strict", spec: { mtls: { mode: "STRICT" } }, mode: "strict", ports: [], selector: undefined },
  { name: "mtls without mode", spec: { mtls: {} }, mode: "unset", ports: [], selector: undefined },
  {
    name: "empty selector is none",
    spec: { selector: { matchLabels: {} }, mtls: { mode: "DISABLE" } },
    mode: "disable",
    ports: [],
    selector: undefined,
  },
  {
    name: "ports of selected workloads",
    spec: {
      selector: { matchLabels: { app: "a" } },
      portLevelMtls: { "8080": { mode: "PERMISSIVE" }, "9090": {} },
    },
    mode: "unset",
    ports: [
      [8080, "permissive"],
      [9090, "unset"],
    ],
    selector: [["app", "a"]],
  },
] as const;
for (const c of accepted) {
  test(`accepted: ${c.name}`, () => {
    const parsed = parsePeerAuthentication(object(c.spec));
    assert.ok(parsed.kind === "ok", JSON.stringify(parsed));
    assert.equal(parsed.value.mode, c.mode);
    assert.deepEqual([...parsed.value.portModes], c.ports);
    assert.deepEqual(parsed.value.selector && [...parsed.value.selector], c.selector);
  });
}

const selector = { matchLabels: { app: "a" } };
const refused = [
  { name: "unknown mode", spec: { mtls: { mode: "strict" } }, path: "spec.mtls.mode" },
  { name: "ports without selector", spec: { portLevelMtls: { "80": {} } }, path: "spec" },
  { name: "a port that is none", spec: { selector, portLevelMtls: { "0": {} } }, path: "spec.portLevelMtls" },
  {
    name: "a port out of range",
    spec: { selector, portLevelMtls: { "65536": {} } },
    path: "spec.portLevelMtls",
  },
  { name: "a port name", spec: { selector, portLevelMtls: { http: {} } }, path: "spec.portLevelMtls" },
  { name: "no ports", spec: { selector, portLevelMtls: {} }, path: "spec.portLevelMtls" },
  { name: "a misspelt field", spec: { mTLS: {} }, path: "spec.mTLS" },
];
for (const c of refused) {
  test(`refused: ${c.name}`, () => {
    const parsed = parsePeerAuthentication(object(c.spec));
    assert.ok(parsed.kind === "invalid");
    assert.equal(parsed.problems[0]?.path, c.path);
  });
}
