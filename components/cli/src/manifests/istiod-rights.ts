/** Rights of the control plane, and of other clusters' control planes that read this one. The rules are in deploy/helm/istiod/files/rules. Pure. */

import { CHARTS } from "./generated/charts.ts";
import { istiodName } from "./istiod-names.ts";
import {
  type Binding,
  type ChartContext,
  clusterRole,
  flag,
  grant,
  type Labels,
  type Manifest,
  RBAC_GROUP,
  revisionSuffix,
  scopeOf,
  text,
  texts,
} from "./objects.ts";
import type { Tree } from "./tree.ts";

const VALIDATOR = "$(VALIDATOR)";

export function renderRights(context: ChartContext, labels: Labels): readonly Manifest[] {
  const { values, namespace } = context;
  const scope = scopeOf(values);
  const isRemote = flag(values, "istiodRemote.enabled");
  const named = (prefix: string): string => `${prefix}${revisionSuffix(values)}-${namespace}`;
  const account = { name: istiodName(values), namespace };
  const objects: Manifest[] = [];
  if (scope.cluster && !isRemote) {
    const rules = rulesOf("cluster", named("istio-validator"));
    if (flag(values, "taint.enabled")) rules.push(...rulesOf("untaint"));
    objects.push(...clusterRole(rules, { name: named("istiod-clusterrole"), labels, account }));
    const gateways = { name: named("istiod-gateway-controller"), labels, account };
    objects.push(...clusterRole(rulesOf("gateway-controller"), gateways));
    objects.push(...credentialRights(values, { name: named("istiod-credentials"), labels, account }));
  }
  if (scope.namespace && !isRemote) objects.push(...namespaceRights({ name: account.name, labels, account }));
  if (scope.cluster && flag(values, "global.enableReaderRBAC")) {
    const reader = { name: "istio-reader-service-account", namespace: text(values, "global.istioNamespace") };
    const rules = [...rulesOf("reader"), ...(isRemote ? rulesOf("reader-remote") : [])];
    objects.push(...clusterRole(rules, { name: named("istio-reader-clusterrole"), labels, account: reader }));
  }
  return objects;
}

function rulesOf(file: string, validator = ""): Tree[] {
  const rules = CHARTS.istiod.rules[file] ?? [];
  return rules.map((rule) => {
    const names = rule["resourceNames"];
    if (!Array.isArray(names)) return rule;
    return { ...rule, resourceNames: names.map((name) => (name === VALIDATOR ? validator : name)) };
  });
}

/** Secrets that DestinationRules name: only where credentialNamespaces says so. */
function credentialRights(values: Tree, binding: Binding): readonly Manifest[] {
  const namespaces = texts(values, "credentialNamespaces");
  if (namespaces.length === 0) return [];
  if (namespaces.includes("*")) return clusterRole(rulesOf("credentials"), binding);
  const { name, labels } = binding;
  return [
    {
      apiVersion: `${RBAC_GROUP}/v1`,
      kind: "ClusterRole",
      metadata: { name, labels },
      rules: rulesOf("credentials"),
    },
    ...namespaces.map((namespace) => ({
      apiVersion: `${RBAC_GROUP}/v1`,
      kind: "RoleBinding",
      metadata: { name, namespace, labels },
      ...grant("ClusterRole", binding),
    })),
  ];
}

function namespaceRights(binding: Binding): readonly Manifest[] {
  const { name, labels, account } = binding;
  const metadata = { name, namespace: account.namespace, labels };
  return [
    { apiVersion: `${RBAC_GROUP}/v1`, kind: "Role", metadata, rules: rulesOf("namespace") },
    { apiVersion: `${RBAC_GROUP}/v1`, kind: "RoleBinding", metadata, ...grant("Role", binding) },
  ];
}
