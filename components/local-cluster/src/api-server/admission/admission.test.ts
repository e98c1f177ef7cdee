import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { createRegistry, type Served } from "../registry.ts";
import type { Stored } from "../store/object-store.ts";
import { judgeConditions } from "./condition.ts";
import { resolveEndpoint } from "./endpoint.ts";
import { type Attributes, matchingVersion } from "./match.ts";
import { readAnswer } from "./review.ts";
import { createWebhookReader, type Webhook } from "./webhook.ts";

const registry = createRegistry();
function served(group: string, plural: string): Served {
  const found = registry.find(group, "v1", plural);
  assert.ok(found);
  return found;
}

const RULE = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] };

function webhook(fields: JsonObject): Webhook {
  const object: KubeObject = {
    metadata: { name: "a" },
    webhooks: [{ name: "x.y.z", clientConfig: { url: "https://x/" }, rules: [RULE], ...fields }],
  };
  const list = (resource: string): readonly Stored[] =>
    resource.includes("mutating")
      ? []
      : [{ resource, namespace: "", name: "a", revision: 1, object, text: "" }];
  const [read] = createWebhookReader({ list })().validating;
  assert.ok(read);
  return read;
}

const object: KubeObject = { metadata: { name: "web", namespace: "shop", labels: { app: "web" } } };
const pods: Attributes = {
  operation: "CREATE",
  served: served("", "pods"),
  subresource: "",
  namespace: "shop",
  name: "web",
  object,
  oldObject: undefined,
};
const shop: Attributes = {
  ...pods,
  served: served("", "namespaces"),
  object: { metadata: { name: "shop", labels: { kind: "new" } } },
};
const nodes: Attributes = { ...pods, served: served("", "nodes"), namespace: "" };
const labels = (namespace: string): Record<string, string> | undefined =>
  namespace === "shop" ? { kind: "stored" } : undefined;

const matches: readonly { name: string; fields: JsonObject; what: Attributes; want: boolean }[] = [
  { name: "everything", fields: {}, what: pods, want: true },
  { name: "no rules", fields: { rules: [] }, what: pods, want: false },
  {
    name: "a subresource is not the resource's",
    fields: {},
    what: { ...pods, subresource: "status" },
    want: false,
  },
  {
    name: "pods/*",
    fields: { rules: [{ ...RULE, resources: ["pods/*"] }] },
    what: { ...pods, subresource: "status" },
    want: true,
  },
  {
    name: "*/status",
    fields: { rules: [{ ...RULE, resources: ["*/status"] }] },
    what: { ...pods, subresource: "status" },
    want: true,
  },
  {
    name: "*/status of the whole",
    fields: { rules: [{ ...RULE, resources: ["*/status"] }] },
    what: pods,
    want: false,
  },
  {
    name: "another operation",
    fields: { rules: [{ ...RULE, operations: ["UPDATE", "DELETE"] }] },
    what: pods,
    want: false,
  },
  { name: "another version", fields: { rules: [{ ...RULE, apiVersions: ["v2"] }] }, what: pods, want: false },
  { name: "scope Namespaced", fields: { rules: [{ ...RULE, scope: "Namespaced" }] }, what: pods, want: true },
  { name: "scope Cluster", fields: { rules: [{ ...RULE, scope: "Cluster" }] }, what: pods, want: false },
  {
    name: "a Namespace is cluster-wide",
    fields: { rules: [{ ...RULE, scope: "Cluster" }] },
    what: shop,
    want: true,
  },
  {
    name: "a Namespace is not in a namespace",
    fields: { rules: [{ ...RULE, scope: "Namespaced" }] },
    what: shop,
    want: false,
  },
  {
    name: "labels of the namespace",
    fields: { namespaceSelector: { matchLabels: { kind: "stored" } } },
    what: pods,
    want: true,
  },
  {
    name: "labels of another namespace",
    fields: { namespaceSelector: { matchLabels: { kind: "stored" } } },
    what: { ...pods, namespace: "bank" },
    want: false,
  },
  {
    name: "a Namespace's new labels",
    fields: { namespaceSelector: { matchLabels: { kind: "new" } } },
    what: shop,
    want: true,
  },
  {
    name: "nodes, whatever namespaces",
    fields: { namespaceSelector: { matchLabels: { a: "b" } } },
    what: nodes,
    want: true,
  },
  {
    name: "labels of the object",
    fields: { objectSelector: { matchLabels: { app: "web" } } },
    what: pods,
    want: true,
  },
  {
    name: "other labels",
    fields: { objectSelector: { matchLabels: { app: "x" } } },
    what: pods,
    want: false,
  },
  {
    name: "labels that it had",
    fields: { objectSelector: { matchLabels: { app: "web" } } },
    what: { ...pods, object: { metadata: {} }, oldObject: object },
    want: true,
  },
  {
    name: "webhook configurations never",
    fields: {},
    what: { ...nodes, served: served("admissionregistration.k8s.io", "validatingwebhookconfigurations") },
    want: false,
  },
];
for (const c of matches)
  test(`webhook matches: ${c.name}: ${c.want}`, () =>
    assert.equal(matchingVersion(webhook(c.fields), c.what, labels) !== undefined, c.want));

