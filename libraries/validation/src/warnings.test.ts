import assert from "node:assert/strict";
import { test } from "node:test";
import { warningsOf } from "./warnings.ts";

const SECURITY = "security.istio.io";

interface Warned {
  readonly name: string;
  /** Of networking, when absent. */
  readonly group?: string;
  readonly kind: string;
  readonly spec: unknown;
  /** The first warning; undefined for none. */
  readonly want: RegExp | undefined;
}

const WARNED: readonly Warned[] = [
  { name: "a Sidecar", kind: "Sidecar", spec: {}, want: /^spec: this kind has no effect/ },
  {
    name: "exportTo",
    kind: "ServiceEntry",
    spec: { exportTo: ["."] },
    want: /^spec\.exportTo: has no effect/,
  },
  { name: "exportTo everywhere", kind: "ServiceEntry", spec: { exportTo: ["*"] }, want: undefined },
  {
    name: "DISABLE",
    group: SECURITY,
    kind: "PeerAuthentication",
    spec: { mtls: { mode: "DISABLE" } },
    want: /^spec\.mtls\.mode: DISABLE is/,
  },
  {
    name: "a selector for tokens",
    group: SECURITY,
    kind: "RequestAuthentication",
    spec: { selector: {} },
    want: /^spec\.targetRefs: /,
  },
  {
    name: "a rule for sidecars",
    kind: "DestinationRule",
    spec: { workloadSelector: {} },
    want: /^spec\.workloadSelector: /,
  },
  {
    name: "HTTP at ztunnel",
    group: SECURITY,
    kind: "AuthorizationPolicy",
    spec: {
      rules: [
        {
          to: [{ operation: { notMethods: ["GET"], ports: ["80"] } }],
          when: [{ key: "request.headers[a]" }],
        },
      ],
    },
    want: /^spec\.rules: ztunnel does not support HTTP attributes \(found: notMethods, request\.headers\[a\]\)/,
  },
  {
    name: "a DENY of nothing but HTTP",
    group: SECURITY,
    kind: "AuthorizationPolicy",
    spec: { action: "DENY", rules: [{ to: [{ operation: { methods: ["POST"] } }] }] },
    want: /without them the policy has no effect, so that nothing is denied: use a waypoint/,
  },
  {
    name: "a DENY with HTTP beside ports",
    group: SECURITY,
    kind: "AuthorizationPolicy",
    spec: { action: "DENY", rules: [{ to: [{ operation: { methods: ["POST"], notPorts: ["80"] } }] }] },
    want: /without them, so that more is denied: use a waypoint/,
  },
  {
    name: "a DENY of both sorts",
    group: SECURITY,
    kind: "AuthorizationPolicy",
    spec: {
      action: "DENY",
      rules: [
        { to: [{ operation: { ports: ["80"] } }], when: [{ key: "request.headers[a]" }] },
        { to: [{ operation: { ports: ["81"] } }] },
      ],
    },
    want: /without them, 1 of its 2 rules not at all: use a waypoint/,
  },
  {
    name: "HTTP at a waypoint",
    group: SECURITY,
    kind: "AuthorizationPolicy",
    spec: {
      targetRefs: [{ kind: "Service", name: "a" }],
      rules: [{ to: [{ operation: { methods: ["GET"] } }] }],
    },
    want: undefined,
  },
  {
    name: "AUDIT at ztunnel",
    group: SECURITY,
    kind: "AuthorizationPolicy",
    spec: { action: "AUDIT" },
    want: /^spec\.action: ztunnel does not/,
  },
  {
    name: "null for what is left out",
    kind: "VirtualService",
    spec: { hosts: ["a"], http: [{ route: [{ destination: { host: "a" } }] }], gateways: null },
    want: undefined,
  },
  {
    name: "null for no sources",
    group: SECURITY,
    kind: "AuthorizationPolicy",
    spec: { rules: [{ from: null, when: [{ key: "request.headers[a]", values: ["b"] }] }] },
    want: /^spec\.rules: .*\(found: request\.headers\[a\]\)/,
  },
  { name: "a kind of somebody else", kind: "Unheard", spec: {}, want: undefined },
];
for (const { name, kind, spec, want, group } of WARNED)
  test(`warningsOf: ${name}`, () => {
    const [first] = warningsOf(group ?? "networking.istio.io", kind, { spec });
    if (want === undefined) assert.equal(first, undefined);
    else assert.match(first ?? "nothing", want);
  });
