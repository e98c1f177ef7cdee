/** Admission webhooks over real TLS, as the machine's real kubectl meets them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMap as create, MAPS, startHookedCluster } from "./admission-webhook.fixture.ts";

const cluster = await startHookedCluster();
const { hooks, configure, kubectl, feed, refused, run } = cluster;

test("a denial is told in Kubernetes' words, and nothing is stored", async () => {
  hooks.on("/no", () => ({
    allowed: false,
    status: { message: "not on Fridays", code: 403, reason: "Forbidden" },
  }));
  await configure({ path: "/no" });
  await refused(
    /^(error: failed to create configmap|Error from server \(Forbidden\)): admission webhook "no.hooks.example" denied the request: not on Fridays$/m,
    create("denied"),
  );
  assert.equal(await kubectl("get", "configmap", "denied", "-n", "shop", "--ignore-not-found"), "");
  hooks.on("/no", () => ({ allowed: false }));
  await refused(
    /admission webhook "no.hooks.example" denied the request without explanation/,
    create("denied"),
  );
});

test("warnings reach the user", async () => {
  hooks.on("/warn", () => ({ warnings: ["mind the gap"] }));
  await configure({ path: "/warn" });
  const { code, stderr } = await run(create("warned"));
  assert.equal(code, 0);
  assert.match(stderr, /^Warning: mind the gap$/m);
});

test("the question: who asks for what, before and after", async () => {
  hooks.on("/see", () => ({}));
  await configure({ path: "/see" });
  await kubectl(...create("seen"));
  await kubectl("label", "configmap", "seen", "-n", "shop", "x=y", "--as=ann", "--as-group=system:masters");
  await kubectl("delete", "configmap", "seen", "-n", "shop");
  const requests = hooks.questions.map(({ request }) => request);
  const [made = {}, changed = {}, gone = {}] = requests;
  assert.equal(made["operation"], "CREATE");
  assert.deepEqual(made["kind"], { group: "", version: "v1", kind: "ConfigMap" });
  assert.deepEqual(made["requestResource"], { group: "", version: "v1", resource: "configmaps" });
  assert.equal(made["name"], "seen");
  assert.equal(made["namespace"], "shop");
  assert.equal(made["dryRun"], false);
  assert.equal(made["oldObject"], null);
  assert.equal((made["userInfo"] as { username: string }).username, "kubernetes-admin");
  assert.equal((made["options"] as { kind: string }).kind, "CreateOptions");
  assert.equal(changed["operation"], "UPDATE");
  assert.equal((changed["userInfo"] as { username: string }).username, "ann");
  assert.deepEqual((changed["object"] as Labelled).metadata.labels, { x: "y" });
  assert.equal((changed["oldObject"] as Labelled).metadata.labels, undefined);
  assert.equal(gone["operation"], "DELETE");
  assert.equal(gone["object"], null);
  assert.deepEqual((gone["oldObject"] as { data: unknown }).data, { a: "1" });
  assert.equal(new Set(requests.map((request) => request["uid"])).size, 3);
});

interface Labelled {
  readonly metadata: { readonly labels?: Record<string, string> };
}

test("a deletion may be denied; dry runs are told as such", async () => {
  hooks.on("/keep", ({ operation }) => ({ allowed: operation !== "DELETE", status: { message: "kept" } }));
  await configure({ path: "/keep", sideEffects: "NoneOnDryRun" });
  await kubectl(...create("kept"));
  await refused(/denied the request: kept/, ["delete", "configmap", "kept", "-n", "shop"]);
  await refused(/denied the request: kept/, ["delete", "configmaps", "--all", "-n", "shop"]);
  await kubectl("get", "configmap", "kept", "-n", "shop", "-o", "name");
  await kubectl(...create("dry", "--dry-run=server"));
  assert.equal(hooks.questions.at(-1)?.request["dryRun"], true);
});

test("mutating webhooks go one after the other, validating ones see what comes of it", async () => {
  hooks.on("/first", ({ object }) => ({
    patch: [{ op: "add", path: "/data/first", value: JSON.stringify((object as { data: object }).data) }],
  }));
  hooks.on("/second", ({ object }) => ({
    patch: [{ op: "add", path: "/data/second", value: JSON.stringify((object as { data: object }).data) }],
  }));
  hooks.on("/see", () => ({}));
  await configure(
    { path: "/first", kind: "Mutating" },
    { path: "/second", kind: "Mutating" },
    { path: "/see" },
  );
  await kubectl(...create("made"));
  const data = JSON.parse(await kubectl("get", "configmap", "made", "-n", "shop", "-o", "jsonpath={.data}"));
  assert.deepEqual(data, {
    a: "1",
    first: '{"a":"1"}',
    second: JSON.stringify({ a: "1", first: '{"a":"1"}' }),
  });
  assert.deepEqual(
    hooks.questions.map(({ path }) => path),
    ["/first", "/second", "/see"],
  );
  const seen = hooks.questions.at(-1)?.request["object"] as { data: object };
  assert.deepEqual(seen.data, data);
});

test("who wants to is asked once more when others changed the object", async () => {
  hooks.on("/first", () => ({ patch: [{ op: "add", path: "/data/first", value: "x" }] }));
  hooks.on("/second", () => ({ patch: [{ op: "add", path: "/data/second", value: "x" }] }));
  await configure(
    { path: "/first", kind: "Mutating", reinvocationPolicy: "IfNeeded" },
    { path: "/second", kind: "Mutating", reinvocationPolicy: "IfNeeded" },
  );
  await kubectl(...create("again"));
  assert.deepEqual(
    hooks.questions.map(({ path }) => path),
    ["/first", "/second", "/first"],
  );
});

test("what a webhook makes of an object is validated like anything else", async () => {
  hooks.on("/break", () => ({ patch: [{ op: "add", path: "/metadata/labels", value: { "a b": "c" } }] }));
  await configure({ path: "/break", kind: "Mutating" });
  await refused(/ConfigMap "broken" is invalid: metadata.labels/, create("broken"));
  hooks.on("/break", () => ({ patch: [{ op: "replace", path: "/metadata/name", value: "other" }] }));
  await refused(
    /"break.hooks.example" patched the object: metadata.name cannot be changed/,
    create("broken"),
  );
  hooks.on("/break", () => ({ patch: [{ op: "remove", path: "/data/none" }] }));
  await refused(/"break.hooks.example" patched the object: .*there is nothing at/, create("broken"));
});

const selections: readonly { name: string; hook: object; asked: boolean }[] = [
  {
    name: "its namespace is selected",
    hook: { namespaceSelector: { matchLabels: { team: "shop" } } },
    asked: true,
  },
  {
    name: "its namespace is not selected",
    hook: { namespaceSelector: { matchLabels: { team: "bank" } } },
    asked: false,
  },
  {
    name: "its labels are not selected",
    hook: { objectSelector: { matchLabels: { a: "b" } } },
    asked: false,
  },
  { name: "another operation", hook: { rules: [{ ...MAPS, operations: ["DELETE"] }] }, asked: false },
  {
    name: "another resource",
    hook: { rules: [{ ...MAPS, resources: ["secrets", "configmaps/status"] }] },
    asked: false,
  },
  { name: "every resource", hook: { rules: [{ ...MAPS, resources: ["*/*"] }] }, asked: true },
  { name: "another group", hook: { rules: [{ ...MAPS, apiGroups: ["apps"] }] }, asked: false },
  { name: "cluster-wide things", hook: { rules: [{ ...MAPS, scope: "Cluster" }] }, asked: false },
  {
    name: "a condition that holds",
    hook: {
      matchConditions: [
        { name: "c", expression: "object.data.a == '1' && request.userInfo.username.startsWith('kube')" },
      ],
    },
    asked: true,
  },
  {
    name: "a condition that does not hold",
    hook: { matchConditions: [{ name: "c", expression: "request.operation == 'DELETE'" }] },
    asked: false,
  },
];
for (const { name, hook, asked } of selections)
  test(`${asked ? "asked" : "not asked"}: ${name}`, async () => {
    hooks.on("/pick", () => ({ allowed: false }));
    await configure({ path: "/pick", ...hook });
    const { code } = await run(create("picked", "--dry-run=server"));
    assert.equal(code !== 0, asked);
    assert.equal(hooks.questions.length, asked ? 1 : 0);
  });

