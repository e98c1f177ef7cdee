/** Which webhooks are asked about a write, and in which version of the object. Pure. */
import { textMapAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import type { Served } from "../registry.ts";
import { selectorMatches } from "../resources/label-selector.ts";
import { ADMISSION_GROUP, type Operation, type OperationRule, type Webhook } from "./webhook.ts";

export interface KindName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** What is about to happen. Objects are as they are stored. */
export interface Attributes {
  readonly operation: Operation;
  readonly served: Served;
  /** Of a subresource that speaks a kind of its own. */
  readonly kind?: KindName;
  /** Empty for the resource itself. */
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
}

type Labels = Readonly<Record<string, string>>;

/**
 * The version in which the webhook wants the object: that of the request, or another one of the same resource that its rules
 * name, when its matchPolicy is Equivalent. Undefined when it is not asked.
 */
export function matchingVersion(
  webhook: Webhook,
  attributes: Attributes,
  namespaceLabels: (namespace: string) => Labels | undefined,
): Served | undefined {
  const { served } = attributes;
  if (isAboutWebhooks(served)) return undefined;
  const chosen = versionNamed(webhook, attributes);
  if (chosen === undefined) return undefined;
  if (!namespaceSelected(webhook, attributes, namespaceLabels)) return undefined;
  const { object, oldObject } = attributes;
  const selected = [object, oldObject].some(
    (one) => one !== undefined && selectorMatches(webhook.objectSelector, labelsOf(one)),
  );
  return selected ? chosen : undefined;
}

const CONFIGURATIONS = new Set([
  "validatingwebhookconfigurations",
  "mutatingwebhookconfigurations",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
]);

/** A webhook that could refuse its own removal could not be removed. */
function isAboutWebhooks({ resource }: Served): boolean {
  return resource.group === ADMISSION_GROUP && CONFIGURATIONS.has(resource.plural);
}

function versionNamed(webhook: Webhook, attributes: Attributes): Served | undefined {
  const { resource, version } = attributes.served;
  const named = (name: string): boolean => webhook.rules.some((rule) => ruleMatches(rule, attributes, name));
  if (named(version.name)) return attributes.served;
  if (webhook.matchPolicy === "Exact") return undefined;
  const other = resource.versions.find(({ name, served }) => served && named(name));
  return other === undefined ? undefined : { resource, version: other };
}

function ruleMatches(rule: OperationRule, attributes: Attributes, version: string): boolean {
  const { operation, served, subresource } = attributes;
  const { group, plural } = served.resource;
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, group) &&
    has(rule.apiVersions, version) &&
    rule.resources.some((named) => resourceMatches(named, plural, subresource)) &&
    scopeMatches(rule, attributes)
  );
}

function has(values: readonly string[], value: string): boolean {
  return values.includes("*") || values.includes(value);
}

/** `pods` is never `pods/status`; `pods/*` is both, `*` every resource without its subresources. */
function resourceMatches(named: string, plural: string, subresource: string): boolean {
  const [resource = "", sub = ""] = named.split("/");
  return (resource === "*" || resource === plural) && (sub === "*" || sub === subresource);
}

/** A Namespace lies in itself, and counts as cluster-wide all the same. */
function scopeMatches({ scope }: OperationRule, { served, namespace }: Attributes): boolean {
  if (scope === "*") return true;
  const clusterWide = namespace === "" || isNamespace(served);
  return clusterWide === (scope === "Cluster");
}

function isNamespace({ resource }: Served): boolean {
  return resource.group === "" && resource.plural === "namespaces";
}

function namespaceSelected(
  { namespaceSelector }: Webhook,
  { served, namespace, object, oldObject }: Attributes,
  labelsOfNamespace: (namespace: string) => Labels | undefined,
): boolean {
  if (isNamespace(served)) {
    const itself = object ?? oldObject;
    return itself === undefined || selectorMatches(namespaceSelector, labelsOf(itself));
  }
  // Cluster-wide objects are in no namespace that a selector could leave out.
  if (namespace === "") return true;
  return selectorMatches(namespaceSelector, labelsOfNamespace(namespace) ?? {});
}

function labelsOf(object: KubeObject): Labels {
  return textMapAt(object, "metadata", "labels");
}
