/**
 * Field shapes of the built-in Kubernetes types for the local cluster's API server, as OpenAPI schemas without prose:
 * reads the declarations of `kubernetes-types` (a development dependency) and writes one JSON file.
 * What declarations cannot say (merge keys, atomic lists) is in the API server's `schema/merge-keys.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";

const SOURCE = "node_modules/kubernetes-types";
const TARGET = "components/local-cluster/src/api-server/schema/generated/built-in.json";

/** Declaration file → prefix of the names that Kubernetes' own OpenAPI documents use. */
const PACKAGES: Readonly<Record<string, string>> = {
  "admissionregistration/v1": "io.k8s.api.admissionregistration.v1",
  "api/resource": "io.k8s.apimachinery.pkg.api.resource",
  "apiextensions/v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
  "apps/v1": "io.k8s.api.apps.v1",
  "authentication/v1": "io.k8s.api.authentication.v1",
  "authorization/v1": "io.k8s.api.authorization.v1",
  "autoscaling/v1": "io.k8s.api.autoscaling.v1",
  "autoscaling/v2": "io.k8s.api.autoscaling.v2",
  "batch/v1": "io.k8s.api.batch.v1",
  "coordination/v1": "io.k8s.api.coordination.v1",
  "core/v1": "io.k8s.api.core.v1",
  "discovery/v1": "io.k8s.api.discovery.v1",
  "events/v1": "io.k8s.api.events.v1",
  "meta/v1": "io.k8s.apimachinery.pkg.apis.meta.v1",
  "networking/v1": "io.k8s.api.networking.v1",
  "policy/v1": "io.k8s.api.policy.v1",
  "rbac/v1": "io.k8s.api.rbac.v1",
  runtime: "io.k8s.apimachinery.pkg.runtime",
  "scheduling/v1": "io.k8s.api.scheduling.v1",
};

const ROOTS: readonly string[] = [
  "admissionregistration/v1:MutatingWebhookConfiguration ValidatingWebhookConfiguration",
  "apiextensions/v1:CustomResourceDefinition",
  "apps/v1:DaemonSet Deployment ReplicaSet StatefulSet ControllerRevision",
  "authentication/v1:TokenRequest TokenReview SelfSubjectReview",
  "authorization/v1:LocalSubjectAccessReview SubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview",
  "autoscaling/v1:Scale",
  "autoscaling/v2:HorizontalPodAutoscaler",
  "batch/v1:Job",
  "coordination/v1:Lease",
  "core/v1:Binding ConfigMap Endpoints Event LimitRange Namespace Node Pod ResourceQuota Secret Service ServiceAccount",
  "discovery/v1:EndpointSlice",
  "events/v1:Event",
  "meta/v1:DeleteOptions Status",
  "networking/v1:NetworkPolicy",
  "policy/v1:PodDisruptionBudget Eviction",
  "rbac/v1:ClusterRole ClusterRoleBinding Role RoleBinding",
  "scheduling/v1:PriorityClass",
];

interface Schema {
  [key: string]: unknown;
}

/** Types that hold anything: their declarations are empty, or lose the `x-kubernetes-…` fields. */
const FREE = new Set(["JSON", "JSONSchemaProps", "FieldsV1", "RawExtension", "Patch"]);

/** Fields that the declarations leave out: Go's embedded `Rule` of a RuleWithOperations. */
const LEFT_OUT: Readonly<Record<string, Readonly<Record<string, Schema>>>> = {
  "io.k8s.api.admissionregistration.v1.RuleWithOperations": {
    resources: { type: "array", items: { type: "string" } },
    scope: { type: "string" },
  },
};

const schemas = new Map<string, Schema>();