test("connections are kept", async () => {
  hooks.on("/see", () => ({}));
  await configure({ path: "/see" });
  await kubectl(...create("kept-0"));
  const before = hooks.connections();
  for (let index = 1; index < 5; index++) await kubectl(...create(`kept-${index}`));
  assert.equal(hooks.connections(), before);
});

test("an object that changes meanwhile: the webhook is asked about what is stored in the end", async () => {
  await kubectl(...create("busy"));
  let others: Promise<unknown> | undefined;
  hooks.on("/slow", async ({ object }) => {
    const { labels } = (object as { metadata: { labels?: Record<string, string> } }).metadata;
    // The first question is answered only when somebody else has written.
    if (labels?.["slow"] !== undefined && others === undefined) {
      others = kubectl("annotate", "configmap", "busy", "-n", "shop", "by=other");
      await others;
    }
    return { patch: [{ op: "add", path: "/data/asked", value: "yes" }] };
  });
  await configure({ path: "/slow", kind: "Mutating", timeoutSeconds: 10 });
  await kubectl("label", "configmap", "busy", "-n", "shop", "slow=yes");
  const busy = JSON.parse(await kubectl("get", "configmap", "busy", "-n", "shop", "-o", "json"));
  assert.equal(busy.metadata.annotations.by, "other");
  assert.equal(busy.metadata.labels.slow, "yes");
  assert.equal(busy.data.asked, "yes");
  const last = hooks.questions.at(-1)?.request["object"] as { metadata: { annotations: object } };
  assert.deepEqual(last.metadata.annotations, { by: "other" });
});