const conditions: readonly { name: string; expressions: readonly string[]; want: string }[] = [
  { name: "none", expressions: [], want: "met" },
  {
    name: "all hold",
    expressions: ["object.spec.replicas > 2", "request.operation == 'CREATE'"],
    want: "met",
  },
  {
    name: "one does not",
    expressions: ["object.spec.replicas > 2", "object.spec.replicas > 5"],
    want: "unmet",
  },
  { name: "has", expressions: ["!has(object.spec.template)"], want: "met" },
  { name: "no old object", expressions: ["oldObject == null"], want: "met" },
  { name: "a field that is not there", expressions: ["object.status.x == 1"], want: "failed" },
  {
    name: "one that cannot be judged and one that does not hold",
    expressions: ["object.status.x == 1", "false"],
    want: "unmet",
  },
  { name: "no expression", expressions: ["1 +"], want: "failed" },
  { name: "not a boolean", expressions: ["1"], want: "unmet" },
];
for (const c of conditions)
  test(`conditions: ${c.name}: ${c.want}`, () => {
    const all = c.expressions.map((expression, index) => ({ name: `c${index}`, expression }));
    const request = { operation: "CREATE", object: { spec: { replicas: 3 } }, oldObject: null };
    assert.equal(judgeConditions({ conditions: all }, request).kind, c.want);
  });

const review = (response: Json): string =>
  JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
