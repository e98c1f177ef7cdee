/** Asks a cluster what `precheck` judges. */

import {
  CUSTOM_RESOURCE_DEFINITIONS,
  isNotFound,
  type KubernetesObject,
  NODES,
  type ResourceType,
  statusOf,
} from "@meltemi/kubernetes";
import { isJson, type Json, jsonAt, textAt } from "../output/json.ts";
import type { Lookup } from "../reach/find-pods.ts";
import type { PrecheckFacts } from "./checks.ts";

/** What `install` writes: group, resource, and whether in the control plane's namespace. */
const NEEDED = [
  ["", "namespaces", false],
  ["", "services", true],
  ["", "serviceaccounts", true],
  ["", "configmaps", true],
  ["apps", "deployments", true],
  ["apps", "daemonsets", true],
  ["rbac.authorization.k8s.io", "clusterroles", false],
  ["rbac.authorization.k8s.io", "clusterrolebindings", false],
  ["apiextensions.k8s.io", "customresourcedefinitions", false],
] as const;

export async function askPrecheck(lookup: Lookup, istioNamespace: string): Promise<PrecheckFacts> {
  const [version, forbidden, nodes, definitions] = await Promise.all([
    readVersion(lookup),
    forbiddenWrites(lookup, istioNamespace),
    listOrNothing(NODES, lookup),
    listOrNothing(CUSTOM_RESOURCE_DEFINITIONS, lookup),
  ]);
  return { version, forbidden, nodes, definitions };
}

async function readVersion({ client, signal }: Lookup): Promise<Json> {
  const { body } = await client.request({ method: "GET", path: "/version", signal });
  return parsed(body);
}

async function forbiddenWrites(lookup: Lookup, istioNamespace: string): Promise<readonly string[]> {
  const answers = await Promise.all(
    NEEDED.map(async ([group, resource, isNamespaced]) => {
      const namespace = isNamespaced ? istioNamespace : undefined;
      const resourceAttributes = { verb: "create", group, resource, namespace };
      const where = isNamespaced ? ` in namespace ${istioNamespace}` : "";
      return (await mayI(resourceAttributes, lookup)) ? [] : [`create ${resource}${where}`];
    }),
  );
  return answers.flat();
}

/** A server that does not answer such questions forbids nothing by that. */
async function mayI(resourceAttributes: object, { client, signal }: Lookup): Promise<boolean> {
  const review = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes },
  };
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const { status, body } = await client.request({
    method: "POST",
    path,
    body: JSON.stringify(review),
    signal,
  });
  return status >= 300 || textAt(jsonAt(parsed(body), "status"), "allowed") !== "false";
}

async function listOrNothing(type: ResourceType, { client, signal }: Lookup): Promise<readonly Json[]> {
  try {
    const { items } = await client.list<KubernetesObject>(type, { signal });
    return items.filter(isJson);
  } catch (error) {
    if (isNotFound(error) || statusOf(error)?.code === 403) return [];
    throw error;
  }
}

function parsed(body: string): Json {
  try {
    const value: unknown = JSON.parse(body);
    return isJson(value) ? value : {};
  } catch {
    return {};
  }
}
