import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attempt, forbiddenAttempt } from "../identity/attempt.ts";
import { impersonated } from "../identity/impersonate.ts";
import type { UserInfo } from "../identity/user.ts";
import type { Json, JsonObject } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { Refusal } from "../refusal.ts";
import type { Stored } from "../store/object-store.ts";
import { aggregatedRules } from "./aggregation.ts";
import { decideAttempt } from "./decide.ts";
import { defaultRbacObjects } from "./default-roles.ts";
import { refuseEscalation } from "./escalation.ts";
import { reconciled } from "./reconcile.ts";
import { createSnapshots, type RbacSnapshot } from "./snapshot.ts";

function stored(namespace: string, name: string, rest: JsonObject): Stored {
  const object: KubeObject = { metadata: { name, ...(namespace === "" ? {} : { namespace }) }, ...rest };
  return { resource: "", namespace, name, revision: 1, object, text: "" };
}

const rule = (
  groups: string[],
  resources: string[],
  verbs: string[],
  resourceNames: string[] = [],
): Json => ({
  apiGroups: groups,
  resources,
  verbs,
  ...(resourceNames.length === 0 ? {} : { resourceNames }),
});
const clusterRef = (name: string): JsonObject => ({ roleRef: { kind: "ClusterRole", name } });
const person = (name: string): Json => ({ kind: "User", name });

const snapshot: RbacSnapshot = createSnapshots()({
  roles: [stored("shop", "reader", { rules: [rule([""], ["pods", "pods/log"], ["get", "list"])] })],
  clusterRoles: [
    stored("", "one-map", { rules: [rule([""], ["configmaps"], ["get", "update"], ["mesh"])] }),
    stored("", "scaler", { rules: [rule(["apps"], ["*/scale"], ["update"])] }),
    stored("", "all-of-apps", { rules: [rule(["apps"], ["*"], ["*"])] }),
    stored("", "metrics", { rules: [{ nonResourceURLs: ["/metrics", "/debug/*"], verbs: ["get"] }] }),
    stored("", "binder", {
      rules: [
        rule(["rbac.authorization.k8s.io"], ["clusterroles"], ["bind"], ["metrics"]),
        rule(["rbac.authorization.k8s.io"], ["roles"], ["create", "update"]),
      ],
    }),
    stored("", "escalator", { rules: [rule(["rbac.authorization.k8s.io"], ["roles"], ["escalate"])] }),
    stored("", "actor", {
      rules: [
        rule([""], ["users"], ["impersonate"], ["ann"]),
        rule([""], ["serviceaccounts"], ["impersonate"]),
        rule(["authentication.k8s.io"], ["userextras/scopes"], ["impersonate"], ["view"]),
      ],
    }),
  ],
  roleBindings: [
    stored("shop", "ann-reads", { roleRef: { kind: "Role", name: "reader" }, subjects: [person("ann")] }),
    stored("shop", "maps", { ...clusterRef("one-map"), subjects: [person("ann")] }),
    stored("shop", "debug", { ...clusterRef("metrics"), subjects: [person("ann")] }),
    stored("shop", "accounts", {
      ...clusterRef("scaler"),
      subjects: [{ kind: "ServiceAccount", name: "robot", namespace: "ci" }],
    }),
  ],
  clusterRoleBindings: [
    stored("", "apps", { ...clusterRef("all-of-apps"), subjects: [{ kind: "Group", name: "platform" }] }),
    stored("", "metrics", { ...clusterRef("metrics"), subjects: [person("prom")] }),
    stored("", "lost", { ...clusterRef("gone"), subjects: [person("lea")] }),
    stored("", "binds", { ...clusterRef("binder"), subjects: [person("bea"), person("eve")] }),
    stored("", "escalates", { ...clusterRef("escalator"), subjects: [person("eve")] }),
    stored("", "acts", { ...clusterRef("actor"), subjects: [person("max")] }),
  ],
});

const who = (username: string, ...groups: string[]): UserInfo => ({ username, uid: "", groups, extra: {} });
const ann = who("ann", "system:authenticated");
const robot = who("system:serviceaccount:ci:robot");

