import assert from "node:assert/strict";
import { test } from "node:test";
import { compileRule, KNOWN_KINDS } from "@meltemi/validation";
import fc from "fast-check";
import { formatProblem, validateText } from "./validate.ts";

const lines = (text: string): readonly string[] => validateText("f", text, true).problems.map(formatProblem);
const policy = (spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: a\nspec:\n${spec}`;
const head = (apiVersion: string, kind: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`;

const VALID = [
  { name: "a policy", text: policy("  action: DENY\n  rules: [{to: [{operation: {ports: ['8080']}}]}]\n") },
  {
    name: "JSON",
    text: '{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"a"}}',
  },
  { name: "several documents, one empty", text: `${policy("  {}\n")}---\n---\n${policy("  {}\n")}` },
  { name: "Windows line ends", text: policy("  action: ALLOW\n").replaceAll("\n", "\r\n") },
  {
    name: "defaults are filled in before rules are judged",
    text: `${head("gateway.networking.k8s.io/v1", "Gateway")}spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]\n`,
  },
  {
    name: "an anchor and a merge",
    text: `${policy("  selector: {matchLabels: &l {app: web}}\n")}---\n${policy("  selector: {matchLabels: {<<: {a: b}, app: web}}\n")}`,
  },
  {
    name: "an operator",
    text: `apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {profile: ambient}\n`,
  },
  { name: "somebody else's kind", text: "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: many}\n" },
  { name: "somebody else's gateway", text: "apiVersion: example.com/v1\nkind: Gateway\n" },
  {
    name: "what kubectl get gives",
    text: `apiVersion: v1\nkind: List\nitems:\n- apiVersion: security.istio.io/v1\n  kind: PeerAuthentication\n  metadata: {name: a, uid: x, resourceVersion: "1", managedFields: []}\n  status: {}\n`,
  },
];
for (const { name, text } of VALID)
  test(`validate: ${name} is valid`, () => assert.deepEqual(lines(text), []));

const REFUSED = [
  {
    name: "a misspelt field, where its name stands",
    text: policy("  selector:\n    matchLabel:\n      app: web\n"),
    want: ["f:7:5: spec.selector.matchLabel: there is no such field; did you mean matchLabels?"],
  },
  {
    name: "every problem of a policy at once",
    text: policy(
      "  action: ALOW\n  rules:\n  - from:\n    - source:\n        principals: one\n    to: [{operation: {ports: [80]}}]\n",
    ),
    want: [
      'f:6:11: spec.action: expected one of ALLOW, DENY, AUDIT, CUSTOM, got "ALOW"; did you mean ALLOW?',
      'f:10:21: spec.rules[0].from[0].source.principals: expected a list, got "one"',
      'f:11:31: spec.rules[0].to[0].operation.ports[0]: expected text, got 80: quote it, "80"',
    ],
  },
  {
    name: "meaning beyond the structure",
    text: policy(
      "  rules:\n  - from: [{source: {ipBlocks: [10.0.0.300]}}]\n    when: [{key: foo, values: [x]}]\n",
    ),
    want: [
      'f:7:33: spec.rules[0].from[0].source.ipBlocks[0]: expected an IP address or CIDR block, got "10.0.0.300"',
      'f:8:18: spec.rules[0].when[0].key: expected a key of Istio\'s conditions, got "foo"',
    ],
  },
  {
    name: "a field twice",
    text: policy("  action: DENY\n  action: ALLOW\n"),
    want: ["f:7:3: spec.action: expected each field once, got it again"],
  },
  {
    name: "YAML 1.1 words: a warning where a flag is wanted, an error where text is",
    text: `${head("security.istio.io/v1", "PeerAuthentication").replace("{name: a}", "{name: a, labels: {on: yes}}")}`,
    want: [
      "f:3:30: warning: metadata.labels.true: the name on is read as true by kubectl (YAML 1.1): quote it",
      "f:3:34: warning: metadata.labels.true: yes is read as true by kubectl (YAML 1.1): write true, or quote it",
      'f:3:34: metadata.labels.true: expected text, got true: quote it, "true"',
    ],
  },
  {
    name: "an octal number",
    text: policy("  selector: {matchLabels: {app: 0755}}\n"),
    want: [
      "f:6:33: warning: spec.selector.matchLabels.app: 0755 is read as an octal number by kubectl (YAML 1.1): quote it if it is text",
      'f:6:33: spec.selector.matchLabels.app: expected text, got 755: quote it, "755"',
    ],
  },
  { name: "a tab", text: "a:\n\tb: 1\n", want: ["f:2:1: YAML: Tabs are not allowed as indentation"] },
  {
    name: "no kind",
    text: "apiVersion: security.istio.io/v1\n",
    want: ["f:1:1: kind: expected text such as AuthorizationPolicy, got nothing"],
  },
  {
    name: "a misspelt kind",
    text: head("gateway.networking.k8s.io/v1", "Gatway"),
    want: ["f:2:7: kind: gateway.networking.k8s.io has no kind Gatway; did you mean Gateway?"],
  },
  {
    name: "a version there is not",
    text: head("security.istio.io/v2", "PeerAuthentication"),
    want: [
      "f:1:13: apiVersion: PeerAuthentication has no version security.istio.io/v2; expected security.istio.io/v1 or security.istio.io/v1beta1",
    ],
  },
  {
    name: "a misspelt group",
    text: head("secuirty.istio.io/v1", "PeerAuthentication"),
    want: [
      "f:1:13: apiVersion: there is no secuirty.istio.io/v1; expected security.istio.io/v1 or security.istio.io/v1beta1",
    ],
  },
  {
    name: "no group",
    text: head("v1", "AuthorizationPolicy"),
    want: ["f:1:13: apiVersion: there is no v1; expected security.istio.io/v1 or security.istio.io/v1beta1"],
  },
  {
    name: "a rule of the definition",
    text: `${head("gateway.networking.k8s.io/v1", "Gateway")}spec:
  gatewayClassName: istio
  listeners:
  - {name: a, port: 80, protocol: HTTP}
  - {name: a, port: 99999, protocol: HTTPS, tls: {}}\n`,
    want: [
      'f:8:5: spec.listeners[1]: expected each item once, got name "a" again',
      "f:8:21: spec.listeners[1].port: expected a whole number from 1 to 65535, got 99999",
      "f:8:50: spec.listeners[1].tls: certificateRefs or options must be specified when mode is Terminate",
    ],
  },
  {
    name: "a missing name",
    text: "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  namespace: x\n",
    want: ["f:3:1: metadata.name: expected a value, got nothing"],
  },
  {
    name: "a namespace where there is none",
    text: `${head("gateway.networking.k8s.io/v1", "GatewayClass").replace("name: a", "name: a, namespace: x")}spec: {controllerName: a.example/b}\n`,
    want: ["f:3:32: metadata.namespace: expected no namespace: GatewayClass is not in one"],
  },
  {
    name: "an item of a List",
    text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: security.istio.io/v1\n  kind: PeerAuthentication\n  metadata: {name: b}\n  spec: {mtls: {mode: strict}}\n",
    want: [
      'f:7:23: items[0].spec.mtls.mode: expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got "strict"; did you mean STRICT?',
    ],
  },
  {
    name: "a value of the installation",
    text: "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {values: {cni: {ambeint: {}}}}\n",
    want: ["f:3:23: spec.values.cni.ambeint: no such value; did you mean ambient?"],
  },
  { name: "no object", text: "- a\n", want: ['f:1:1: expected an object of the API, got ["a"]'] },
];
for (const { name, text, want } of REFUSED)
  test(`validate: ${name}`, () => assert.deepEqual(lines(text), want));

test("in a folder, what is no object is passed over", () => {
  assert.deepEqual(validateText("values.yaml", "replicas: 2\n", false).problems, []);
});

test("kinds whose fields are not known are said to be so", () => {
  const { frameOnly, problems } = validateText(
    "f",
    `${head("networking.istio.io/v1", "Sidecar")}spec: {x: 1}\n`,
    true,
  );
  assert.deepEqual([frameOnly, problems], [["Sidecar"], []]);
});

const billion = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
for (let i = 1; i < 12; i++)
  billion.push(
    `a${i}: &a${i} [${Array(9)
      .fill(`*a${i - 1}`)
      .join(", ")}]`,
  );
const HOSTILE = [
  { name: "aliases of aliases", text: billion.join("\n"), want: /at most 200000 values, aliases expanded/ },
  { name: "an alias of what it is in", text: "a: &a [*a]\n", want: /part of/ },
  { name: "an alias of nothing", text: "a: *b\n", want: /no anchor &b/ },
  { name: "nested lists in one line", text: "[".repeat(100_000), want: /at most 200 levels/ },
  { name: "nested maps in one line", text: "- ".repeat(100_000), want: /at most 200 levels/ },
  { name: "too large a file", text: "#".repeat(5 * 1024 * 1024), want: /at most 4194304 characters/ },
  {
    name: "a map of very many fields",
    text: Array.from({ length: 50_000 }, (_, i) => `k${i}: 1`).join("\n"),
    want: /got nothing/,
  },
  { name: "very many aliases", text: `a: &a 1\nb: [${"*a, ".repeat(50_000)}]`, want: /got nothing/ },
  { name: "a merge of itself", text: "a: &a\n  <<: *a\n", want: /part of/ },
  { name: "very many documents", text: "---\na: 1\n".repeat(6000), want: /at most 5000 documents/ },
  {
    name: "a name of the prototype",
    text: policy("  __proto__: {}\n  constructor: 1\n"),
    want: /no such field/,
  },
];
for (const { name, text, want } of HOSTILE)
  test(`validate is bounded: ${name}`, () =>
    assert.ok(
      lines(text).some((line) => want.test(line)),
      lines(text)[0],
    ));

test("every rule of every definition is understood", () => {
  const rulesOf = (node: unknown): string[] => {
    if (typeof node !== "object" || node === null) return [];
    const own = (node as { "x-kubernetes-validations"?: readonly { rule: string }[] })[
      "x-kubernetes-validations"
    ];
    return [
      ...(Array.isArray(own) ? own.map(({ rule }) => rule) : []),
      ...Object.values(node).flatMap(rulesOf),
    ];
  };
  const rules = KNOWN_KINDS.flatMap(({ schemas }) => [...schemas.values()].flatMap(rulesOf));
  assert.ok(rules.length > 40);
  for (const rule of rules) compileRule(rule);
});

test("validate takes any text, and every position is in it", () => {
  const piece = fc.constantFrom(
    "a: ",
    "- ",
    "\n",
    "  ",
    "&x ",
    "*x",
    "<<: ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "|",
    "? ",
    "---\n",
    "\t",
    "yes",
    "!!set ",
    "!!binary ",
    "%YAML 1.1\n",
    "# c",
  );
  const objects = fc.record({
    apiVersion: fc.constantFrom(
      "security.istio.io/v1",
      "gateway.networking.k8s.io/v1",
      "networking.istio.io/v1",
      "v1",
    ),
    kind: fc.constantFrom("AuthorizationPolicy", "Gateway", "ServiceEntry", "HTTPRoute", "List"),
    metadata: fc.oneof(fc.constant({ name: "a" }), fc.jsonValue()),
    spec: fc.jsonValue(),
    items: fc.jsonValue(),
  });
  const texts = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join("")),
    fc.array(piece, { maxLength: 20 }).map((pieces) => policy(`  ${pieces.join("")}`)),
    objects.map((object) => JSON.stringify(object)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const height = text.split("\n").length;
      for (const { line, column, problem } of validateText("f", text, true).problems) {
        assert.ok(line >= 1 && line <= height && column >= 1, `${line}:${column} in ${JSON.stringify(text)}`);
        assert.ok(problem.length < 4096);
      }
    }),
    { numRuns: 600 },
  );
});

test("what has no effect is a warning, as kubectl apply shows it, in a List as well", () => {
  const item = [
    "  - apiVersion: networking.istio.io/v1",
    "    kind: ServiceEntry",
    "    metadata: {name: e, namespace: shop}",
    "    spec:",
    "      hosts: [api.example.com]",
    '      exportTo: ["."]',
    "      ports: [{number: 443, name: tls, protocol: TLS}]",
    "      resolution: DNS",
  ];
  const alone = item.map((line) => line.slice(4)).join("\n");
  const [warning, ...more] = validateText("a.yaml", alone, true).problems;
  assert.deepEqual(more, []);
  assert.deepEqual([warning?.severity, warning?.path, warning?.line], ["warning", "spec.exportTo", 6]);
  const list = ["apiVersion: v1", "kind: List", "items:", ...item].join("\n");
  assert.deepEqual(
    validateText("a.yaml", list, true).problems.map(({ severity, path }) => `${severity} ${path}`),
    ["warning items[0].spec.exportTo"],
  );
});
