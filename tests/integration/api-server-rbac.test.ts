/** RBAC as the machine's real kubectl meets it: users, groups and service accounts, and what each may do. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTestCluster } from "./api-server.fixture.ts";

const cluster = await startTestCluster();
const { kubectl, feed, refused, run } = cluster;
after(() => cluster.close());

const OBJECTS = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch, patch]}
- {apiGroups: [""], resources: [secrets], resourceNames: [one], verbs: [get]}
- {apiGroups: [apps], resources: ["*/scale"], verbs: [get, update, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ann, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}
- {kind: ServiceAccount, name: robot, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: team, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: Group, name: team, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: shop}
data: {a: "1"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: shop}
`;

before(async () => {
  await feed(OBJECTS, "apply", "--server-side");
});

const NODE = ["--as=system:node:one", "--as-group=system:nodes"];

const canI: readonly { who: readonly string[]; what: string; may: boolean }[] = [
  { who: ["--as=ann"], what: "list configmaps -n shop", may: true },
  { who: ["--as=ann"], what: "list configmaps -n default", may: false },
  { who: ["--as=ann"], what: "list configmaps -A", may: false },
  { who: ["--as=ann"], what: "create configmaps -n shop", may: false },
  { who: ["--as=ann"], what: "get secrets/one -n shop", may: true },
  { who: ["--as=ann"], what: "get secrets/two -n shop", may: false },
  { who: ["--as=ann"], what: "get secrets -n shop", may: false },
  { who: ["--as=ann"], what: "patch deployments.apps --subresource=scale -n shop", may: true },
  { who: ["--as=ann"], what: "patch deployments.apps -n shop", may: false },
  { who: NODE, what: "list pods -A", may: true },
  { who: NODE, what: "patch nodes/one", may: true },
  { who: NODE, what: "patch nodes/two", may: false },
  { who: NODE, what: "list secrets -A", may: false },
  { who: NODE, what: "create serviceaccounts/robot --subresource=token -n shop", may: false },
  { who: ["--as=system:serviceaccount:shop:robot"], what: "get configmaps/x -n shop", may: true },
  { who: ["--as=bob"], what: "get configmaps -n shop", may: false },
  { who: ["--as=bob", "--as-group=team"], what: "create pods --subresource=exec -n shop", may: true },
  { who: ["--as=bob", "--as-group=team"], what: "create rolebindings -n shop", may: true },
  { who: ["--as=bob", "--as-group=team"], what: "create namespaces", may: false },
  { who: ["--as=bob", "--as-group=team"], what: "list nodes", may: false },
  { who: ["--as=bob", "--as-group=system:masters"], what: "delete nodes", may: true },
  { who: ["--as=bob"], what: "get /version", may: true },
  { who: ["--as=bob"], what: "get /apis/apps", may: true },
  { who: ["--as=bob"], what: "get /metrics", may: false },
  { who: [], what: "delete everything", may: true },
];
for (const { who, what, may } of canI)
  test(`can-i ${who.join(" ") || "as admin"} ${what}: ${may ? "yes" : "no"}`, async () => {
    const { code, stdout } = await run(["auth", "can-i", ...what.split(" "), ...who]);
    assert.match(stdout, may ? /^yes/ : /^no/);
    assert.equal(code, may ? 0 : 1);
  });

test("who one is, as oneself and as another", async () => {
  assert.match(await kubectl("auth", "whoami"), /kubernetes-admin[\s\S]*system:masters/);
  assert.match(
    await kubectl("auth", "whoami", "--as=system:serviceaccount:shop:robot"),
    /system:serviceaccount:shop:robot[\s\S]*\[system:serviceaccounts system:serviceaccounts:shop system:authenticated\]/,
  );
});

test("can-i --list names every rule", async () => {
  const list = await kubectl("auth", "can-i", "--list", "-n", "shop", "--as=ann");
  assert.match(list, /configmaps +\[\] +\[\] +\[get list watch patch\]/);
  assert.match(list, /secrets +\[\] +\[one\] +\[get\]/);
  assert.match(list, /selfsubjectaccessreviews.authorization.k8s.io +\[\] +\[\] +\[create\]/);
  assert.match(list, /\[\/healthz\]/);
  assert.match(await kubectl("auth", "can-i", "--list"), /\*\.\* +\[\] +\[\] +\[\*\]/);
});

const refusals: readonly { name: string; args: string; input?: string; says: RegExp }[] = [
  {
    name: "a list",
    args: "get pods -n shop --as=ann",
    says: /^Error from server \(Forbidden\): pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "shop"$/m,
  },
  {
    name: "one object",
    args: "get deployments.apps web -n shop --as=ann",
    says: /deployments.apps "web" is forbidden: User "ann" cannot get resource "deployments" in API group "apps" in the namespace "shop"/,
  },
  {
    name: "something of the cluster",
    args: "get nodes --as=ann",
    says: /nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope/,
  },
  {
    name: "a path",
    args: "get --raw /metrics --as=ann",
    says: /forbidden: User "ann" cannot get path "\/metrics"/,
  },
  {
    name: "creating by server-side apply with the right to patch alone",
    args: "apply --server-side --as=ann -f -",
    input: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, namespace: shop}\n",
    says: /configmaps "new" is forbidden: User "ann" cannot create resource "configmaps"/,
  },
  {
    name: "a role with more than one holds",
    args: "create role all --verb=* --resource=pods -n shop --as=ann2 --as-group=team",
    says: /roles.rbac.authorization.k8s.io "all" is forbidden: user "ann2" \(groups=\["team" "system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["pods"\], Verbs:\["\*"\]\}/,
  },
  {
    name: "a binding to more than one holds",
    args: "create rolebinding boss --clusterrole=cluster-admin --user=ann -n shop --as=ann2 --as-group=team",
    says: /rolebindings.rbac.authorization.k8s.io "boss" is forbidden: user "ann2"/,
  },
];
for (const { name, args, input, says } of refusals)
  test(`refused: ${name}`, () => refused(says, args.split(" "), input));

test("what one holds one may grant, and who gets it has it at once", async () => {
  const ann = ["-n", "shop", "--as=ann2", "--as-group=team"];
  await kubectl("create", "role", "pod-reader", "--verb=get,list", "--resource=pods", ...ann);
  await kubectl("create", "rolebinding", "pod-reader", "--role=pod-reader", "--user=cy", ...ann);
  await kubectl("get", "pods", "-n", "shop", "--as=cy", "-o", "name");
  await kubectl("delete", "rolebinding", "pod-reader", ...ann);
  await refused(/User "cy" cannot list resource "pods"/, ["get", "pods", "-n", "shop", "--as=cy"]);
});

test("impersonation needs its right", async () => {
  await refused(
    /users "ann" is forbidden: User "system:serviceaccount:shop:robot" cannot impersonate resource "users"/,
    ["get", "pods", "--as=ann", "--token", await tokenOf("robot")],
  );
});

async function tokenOf(account: string): Promise<string> {
  return await kubectl("create", "token", account, "-n", "shop");
}

test("a service account's own token", async () => {
  const token = await tokenOf("robot");
  await kubectl("get", "configmap", "one", "-n", "shop", `--token=${token}`);
  await refused(/User "system:serviceaccount:shop:robot" cannot delete resource "configmaps"/, [
    ...["delete", "configmap", "one", "-n", "shop", `--token=${token}`],
  ]);
});

test("an aggregated ClusterRole follows the roles that it chooses", async () => {
  await feed(
    `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: boats-view, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules: [{apiGroups: [harbour.example], resources: [boats], verbs: [get]}]
`,
    "create",
  );
  const adminRules = (): Promise<string> =>
    kubectl("get", "clusterrole", "admin", "-o", "jsonpath={.rules[*].resources}");
  assert.match(await adminRules(), /boats/);
  await kubectl("delete", "clusterrole", "boats-view");
  assert.doesNotMatch(await adminRules(), /boats/);
});