const base64 = (value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64");
const answers: readonly { name: string; text: string; mayPatch?: boolean; want: string; says?: RegExp }[] = [
  { name: "yes", text: review({ uid: "u", allowed: true }), want: "allowed" },
  {
    name: "yes with a patch",
    text: review({ uid: "u", allowed: true, patchType: "JSONPatch", patch: base64([]) }),
    want: "allowed",
  },
  {
    name: "no",
    text: review({ uid: "u", allowed: false, status: { message: "m", code: 418 } }),
    want: "denied",
    says: /: m$/,
  },
  {
    name: "no, with a code that is none",
    text: review({ uid: "u", status: { code: 200 } }),
    want: "denied",
    says: /without explanation/,
  },
  {
    name: "no, with a reason",
    text: review({ uid: "u", status: { reason: "Busy" } }),
    want: "denied",
    says: /: Busy$/,
  },
  {
    name: "a patch from one that may not",
    text: review({ uid: "u", allowed: true, patchType: "JSONPatch", patch: base64([]) }),
    mayPatch: false,
    want: "bad",
    says: /may not patch/,
  },
  {
    name: "another patch type",
    text: review({ uid: "u", allowed: true, patchType: "Merge", patch: base64([]) }),
    want: "bad",
    says: /patchType/,
  },
  {
    name: "a patch that is none",
    text: review({ uid: "u", allowed: true, patchType: "JSONPatch", patch: base64({}) }),
    want: "bad",
    says: /no list/,
  },
  {
    name: "another uid",
    text: review({ uid: "v", allowed: true }),
    want: "bad",
    says: /expected response.uid="u", got "v"/,
  },
  { name: "no response", text: review(null), want: "bad", says: /absent/ },
  {
    name: "an old version",
    text: '{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}',
    want: "bad",
    says: /v1beta1/,
  },
  { name: "nothing", text: "", want: "bad" },
];
for (const c of answers)
  test(`answer: ${c.name}: ${c.want}`, () => {
    const answer = readAnswer(c.text, { name: "x.y.z", mayPatch: c.mayPatch ?? true }, "u");
    assert.equal(answer.kind, c.want);
    if (answer.kind === "denied") {
      assert.match(answer.refusal.message, c.says ?? /denied/);
      assert.ok(answer.refusal.httpCode >= 400);
    }
    if (answer.kind === "bad" && c.says !== undefined) assert.match(answer.why, c.says);
  });

test("answer: whatever comes back is an answer or bad, never a fault of ours", () => {
  const any = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((text) => review(JSON.parse(text) as Json)),
  );
  fc.assert(
    fc.property(any, (text) => {
      const { kind } = readAnswer(text, { name: "x", mayPatch: true }, "u");
      assert.ok(kind === "bad" || kind === "denied" || kind === "allowed");
    }),
    { numRuns: 1_000 },
  );
});

const service = (spec: JsonObject): KubeObject => ({ metadata: { name: "hook", namespace: "mesh" }, spec });
const slice = (name: string, endpoints: Json[], port = 15017): Stored => ({
  resource: "",
  namespace: "mesh",
  name: "s",
  revision: 1,
  text: "",
  object: {
    metadata: { name: "s", namespace: "mesh", labels: { "kubernetes.io/service-name": name } },
    endpoints,
    ports: [{ name: "https", port }],
  },
});
const one = (address: string, ready = true): Json => ({ addresses: [address], conditions: { ready } });
const HTTPS = { ports: [{ name: "https", port: 443 }] };
const endpoints: readonly {
  name: string;
  spec?: JsonObject;
  slices?: Stored[];
  turn?: number;
  want: string;
}[] = [
  { name: "no service", want: 'service "hook" not found' },
  {
    name: "no such port",
    spec: { ports: [{ port: 80 }] },
    want: 'no service port 443 found for service "hook"',
  },
  { name: "no slices", spec: HTTPS, want: 'no endpoints available for service "hook"' },
  {
    name: "none ready",
    spec: HTTPS,
    slices: [slice("hook", [one("10.0.0.1", false)])],
    want: 'no endpoints available for service "hook"',
  },
  {
    name: "another service's",
    spec: HTTPS,
    slices: [slice("other", [one("10.0.0.1")])],
    want: 'no endpoints available for service "hook"',
  },
  {
    name: "the ready one",
    spec: HTTPS,
    slices: [slice("hook", [one("10.0.0.1", false), one("10.0.0.2")])],
    want: "10.0.0.2:15017",
  },
  {
    name: "the next in turn",
    spec: HTTPS,
    slices: [slice("hook", [one("10.0.0.1"), one("10.0.0.2")])],
    turn: 3,
    want: "10.0.0.2:15017",
  },
  {
    name: "a name elsewhere",
    spec: { ...HTTPS, type: "ExternalName", externalName: "x.example" },
    want: "x.example:443",
  },
];
for (const c of endpoints)
  test(`endpoint: ${c.name}`, () => {
    const { spec, slices = [] } = c;
    const stored = spec === undefined ? undefined : { ...slice("", []), object: service(spec) };
    const address = { kind: "service", namespace: "mesh", name: "hook", port: 443, path: "/" } as const;
    const found = resolveEndpoint({ get: () => stored, list: () => slices }, address, c.turn ?? 0);
    assert.equal(found.kind === "address" ? `${found.host}:${found.port}` : found.why, c.want);
  });