function on(user: UserInfo, verb: string, resource: string, more: Partial<Attempt> = {}): Attempt {
  const [plural = "", subresource = ""] = resource.split("/");
  const base = { kind: "resource", user, verb, group: "", resource: plural, subresource } as const;
  return { ...base, namespace: "shop", name: "", ...more } as Attempt;
}
const path = (user: UserInfo, verb: string, url: string): Attempt => ({
  kind: "path",
  user,
  verb,
  path: url,
});

const decisions: readonly { name: string; attempt: Attempt; want: "allowed" | "denied" }[] = [
  { name: "a role in its namespace", attempt: on(ann, "list", "pods"), want: "allowed" },
  { name: "another verb", attempt: on(ann, "delete", "pods"), want: "denied" },
  { name: "another namespace", attempt: on(ann, "list", "pods", { namespace: "bank" }), want: "denied" },
  { name: "the cluster scope", attempt: on(ann, "list", "pods", { namespace: "" }), want: "denied" },
  { name: "another user", attempt: on(who("bob"), "list", "pods"), want: "denied" },
  { name: "another group's resource", attempt: on(ann, "list", "pods", { group: "x" }), want: "denied" },
  { name: "a named subresource", attempt: on(ann, "get", "pods/log"), want: "allowed" },
  { name: "a subresource that is not named", attempt: on(ann, "get", "pods/exec"), want: "denied" },
  { name: "a named object", attempt: on(ann, "update", "configmaps", { name: "mesh" }), want: "allowed" },
  { name: "an object of another name", attempt: on(ann, "get", "configmaps", { name: "x" }), want: "denied" },
  { name: "all objects, where one is named", attempt: on(ann, "get", "configmaps"), want: "denied" },
  {
    name: "scale of anything, to a service account",
    attempt: on(robot, "update", "deployments/scale", { group: "apps" }),
    want: "allowed",
  },
  {
    name: "scale is not the thing",
    attempt: on(robot, "update", "deployments", { group: "apps" }),
    want: "denied",
  },
  {
    name: "every resource has its subresources",
    attempt: on(who("x", "platform"), "patch", "deployments/status", { group: "apps", namespace: "bank" }),
    want: "allowed",
  },
  {
    name: "a group that is not one's own",
    attempt: on(who("platform"), "get", "pods", { group: "apps" }),
    want: "denied",
  },
  { name: "a path", attempt: path(who("prom"), "get", "/metrics"), want: "allowed" },
  { name: "a path below", attempt: path(who("prom"), "get", "/debug/pprof/heap"), want: "allowed" },
  { name: "a path beside", attempt: path(who("prom"), "get", "/metrics/x"), want: "denied" },
  { name: "a path with another verb", attempt: path(who("prom"), "post", "/metrics"), want: "denied" },
  { name: "a RoleBinding gives no paths", attempt: path(ann, "get", "/metrics"), want: "denied" },
  { name: "system:masters", attempt: on(who("x", "system:masters"), "delete", "nodes"), want: "allowed" },
  { name: "nobody", attempt: on(who(""), "list", "pods"), want: "denied" },
];
for (const c of decisions)
  test(`RBAC: ${c.name}`, () => assert.equal(decideAttempt(snapshot, c.attempt).kind, c.want));

test("RBAC: the reason names the binding, or the role that is missing", () => {
  assert.equal(
    decideAttempt(snapshot, on(ann, "list", "pods")).reason,
    'RBAC: allowed by RoleBinding "ann-reads/shop" of Role "reader" to User "ann"',
  );
  assert.equal(
    decideAttempt(snapshot, on(who("lea"), "list", "pods")).reason,
    'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found',
  );
});

const sentences: readonly { attempt: Attempt; reason?: string; want: string }[] = [
  {
    attempt: on(ann, "list", "pods"),
    want: 'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "shop"',
  },
  {
    attempt: on(ann, "patch", "deployments/scale", { group: "apps", name: "web" }),
    want: 'deployments.apps "web" is forbidden: User "ann" cannot patch resource "deployments/scale" in API group "apps" in the namespace "shop"',
  },
  {
    attempt: on(ann, "get", "nodes", { namespace: "", name: "node-1" }),
    reason: "RBAC: x",
    want: 'nodes "node-1" is forbidden: User "ann" cannot get resource "nodes" in API group "" at the cluster scope: RBAC: x',
  },
  { attempt: path(ann, "get", "/metrics"), want: 'forbidden: User "ann" cannot get path "/metrics"' },
];
for (const { attempt, reason = "", want } of sentences)
  test(`forbidden: ${want.slice(0, 50)}`, () =>
    assert.equal(forbiddenAttempt(attempt, reason).message, want));

