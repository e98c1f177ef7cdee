import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterFacts, CURRENT_CLUSTER } from "./facts.ts";
import type { Manifest } from "./objects.ts";
import { renderComponents } from "./render.ts";
import { readInstallValues, type Tree } from "./values.ts";

function render(tree: Tree, facts: ClusterFacts = CURRENT_CLUSTER): readonly Manifest[] {
  const result = readInstallValues([tree]);
  assert.equal(result.kind, "ok", JSON.stringify(result));
  return result.kind === "ok" ? renderComponents(result.values, [], facts).flatMap((c) => c.objects) : [];
}
const names = (objects: readonly Manifest[]): string[] => objects.map((o) => `${o.kind}/${o.metadata.name}`);

test("ambient renders the objects that users and tools look for", () => {
  const all = names(render({ profile: "ambient" }));
  for (const name of [
    "Namespace/istio-system",
    "Deployment/istiod",
    "Service/istiod",
    "ConfigMap/istio",
    "DaemonSet/istio-cni-node",
    "DaemonSet/ztunnel",
  ]) {
    assert.ok(all.includes(name), `${name} in ${all.join(" ")}`);
  }
});

test("no object is rendered twice", () => {
  const all = names(render({ profile: "ambient" }));
  assert.equal(new Set(all).size, all.length);
});

test("a revision suffixes the control plane and is what ztunnel calls", () => {
  const objects = render({ profile: "ambient", revision: "canary" });
  assert.ok(names(objects).includes("Deployment/istiod-canary"));
  assert.match(
    JSON.stringify(objects.find((o) => o.metadata.name === "ztunnel" && o.kind === "DaemonSet")),
    /istiod-canary\.istio-system\.svc:15012/,
  );
});

test("every object but the namespace carries the owner label by which uninstall finds it", () => {
  for (const object of render({ profile: "ambient" })) {
    if (object.kind === "Namespace") continue;
    assert.equal(object.metadata.labels?.["install.operator.istio.io/owning-resource"], "installed-state");
  }
});

test("the empty profile renders nothing", () => assert.deepEqual(names(render({ profile: "empty" })), []));

test("ztunnel mounts the revocation lists where Istio does, and not where they are switched off", () => {
  const ztunnel = (tree: Tree): string =>
    JSON.stringify(
      render(tree).find(({ kind, metadata }) => kind === "DaemonSet" && metadata.name === "ztunnel"),
    );
  const on = ztunnel({ profile: "ambient" });
  for (const part of [
    '{"name":"CRL_PATH","value":"/var/run/secrets/istio/crl/ca-crl.pem"}',
    '{"name":"crl-volume","mountPath":"/var/run/secrets/istio/crl","readOnly":true}',
    '{"name":"crl-volume","configMap":{"name":"istio-ca-crl","optional":true}}',
  ])
    assert.ok(on.includes(part), part);
  const off = ztunnel({ profile: "ambient", values: { ztunnel: { peerCaCrl: { enabled: false } } } });
  assert.doesNotMatch(off, /crl/i);
});

test("waypoints: the image is of the same hub and tag as everything else, pods as the values say", () => {
  const env = (tree: Tree): Readonly<Record<string, string>> => {
    const istiod = render(tree).find((o) => o.kind === "Deployment" && o.metadata.name === "istiod");
    assert.ok(istiod);
    const { template } = istiod["spec"] as {
      template: { spec: { containers: { env: { name: string; value: string }[] }[] } };
    };
    const list = template.spec.containers[0]?.env ?? [];
    return Object.fromEntries(list.map(({ name, value }) => [name, value]));
  };
  const plain = env({ profile: "ambient", hub: "example/x", tag: "1" });
  assert.equal(plain["WAYPOINT_IMAGE"], "example/x/proxyv2:1");
  assert.deepEqual(Object.keys(JSON.parse(plain["WAYPOINT_POD"] ?? "")), ["resources"]);
  const waypoint = { nodeSelector: { a: "b" }, highAvailability: true };
  const changed = env({ profile: "ambient", values: { global: { waypoint } } });
  assert.deepEqual(JSON.parse(changed["WAYPOINT_POD"] ?? "").nodeSelector, { a: "b" });
  assert.equal(changed["WAYPOINT_HIGH_AVAILABILITY"], "true");
});

test("overlays of a class are a ConfigMap that the control plane finds by its label", () => {
  const gatewayClasses = { "istio-waypoint": { deployment: { spec: { minReadySeconds: 3 } } } };
  const objects = render({ profile: "ambient", revision: "r1", values: { gatewayClasses } });
  const map = objects.find((o) => o.metadata.name === "istio-r1-gatewayclass-istio-waypoint");
  assert.equal(map?.metadata.labels?.["gateway.istio.io/defaults-for-class"], "istio-waypoint");
  assert.deepEqual(map?.["data"], { deployment: "spec:\n  minReadySeconds: 3" });
});

