import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceAttempt } from "../identity/attempt.ts";
import type { UserInfo } from "../identity/user.ts";
import { type KubeObject, nameOf } from "../kube-object.ts";
import type { Stored } from "../store/object-store.ts";
import { createAuthorizer } from "./authorizer.ts";
import { nodeOf } from "./node-rights.ts";

const NODE: UserInfo = {
  username: "system:node:one",
  uid: "",
  groups: ["system:nodes", "system:authenticated"],
  extra: {},
};

const pod = (name: string, nodeName: string, spec: object): KubeObject => ({
  metadata: { name, namespace: "shop" },
  spec: { nodeName, serviceAccountName: `${name}-account`, ...spec },
});
const PODS: readonly KubeObject[] = [
  pod("own", "one", {
    volumes: [
      { secret: { secretName: "mounted" } },
      { configMap: { name: "mounted" } },
      { projected: { sources: [{ configMap: { name: "projected" } }, { secret: { name: "projected" } }] } },
    ],
    imagePullSecrets: [{ name: "pull" }],
    initContainers: [{ envFrom: [{ secretRef: { name: "all" } }] }],
    containers: [{ env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "one-key", key: "a" } } }] }],
  }),
  pod("other", "two", { volumes: [{ secret: { secretName: "others" } }] }),
  {
    metadata: { name: "waiting", namespace: "shop" },
    spec: { volumes: [{ secret: { secretName: "waiting" } }] },
  },
];

const stored = (object: KubeObject): Stored => {
  return { resource: "/pods", namespace: "shop", name: nameOf(object), revision: 1, object, text: "" };
};

const { authorize } = createAuthorizer({
  list: (resource, namespace) => (resource === "/pods" && namespace === "shop" ? PODS.map(stored) : []),
  get: (resource, namespace, name) =>
    resource === "/pods" && namespace === "shop"
      ? PODS.map(stored).find((one) => one.name === name)
      : undefined,
});

/** `get /secrets/mounted`: a verb, then group, resource (with its subresource after a dot), name; in the namespace shop. */
function attempt(text: string, user: UserInfo, namespace: string): ResourceAttempt {
  const [verb = "", path = ""] = text.split(" ");
  const [group = "", both = "", name = ""] = path.split("/");
  const [resource = "", subresource = ""] = both.split(".");
  return { kind: "resource", user, verb, group, resource, subresource, namespace, name };
}

const MAY = [
  ...["get /secrets/mounted", "get /secrets/projected", "watch /secrets/pull", "list /secrets/all"],
  ...["get /configmaps/mounted", "get /configmaps/projected", "get /configmaps/one-key"],
  ...["create /serviceaccounts.token/own-account"],
  ...["get /nodes/two", "patch /nodes/one", "patch /nodes.status/one", "create /nodes/"],
  ...["list /pods/", "patch /pods.status/own", "delete /pods/own", "create /pods.eviction/own"],
  ...["delete /pods/gone", "create /events/", "list /services/"],
];
for (const text of MAY)
  test(`a kubelet may ${text}`, () =>
    assert.deepEqual(authorize(attempt(text, NODE, "shop")), { kind: "allowed", reason: "" }));
test("a kubelet may renew its own lease", () =>
  assert.equal(
    authorize(attempt("patch coordination.k8s.io/leases/one", NODE, "kube-node-lease")).kind,
    "allowed",
  ));

const UNRELATED = "no relationship found between node 'one' and this object";
const MAY_NOT = [
  ...["get /secrets/others", "get /secrets/waiting", "list /secrets/", "get /secrets/one-key"],
  ...["list /configmaps/", "create /serviceaccounts.token/other-account", "create /serviceaccounts.token/"],
  ...["patch /nodes/two", "patch /nodes.status/two"],
  ...["create /pods/", "patch /pods.status/other", "delete /pods/other", "delete /pods/waiting"],
  ...["patch coordination.k8s.io/leases/one"],
];
for (const text of MAY_NOT)
  test(`a kubelet may not ${text}`, () =>
    assert.deepEqual(authorize(attempt(text, NODE, "shop")), { kind: "denied", reason: UNRELATED }));
for (const text of ["delete /secrets/mounted", "delete /nodes/one", "get apps/deployments/x"])
  test(`no kubelet may ${text}`, () =>
    assert.deepEqual(authorize(attempt(text, NODE, "shop")), { kind: "denied", reason: "" }));

for (const user of [
  { ...NODE, groups: ["system:authenticated"] },
  { ...NODE, username: "ann" },
])
  test(`${user.username} of ${user.groups.join(", ")} is no kubelet`, () => {
    assert.equal(nodeOf(user), undefined);
    assert.equal(authorize(attempt("get /secrets/mounted", user, "shop")).kind, "denied");
  });
