/** Names, labels and annotations as Kubernetes accepts them (RFC 1123, RFC 1035, qualified names). */
import { at, isObject, type Json, type JsonObject, listAt, textAt, textMapAt } from "../json.ts";
import { type Cause, invalidValue, required } from "../refusal.ts";

const LABEL_1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

const MAX_LABEL_LENGTH = 63;
const MAX_SUBDOMAIN_LENGTH = 253;
/** All annotations of one object together, as in Kubernetes. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

const LABEL_1123_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
  "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end " +
  "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_NAME_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with " +
  "an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function checked(name: string, pattern: RegExp, most: number, rule: string): string | undefined {
  if (name.length > most) return `must be no more than ${most} characters`;
  return pattern.test(name) ? undefined : rule;
}

export const dnsLabel = (name: string): string | undefined =>
  checked(name, LABEL_1123, MAX_LABEL_LENGTH, LABEL_1123_RULE);
export const dnsSubdomain = (name: string): string | undefined =>
  checked(name, SUBDOMAIN, MAX_SUBDOMAIN_LENGTH, SUBDOMAIN_RULE);
export const serviceName = (name: string): string | undefined =>
  checked(name, LABEL_1035, MAX_LABEL_LENGTH, LABEL_1035_RULE);

/** Names that only have to fit into a path: RBAC's `system:node`. */
export function pathSegment(name: string): string | undefined {
  if (name === "." || name === "..") return `may not be '${name}'`;
  return /[/%]/.test(name) ? "may not contain '/' or '%'" : undefined;
}

export function labelKeyFault(key: string): string | undefined {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix === "") return "prefix part must be non-empty";
  if (prefix !== undefined) {
    const fault = dnsSubdomain(prefix);
    if (fault !== undefined) return `prefix part ${fault}`;
  }
  if (name === "") return "name part must be non-empty";
  return checked(name, QUALIFIED_NAME, MAX_LABEL_LENGTH, QUALIFIED_NAME_RULE);
}

export function labelFaults(labels: Json | undefined, field: string): Cause[] {
  const causes: Cause[] = [];
  for (const [key, value] of Object.entries(textMapAt(labels))) {
    const keyFault = labelKeyFault(key);
    if (keyFault !== undefined) causes.push(invalidValue(field, key, keyFault));
    const valueFault = checked(value, LABEL_VALUE, MAX_LABEL_LENGTH, LABEL_VALUE_RULE);
    if (valueFault !== undefined) causes.push(invalidValue(field, value, valueFault));
  }
  return causes;
}

/** Faults of `metadata` that every kind shares. */
export function metadataFaults(object: JsonObject, checkName: (name: string) => string | undefined): Cause[] {
  const metadata = object["metadata"];
  const causes: Cause[] = [];
  const name = textAt(metadata, "name") ?? "";
  if (name === "") causes.push(required("metadata.name", "name or generateName is required"));
  else {
    const fault = checkName(name);
    if (fault !== undefined) causes.push(invalidValue("metadata.name", name, fault));
  }
  causes.push(...labelFaults(at(metadata, "labels"), "metadata.labels"));
  causes.push(...annotationFaults(at(metadata, "annotations")));
  for (const [index, finalizer] of listAt(metadata, "finalizers").entries()) {
    const fault = labelKeyFault(String(finalizer));
    if (fault !== undefined) causes.push(invalidValue(`metadata.finalizers[${index}]`, finalizer, fault));
  }
  causes.push(...ownerFaults(listAt(metadata, "ownerReferences")));
  return causes;
}

function annotationFaults(annotations: Json | undefined): Cause[] {
  const causes: Cause[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(textMapAt(annotations))) {
    bytes += key.length + value.length;
    // Annotation keys are label keys, but their letters' case does not count.
    const fault = labelKeyFault(key.toLowerCase());
    if (fault !== undefined) causes.push(invalidValue("metadata.annotations", key, fault));
  }
  if (bytes > MAX_ANNOTATION_BYTES) {
    causes.push({
      field: "metadata.annotations",
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
    });
  }
  return causes;
}

function ownerFaults(owners: readonly Json[]): Cause[] {
  const causes: Cause[] = [];
  for (const [index, owner] of owners.entries()) {
    for (const key of ["apiVersion", "kind", "name", "uid"]) {
      if ((textAt(owner, key) ?? "") !== "") continue;
      causes.push(
        invalidValue(
          `metadata.ownerReferences[${index}].${key}`,
          textAt(owner, key) ?? "",
          `${key} must not be empty`,
        ),
      );
    }
  }
  const controllers = owners.filter((owner) => at(owner, "controller") === true);
  if (controllers.length > 1) {
    const why = `Only one reference can have Controller set to true. Found "true" in references for ${controllers
      .map((owner) => `${textAt(owner, "kind") ?? ""}/${textAt(owner, "name") ?? ""}`)
      .join(" and ")}`;
    causes.push(invalidValue("metadata.ownerReferences", null, why));
  }
  return causes;
}

/** Faults of a LabelSelector; `mayBeEmpty` where an empty one means everything. */
export function selectorFaults(selector: Json | undefined, field: string, mayBeEmpty: boolean): Cause[] {
  if (!isObject(selector)) return [required(field)];
  const causes = labelFaults(selector["matchLabels"], `${field}.matchLabels`);
  const expressions = listAt(selector, "matchExpressions");
  for (const [index, term] of expressions.entries()) {
    const operator = textAt(term, "operator") ?? "";
    const values = listAt(term, "values");
    const where = `${field}.matchExpressions[${index}]`;
    if (!["In", "NotIn", "Exists", "DoesNotExist"].includes(operator)) {
      causes.push(invalidValue(`${where}.operator`, operator, "not a valid selector operator"));
    } else if ((operator === "In" || operator === "NotIn") === (values.length === 0)) {
      const verb = values.length === 0 ? "must be specified" : "may not be specified";
      causes.push(required(`${where}.values`, `${verb} when \`operator\` is '${operator}'`));
    }
  }
  if (
    !mayBeEmpty &&
    expressions.length === 0 &&
    Object.keys(textMapAt(selector, "matchLabels")).length === 0
  ) {
    causes.push(invalidValue(field, selector, "empty selector is invalid for deployment"));
  }
  return causes;
}