const find = (objects: readonly Manifest[], kind: string, name: string): Manifest => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  assert.ok(found, `${kind}/${name}`);
  return found;
};

test("a namespace admits parts of the node where they run", () => {
  const level = (tree: Tree, name = "istio-system"): string | undefined =>
    find(render(tree), "Namespace", name).metadata.labels?.["pod-security.kubernetes.io/enforce"];
  assert.equal(level({ profile: "default" }), undefined);
  assert.equal(level({ profile: "ambient" }), "privileged");
  const apart: Tree = {
    profile: "ambient",
    components: { cni: { namespace: "nodes" }, ztunnel: { namespace: "nodes" } },
  };
  assert.equal(level(apart), undefined);
  assert.equal(level(apart, "nodes"), "privileged");
  assert.ok(!names(render({ profile: "openshift-ambient" })).includes("Namespace/kube-system"));
});

test("an old cluster gets what it can take", () => {
  const old: ClusterFacts = { minorVersion: 20, served: new Set() };
  const objects = render({ profile: "ambient", values: { pilot: { replicaCount: 3 } } }, old);
  const all = names(objects);
  assert.ok(!all.some((name) => /PodDisruptionBudget|HorizontalPodAutoscaler/.test(name)));
  const spec = find(objects, "DaemonSet", "ztunnel")["spec"] as { updateStrategy: object };
  assert.deepEqual(spec.updateStrategy, { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } });
  assert.equal((find(objects, "Deployment", "istiod")["spec"] as { replicas: number }).replicas, 3);
});

interface Rule {
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const READ: readonly string[] = ["get", "list", "watch"];

test("no right to read Secrets is of the whole cluster, unless somebody says so", () => {
  const roles = (tree: Tree): readonly string[] =>
    render(tree).flatMap((object) => {
      const rules = (object["rules"] ?? []) as readonly Rule[];
      const reads = rules.some(
        ({ resources, verbs }) => resources.includes("secrets") && verbs.some((verb) => READ.includes(verb)),
      );
      return object.kind === "ClusterRole" && reads ? [object.metadata.name] : [];
    });
  assert.deepEqual(roles({ profile: "ambient" }), []);
  const some = { values: { pilot: { credentialNamespaces: ["shop"] } } };
  assert.deepEqual(roles(some), ["istiod-credentials-istio-system"]);
  assert.ok(names(render(some)).includes("RoleBinding/istiod-credentials-istio-system"));
  assert.ok(!names(render(some)).includes("ClusterRoleBinding/istiod-credentials-istio-system"));
});

test("no rule has all verbs, and none that writes has all resources", () => {
  for (const object of render({ profile: "ambient", values: { pilot: { credentialNamespaces: ["*"] } } }))
    for (const { resources, verbs } of (object["rules"] ?? []) as readonly Rule[]) {
      assert.ok(!verbs.includes("*"), object.metadata.name);
      if (resources.includes("*")) assert.deepEqual(verbs, READ, object.metadata.name);
    }
});

test("an overlay that meets nothing is refused", () => {
  const overlays = [{ kind: "Deployment", name: "istio", patches: [{ path: "spec.replicas", value: 2 }] }];
  assert.throws(
    () => render({ components: { pilot: { k8s: { overlays } } } }),
    /overlay of Deployment\/istio: no such object/,
  );
});

test("the control plane fits Pod Security's restricted, also on OpenShift", () => {
  for (const tree of [{}, { profile: "openshift" }]) {
    const { template } = find(render(tree), "Deployment", "istiod")["spec"] as {
      template: { spec: Readonly<Record<string, unknown>> };
    };
    const { hostNetwork, hostPID, hostIPC, volumes, containers } = template.spec;
    assert.deepEqual([hostNetwork, hostPID, hostIPC], [undefined, undefined, undefined]);
    for (const volume of volumes as object[]) assert.ok(!Object.hasOwn(volume, "hostPath"));
    for (const { securityContext, ports } of containers as Record<string, Record<string, unknown>>[]) {
      const { allowPrivilegeEscalation, runAsNonRoot, capabilities, seccompProfile, privileged } =
        securityContext ?? {};
      assert.deepEqual([allowPrivilegeEscalation, runAsNonRoot, privileged], [false, true, undefined]);
      assert.deepEqual([capabilities, seccompProfile], [{ drop: ["ALL"] }, { type: "RuntimeDefault" }]);
      for (const port of ports as unknown as object[]) assert.ok(!Object.hasOwn(port, "hostPort"));
    }
  }
});