function schemaOfType(text: string, names: ReadonlyMap<string, string>): Schema {
  const type = text.trim();
  const array = /^Array<(.+)>$/s.exec(type);
  if (array?.[1] !== undefined) return { type: "array", items: schemaOfType(array[1], names) };
  const map = /^\{\s*\[name: string\]: (.+?);\s*\}$/s.exec(type);
  if (map?.[1] !== undefined) return { type: "object", additionalProperties: schemaOfType(map[1], names) };
  if (type === "number | string") return { "x-kubernetes-int-or-string": true };
  if (type.startsWith('"')) return { type: "string" };
  switch (type) {
    case "string":
      return { type: "string" };
    case "boolean":
      return { type: "boolean" };
    case "number":
      return { type: "integer" };
    case "Time":
    case "MicroTime":
      return { type: "string", format: "date-time" };
    case "JSONSchemaPropsOrArray":
    case "JSONSchemaPropsOrBool":
    case "JSONSchemaPropsOrStringArray":
      return {};
    case "Quantity":
      return { type: "string", format: "quantity" };
  }
  const name = names.get(type);
  if (name === undefined) throw new Error(`generate schemas: no type ${JSON.stringify(type)} in scope`);
  return { $ref: name };
}

function readInterface(body: string, names: ReadonlyMap<string, string>): Schema {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  const fields = /^ {4}(?:readonly )?"?([$\w-]+)"?(\?)?: ((?:\{[^}]*\})|[^;]+);/gm;
  for (const [, name, optional, type] of body.matchAll(fields)) {
    if (name === undefined || type === undefined) continue;
    properties[name] = schemaOfType(type, names);
    if (optional === undefined) required.push(name);
  }
  return { type: "object", properties, ...(required.length > 0 ? { required } : {}) };
}

function readDeclarations(file: string, prefix: string): void {
  const text = readFileSync(`${SOURCE}/${file}.d.ts`, "utf8").replaceAll(/\/\*\*[\s\S]*?\*\//g, "");
  const names = new Map<string, string>();
  for (const [, list, from] of text.matchAll(/import \{ ([^}]+) \} from "([^"]+)"/g)) {
    const target = (from ?? "").replace(/^(\.\.?\/)+/, "");
    for (const name of (list ?? "").split(", ")) names.set(name, `${PACKAGES[target] ?? target}.${name}`);
  }
  const interfaces = [...text.matchAll(/export interface (\w+) \{([\s\S]*?)\n\}/g)];
  for (const [, name] of interfaces) if (name !== undefined) names.set(name, `${prefix}.${name}`);
  for (const [, name, body] of interfaces) {
    if (name === undefined || name.endsWith("List")) continue;
    const free = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    schemas.set(`${prefix}.${name}`, FREE.has(name) ? free : readInterface(body ?? "", names));
  }
}

function reach(name: string, found: Map<string, Schema>): void {
  if (found.has(name)) return;
  const schema = schemas.get(name);
  if (schema === undefined) throw new Error(`generate schemas: ${name} is not declared`);
  found.set(name, schema);
  for (const [, next] of JSON.stringify(schema).matchAll(/"\$ref":"([^"]+)"/g)) reach(next ?? "", found);
}

for (const [file, prefix] of Object.entries(PACKAGES)) {
  // A union of schema or boolean or list: only used inside JSONSchemaProps, which is free.
  readDeclarations(file, prefix);
}
for (const [name, fields] of Object.entries(LEFT_OUT)) {
  const schema = schemas.get(name);
  if (schema === undefined) throw new Error(`generate schemas: ${name} is not declared`);
  Object.assign(schema["properties"] as Record<string, Schema>, fields);
}
const reached = new Map<string, Schema>();
for (const root of ROOTS) {
  const [file = "", kinds = ""] = root.split(":");
  for (const kind of kinds.split(" ")) reach(`${PACKAGES[file]}.${kind}`, reached);
}
const sorted = [...reached].sort(([a], [b]) => (a < b ? -1 : 1));
const lines = sorted.map(([name, schema]) => `${JSON.stringify(name)}: ${JSON.stringify(schema)}`);
writeFileSync(TARGET, `{\n${lines.join(",\n")}\n}\n`);