const authorizer = {
  authorize: (attempt: Attempt) => decideAttempt(snapshot, attempt),
  current: () => snapshot,
};
const role = (...rules: Json[]): KubeObject => ({ metadata: { name: "new", namespace: "shop" }, rules });
const binding = (name: string): KubeObject => ({ metadata: { name: "new" }, ...clusterRef(name) });
const pods = rule([""], ["pods"], ["get", "list"]);

const grants: readonly { name: string; user: UserInfo; plural: string; object: KubeObject; says?: RegExp }[] =
  [
    { name: "what one holds", user: ann, plural: "roles", object: role(pods) },
    {
      name: "one verb more",
      user: ann,
      plural: "roles",
      object: role(rule([""], ["pods"], ["get", "delete"])),
      says: /^roles.rbac.authorization.k8s.io "new" is forbidden: user "ann" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["pods"\], Verbs:\["delete"\]\}$/,
    },
    {
      name: "everything",
      user: ann,
      plural: "roles",
      object: role(rule(["*"], ["*"], ["*"])),
      says: /Resources:\["\*"\]/,
    },
    {
      name: "all names of what one holds one of",
      user: ann,
      plural: "roles",
      object: role(rule([""], ["configmaps"], ["get"])),
      says: /configmaps/,
    },
    {
      name: "anything, by `escalate`",
      user: who("eve"),
      plural: "roles",
      object: role(rule(["*"], ["*"], ["*"])),
    },
    {
      name: "anything, as a master",
      user: who("x", "system:masters"),
      plural: "roles",
      object: role(rule(["*"], ["*"], ["*"])),
    },
    {
      name: "a binding, by `bind`",
      user: who("bea"),
      plural: "clusterrolebindings",
      object: binding("metrics"),
    },
    {
      name: "a binding to more",
      user: who("bea"),
      plural: "clusterrolebindings",
      object: binding("all-of-apps"),
      says: /not currently held:\n\{APIGroups:\["apps"\], Resources:\["\*"\], Verbs:\["\*"\]\}/,
    },
    {
      name: "a binding to what one holds",
      user: who("prom"),
      plural: "clusterrolebindings",
      object: binding("metrics"),
    },
    {
      name: "a binding to nothing",
      user: who("bea"),
      plural: "clusterrolebindings",
      object: binding("gone"),
      says: /"gone" not found/,
    },
    {
      name: "an aggregation",
      user: ann,
      plural: "clusterroles",
      object: { metadata: { name: "sum" }, aggregationRule: {} },
      says: /must have cluster-admin privileges to use the aggregationRule/,
    },
  ];
for (const c of grants)
  test(`escalation: ${c.name}`, () => {
    const act = (): void => refuseEscalation(authorizer, { ...c, previous: undefined });
    if (c.says === undefined) act();
    else assert.throws(act, { message: c.says });
  });

test("escalation: a garbage collector may touch owners and finalizers of what it does not hold", () => {
  const before = role(rule(["*"], ["*"], ["*"]));
  const after = { ...before, metadata: { ...before.metadata, finalizers: ["x/y"], ownerReferences: [] } };
  refuseEscalation(authorizer, { user: who("gc"), object: after, previous: before, plural: "roles" });
});