test("names made by generateName are those that the webhook saw", async () => {
  hooks.on("/see", () => ({ patch: [{ op: "add", path: "/data", value: { seen: "yes" } }] }));
  await configure({ path: "/see", kind: "Mutating" });
  const made = await feed(
    "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: gen-, namespace: shop}}",
    "create",
    "-o",
    "name",
  );
  assert.equal(made, `configmap/${String(hooks.questions[0]?.request["name"])}`);
});

test("subresources are asked as such", async () => {
  await feed(
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}",
    "apply",
  );
  hooks.on("/scale", () => ({ allowed: false, status: { message: "large enough" } }));
  await configure({
    path: "/scale",
    rules: [
      { operations: ["UPDATE"], apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments/scale"] },
    ],
  });
  await refused(/denied the request: large enough/, [
    "scale",
    "deployment",
    "web",
    "-n",
    "shop",
    "--replicas=3",
  ]);
  const request = hooks.questions[0]?.request ?? {};
  assert.deepEqual(request["kind"], { group: "autoscaling", version: "v1", kind: "Scale" });
  assert.equal(request["subResource"], "scale");
  await kubectl("label", "deployment", "web", "-n", "shop", "x=y");
  assert.equal(hooks.questions.length, 1);
});

test("a webhook changes no other half of the object than its writer", async () => {
  hooks.on("/halves", () => ({
    patch: [
      { op: "replace", path: "/status", value: { replicas: 7 } },
      { op: "replace", path: "/spec/replicas", value: 3 },
      { op: "add", path: "/metadata/annotations", value: { seen: "yes" } },
    ],
  }));
  const rules = [
    {
      operations: ["*"],
      apiGroups: ["apps"],
      apiVersions: ["v1"],
      resources: ["deployments", "deployments/status"],
    },
  ];
  await configure({ path: "/halves", kind: "Mutating", rules });
  const halves = (): Promise<string> =>
    kubectl(
      "get",
      "deployment",
      "half",
      "-n",
      "shop",
      "-o",
      "jsonpath={.spec.replicas} {.status.replicas} {.metadata.annotations.seen}",
    );
  await kubectl("create", "deployment", "half", "--image=i", "-n", "shop");
  assert.equal(await halves(), "3  yes");
  hooks.on("/halves", () => ({
    patch: [
      { op: "replace", path: "/spec/replicas", value: 9 },
      { op: "add", path: "/status/replicas", value: 4 },
    ],
  }));
  await kubectl(
    "patch",
    "deployment",
    "half",
    "-n",
    "shop",
    "--subresource=status",
    "--type=merge",
    "-p",
    '{"status":{"readyReplicas":1}}',
  );
  assert.equal(await halves(), "3 4 yes");
});

