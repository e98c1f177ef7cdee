import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_MATCH, type Policy, type PolicyMatch } from "@meltemi/model";
import type { PeerAuthenticationFacts } from "./facts.ts";
import {
  isStrictByDefault,
  oldest,
  peerAuthenticationKeys,
  portLevelPolicy,
  staticStrictPolicy,
} from "./peer-authentication.ts";

const match = (fields: Partial<PolicyMatch>): PolicyMatch => ({ ...EMPTY_MATCH, ...fields });

type Mode = "unset" | "disable" | "permissive" | "strict";

function peer(
  mode: Mode,
  ports: Readonly<Record<number, Mode>> = {},
  fields: Partial<PeerAuthenticationFacts> = {},
) {
  return {
    namespace: "ns",
    name: "p",
    createdMs: 0,
    selector: { app: "a" },
    mode,
    portModes: Object.entries(ports).map(([port, portMode]) => ({ port: Number(port), mode: portMode })),
    ...fields,
  };
}

const PLAIN: PolicyMatch = match({ notPrincipals: [{ kind: "presence" }] });
const onPort = (port: number) => [
  [match({ notPrincipals: [{ kind: "presence" }], destinationPorts: [port] })],
];
const exceptPorts = (...ports: number[]) => [
  [...ports.map((port) => [match({ notDestinationPorts: [port] })]), [PLAIN]],
];
const STATIC = "istio-system/istio_converted_static_strict";
const OWN = "ns/converted_peer_authentication_p";

const peers: readonly {
  readonly name: string;
  readonly parentStrict: boolean;
  readonly own: PeerAuthenticationFacts | undefined;
  readonly rules: Policy["rules"] | undefined;
  readonly keys: readonly string[];
}[] = [
  { name: "nothing, permissive parent", parentStrict: false, own: undefined, rules: undefined, keys: [] },
  { name: "nothing, strict parent", parentStrict: true, own: undefined, rules: undefined, keys: [STATIC] },
  { name: "STRICT", parentStrict: false, own: peer("strict"), rules: undefined, keys: [STATIC] },
  {
    name: "PERMISSIVE below strict",
    parentStrict: true,
    own: peer("permissive"),
    rules: undefined,
    keys: [],
  },
  { name: "DISABLE below strict", parentStrict: true, own: peer("disable"), rules: undefined, keys: [] },
  { name: "UNSET below strict", parentStrict: true, own: peer("unset"), rules: undefined, keys: [STATIC] },
  {
    name: "STRICT, port STRICT",
    parentStrict: false,
    own: peer("strict", { 8080: "strict" }),
    rules: undefined,
    keys: [STATIC],
  },
  {
    name: "STRICT, port PERMISSIVE",
    parentStrict: false,
    own: peer("strict", { 9090: "permissive" }),
    rules: exceptPorts(9090),
    keys: [OWN],
  },
  {
    name: "STRICT, port DISABLE",
    parentStrict: false,
    own: peer("strict", { 9090: "disable" }),
    rules: exceptPorts(9090),
    keys: [OWN],
  },
  {
    name: "STRICT, one port each way",
    parentStrict: false,
    own: peer("strict", { 9090: "strict", 8080: "permissive" }),
    rules: exceptPorts(8080),
    keys: [OWN],
  },
  {
    name: "STRICT, two ports PERMISSIVE",
    parentStrict: false,
    own: peer("strict", { 9090: "permissive", 8080: "permissive" }),
    rules: exceptPorts(8080, 9090),
    keys: [OWN],
  },
  {
    name: "PERMISSIVE, port STRICT",
    parentStrict: false,
    own: peer("permissive", { 9090: "strict" }),
    rules: [...onPort(9090)].map((r) => [r]),
    keys: [OWN],
  },
  {
    name: "DISABLE, port STRICT",
    parentStrict: false,
    own: peer("disable", { 9090: "strict" }),
    rules: [onPort(9090)],
    keys: [OWN],
  },
  {
    name: "UNSET, port STRICT",
    parentStrict: false,
    own: peer("unset", { 9090: "strict" }),
    rules: [onPort(9090)],
    keys: [OWN],
  },
  {
    name: "PERMISSIVE, one port each way",
    parentStrict: false,
    own: peer("permissive", { 9090: "strict", 8080: "permissive" }),
    rules: [onPort(9090)],
    keys: [OWN],
  },
  {
    name: "two ports STRICT are two rules: either denies",
    parentStrict: false,
    own: peer("unset", { 9090: "strict", 8080: "strict" }),
    rules: [onPort(8080), onPort(9090)],
    keys: [OWN],
  },
  {
    name: "port PERMISSIVE below permissive",
    parentStrict: false,
    own: peer("unset", { 9090: "permissive" }),
    rules: undefined,
    keys: [],
  },
  {
    name: "UNSET, port PERMISSIVE below strict",
    parentStrict: true,
    own: peer("unset", { 9090: "permissive" }),
    rules: exceptPorts(9090),
    keys: [OWN],
  },
  {
    name: "UNSET, port DISABLE below strict is an exception too",
    parentStrict: true,
    own: peer("unset", { 9090: "disable" }),
    rules: exceptPorts(9090),
    keys: [OWN],
  },
  {
    name: "strict mesh, PERMISSIVE, port STRICT",
    parentStrict: true,
    own: peer("permissive", { 9090: "strict" }),
    rules: [onPort(9090)],
    keys: [OWN],
  },
  {
    name: "UNSET, ports both ways, below strict",
    parentStrict: true,
    own: peer("unset", { 9090: "permissive", 8080: "strict" }),
    rules: exceptPorts(9090),
    keys: [OWN],
  },
  {
    name: "an UNSET port inherits",
    parentStrict: true,
    own: peer("unset", { 9090: "unset" }),
    rules: undefined,
    keys: [STATIC],
  },
];

for (const { name, parentStrict, own, rules, keys } of peers) {
  test(`PeerAuthentication: ${name}`, () => {
    assert.deepEqual(own && portLevelPolicy(own, parentStrict)?.rules, rules);
    assert.deepEqual(peerAuthenticationKeys(own, parentStrict, "istio-system"), keys);
  });
}

const levels = [
  { mesh: undefined, namespace: undefined, want: false },
  { mesh: "strict", namespace: undefined, want: true },
  { mesh: "strict", namespace: "unset", want: true },
  { mesh: "strict", namespace: "permissive", want: false },
  { mesh: "permissive", namespace: "strict", want: true },
  { mesh: "unset", namespace: "unset", want: false },
  { mesh: "strict", namespace: "disable", want: false },
] as const;
for (const { mesh, namespace, want } of levels) {
  test(`levels: mesh ${mesh}, namespace ${namespace}`, () =>
    assert.equal(isStrictByDefault(mesh && peer(mesh), namespace && peer(namespace)), want));
}

test("the static policy denies whoever shows no identity", () => {
  const policy = staticStrictPolicy("istio-system");
  assert.deepEqual(policy.rules, [[[PLAIN]]]);
  assert.equal(policy.scope, "workloadSelector");
});

test("the oldest wins, the name settles a tie", () => {
  const facts = (name: string, createdMs: number) => peer("strict", {}, { name, createdMs });
  assert.equal(oldest([facts("c", 2), facts("b", 1), facts("a", 1)])?.name, "a");
  assert.equal(oldest([]), undefined);
});