const disguises: readonly { name: string; headers: Record<string, string[]>; want: UserInfo | RegExp }[] = [
  { name: "none", headers: {}, want: who("max") },
  { name: "a user", headers: { "impersonate-user": ["ann"] }, want: who("ann", "system:authenticated") },
  {
    name: "a user without the right",
    headers: { "impersonate-user": ["bob"] },
    want: /^users "bob" is forbidden: User "max" cannot impersonate resource "users" in API group "" at the cluster scope$/,
  },
  {
    name: "a group without the right",
    headers: { "impersonate-user": ["ann"], "impersonate-group": ["system:masters"] },
    want: /^groups "system:masters" is forbidden/,
  },
  {
    name: "an account",
    headers: { "impersonate-user": ["system:serviceaccount:shop:web"] },
    want: who(
      "system:serviceaccount:shop:web",
      "system:serviceaccounts",
      "system:serviceaccounts:shop",
      "system:authenticated",
    ),
  },
  { name: "a group alone", headers: { "impersonate-group": ["x"] }, want: /without impersonating a user/ },
  {
    name: "an extra",
    headers: { "impersonate-user": ["ann"], "impersonate-extra-scopes": ["view"] },
    want: { ...who("ann", "system:authenticated"), extra: { scopes: ["view"] } },
  },
  {
    name: "an extra without the right",
    headers: { "impersonate-user": ["ann"], "impersonate-extra-a%2fb": ["view"] },
    want: /cannot impersonate resource "userextras\/a\/b"/,
  },
];
for (const { name, headers, want } of disguises)
  test(`impersonation: ${name}`, () => {
    const act = (): UserInfo => impersonated(who("max"), headers, authorizer.authorize);
    if (want instanceof RegExp)
      assert.throws(act, (error) => error instanceof Refusal && want.test(error.message));
    else {
      const { extra, ...rest } = act();
      assert.deepEqual({ ...rest, extra: { ...extra } }, want);
    }
  });

test("aggregation: rules of the roles that the selectors choose, each once, not its own", () => {
  const labelled = (name: string, value: string, rules: Json[]): Stored =>
    stored("", name, { metadata: { name, labels: { to: value } }, rules });
  const sum = stored("", "sum", {
    metadata: { name: "sum", labels: { to: "sum" } },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { to: "sum" } }] },
  });
  const all = [
    sum,
    labelled("a", "sum", [pods]),
    labelled("b", "sum", [pods, rule(["x"], ["y"], ["get"])]),
    labelled("c", "other", [rule(["z"], ["z"], ["*"])]),
  ];
  assert.deepEqual(aggregatedRules(sum, all), [pods, rule(["x"], ["y"], ["get"])]);
  assert.equal(aggregatedRules(all[1] ?? sum, all), undefined);
});

test("default roles: every binding has its role, and only the masters' and the controllers' is about everything", () => {
  const objects = defaultRbacObjects();
  const names = new Set(
    objects
      .filter(({ plural }) => plural === "clusterroles")
      .map(({ object }) => String((object["metadata"] as JsonObject)["name"])),
  );
  for (const { object } of objects.filter(({ plural }) => plural === "clusterrolebindings"))
    assert.ok(names.has(String((object["roleRef"] as JsonObject)["name"])));
  const everything = objects.filter(({ object }) =>
    JSON.stringify(object["rules"] ?? []).includes('"resources":["*"]'),
  );
  assert.deepEqual(
    everything.map(({ object }) => (object["metadata"] as JsonObject)["name"]),
    ["cluster-admin", "system:kube-controller-manager"],
  );
});

const annotated = (autoupdate: string, rest: JsonObject): KubeObject => ({
  metadata: { name: "x", annotations: { "rbac.authorization.kubernetes.io/autoupdate": autoupdate } },
  ...rest,
});
const more = rule([""], ["pods"], ["get", "list", "watch"]);
const restored: readonly {
  name: string;
  existing: KubeObject;
  wanted: JsonObject;
  want: Json | undefined;
}[] = [
  {
    name: "nothing is missing",
    existing: annotated("true", { rules: [more] }),
    wanted: { rules: [pods] },
    want: undefined,
  },
  {
    name: "a verb is missing",
    existing: annotated("true", { rules: [pods] }),
    wanted: { rules: [more] },
    want: [pods, rule([""], ["pods"], ["watch"])],
  },
  {
    name: "left alone on request",
    existing: annotated("false", { rules: [] }),
    wanted: { rules: [more] },
    want: undefined,
  },
];
for (const c of restored)
  test(`default roles: ${c.name}`, () =>
    assert.deepEqual(reconciled(c.existing, c.wanted)?.["rules"], c.want));

test("default roles: a missing subject is put back beside those that somebody added", () => {
  const next = reconciled(annotated("true", { subjects: [person("ann")] }), { subjects: [person("bob")] });
  assert.deepEqual(next?.["subjects"], [person("ann"), person("bob")]);
});