test("a token is a write too: denied, or with what a webhook makes of it", async () => {
  await kubectl("create", "serviceaccount", "sailor", "-n", "shop");
  const token = { ...MAPS, operations: ["CREATE"], resources: ["serviceaccounts/token"] };
  hooks.on("/token", () => ({ allowed: false, status: { message: "no more tokens" } }));
  await configure({ path: "/token", rules: [token] });
  await refused(/denied the request: no more tokens/, ["create", "token", "sailor", "-n", "shop"]);
  const request = hooks.questions[0]?.request ?? {};
  assert.deepEqual(request["kind"], { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" });
  assert.deepEqual([request["subResource"], request["name"]], ["token", "sailor"]);
  hooks.on("/short", () => ({ patch: [{ op: "add", path: "/spec/audiences", value: ["harbour"] }] }));
  await configure({ path: "/short", kind: "Mutating", rules: [token] });
  await kubectl("delete", "validatingwebhookconfigurations", "--all");
  const claims = (await kubectl("create", "token", "sailor", "-n", "shop")).split(".")[1] ?? "";
  const { aud } = JSON.parse(Buffer.from(claims, "base64url").toString("utf8")) as { aud: unknown };
  assert.deepEqual(aud, ["harbour"]);
});

test("custom resources: another version is matched and shown in the rule's, unless Exact; the schema has the last word", async () => {
  await feed(
    `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: boats.harbour.example}, spec: {group: harbour.example, scope: Namespaced, names: {plural: boats, kind: Boat}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {sails: {type: integer, maximum: 9}}}}}}}, {name: v1beta1, served: true, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`,
    "apply",
  );
  const rules = [
    { operations: ["CREATE"], apiGroups: ["harbour.example"], apiVersions: ["v1"], resources: ["boats"] },
  ];
  hooks.on("/boats", () => ({ patch: [{ op: "replace", path: "/spec/sails", value: 3 }] }));
  await configure({ path: "/boats", kind: "Mutating", rules });
  const boat = (version: string, name: string): string =>
    `{apiVersion: harbour.example/${version}, kind: Boat, metadata: {name: ${name}, namespace: shop}, spec: {sails: 1}}`;
  await feed(boat("v1beta1", "old"), "create");
  const request = hooks.questions[0]?.request ?? {};
  assert.deepEqual(request["kind"], { group: "harbour.example", version: "v1", kind: "Boat" });
  assert.deepEqual(request["requestKind"], { group: "harbour.example", version: "v1beta1", kind: "Boat" });
  assert.equal((request["object"] as { apiVersion: string }).apiVersion, "harbour.example/v1");
  assert.equal(await kubectl("get", "boats", "old", "-n", "shop", "-o", "jsonpath={.spec.sails}"), "3");
  hooks.on("/boats", () => ({ patch: [{ op: "replace", path: "/spec/sails", value: 99 }] }));
  await refused(/spec.sails: Invalid value: 99/, ["create", "-f", "-"], boat("v1", "large"));
  await configure({ path: "/boats", kind: "Mutating", rules, matchPolicy: "Exact" });
  await feed(boat("v1beta1", "exact"), "create");
});
