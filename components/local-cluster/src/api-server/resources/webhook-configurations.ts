/** Defaults and validation of webhook configurations (admissionregistration.k8s.io/v1). Pure. */
import { conditionFault } from "../admission/condition.ts";
import { DEFAULT_SERVICE_PORT, DEFAULT_TIMEOUT_SECONDS } from "../admission/webhook.ts";
import { at, isObject, type Json, type JsonObject, listAt, numberAt, setDefault, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Cause, duplicate, invalidValue, required, unsupported } from "../refusal.ts";
import { dnsSubdomain } from "./names.ts";

/** Fills in what `webhooks` leaves out. */
export function defaultWebhooks(configuration: KubeObject): void {
  const mutates = configuration["kind"] === "MutatingWebhookConfiguration";
  for (const webhook of listAt(configuration, "webhooks")) {
    if (!isObject(webhook)) continue;
    setDefault(webhook, "failurePolicy", "Fail");
    setDefault(webhook, "matchPolicy", "Equivalent");
    setDefault(webhook, "namespaceSelector", {});
    setDefault(webhook, "objectSelector", {});
    setDefault(webhook, "timeoutSeconds", DEFAULT_TIMEOUT_SECONDS);
    if (mutates) setDefault(webhook, "reinvocationPolicy", "Never");
    const service = at(webhook, "clientConfig", "service");
    if (isObject(service)) setDefault(service, "port", DEFAULT_SERVICE_PORT);
    for (const rule of listAt(webhook, "rules")) if (isObject(rule)) setDefault(rule, "scope", "*");
  }
}

/** More conditions are refused by Kubernetes too. */
const MAX_CONDITIONS = 64;

export function webhookFaults(configuration: KubeObject): readonly Cause[] {
  const names = new Set<string>();
  return listAt(configuration, "webhooks").flatMap((webhook, index): Cause[] => {
    const field = `webhooks[${index}]`;
    if (!isObject(webhook)) return [];
    const name = textAt(webhook, "name") ?? "";
    const repeated = names.has(name) ? [duplicate(`${field}.name`, name)] : [];
    names.add(name);
    return [
      ...nameFaults(name, `${field}.name`),
      ...repeated,
      ...choiceFaults(webhook, field),
      ...clientFaults(at(webhook, "clientConfig"), `${field}.clientConfig`),
      ...listAt(webhook, "rules").flatMap((rule, at) => ruleFaults(rule, `${field}.rules[${at}]`)),
      ...conditionFaults(webhook, `${field}.matchConditions`),
    ];
  });
}

function nameFaults(name: string, field: string): Cause[] {
  if (name === "") return [required(field)];
  const fault = dnsSubdomain(name);
  if (fault !== undefined) return [invalidValue(field, name, fault)];
  if (name.split(".").length >= 3) return [];
  return [invalidValue(field, name, "should be a domain with at least three segments separated by dots")];
}

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  failurePolicy: ["Fail", "Ignore"],
  matchPolicy: ["Equivalent", "Exact"],
  reinvocationPolicy: ["IfNeeded", "Never"],
};

function choiceFaults(webhook: JsonObject, field: string): Cause[] {
  const faults = Object.entries(CHOICES).flatMap(([key, choices]): Cause[] => {
    const value = webhook[key];
    if (value === undefined || choices.includes(String(value))) return [];
    return [unsupported(`${field}.${key}`, value, choices)];
  });
  const effects = ["None", "NoneOnDryRun"];
  const sideEffects = textAt(webhook, "sideEffects");
  if (sideEffects === undefined)
    faults.push(required(`${field}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else if (!effects.includes(sideEffects))
    faults.push(unsupported(`${field}.sideEffects`, sideEffects, effects));
  const seconds = numberAt(webhook, "timeoutSeconds") ?? DEFAULT_TIMEOUT_SECONDS;
  if (seconds < 1 || seconds > 30)
    faults.push(
      invalidValue(`${field}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds"),
    );
  const versions = listAt(webhook, "admissionReviewVersions");
  if (versions.length === 0)
    faults.push(required(`${field}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  else if (!versions.includes("v1"))
    faults.push(
      invalidValue(`${field}.admissionReviewVersions`, versions, "must include at least one of v1"),
    );
  return faults;
}

function clientFaults(client: Json | undefined, field: string): Cause[] {
  const url = textAt(client, "url");
  const service = at(client, "service");
  if ((url === undefined) === !isObject(service))
    return [required(field, "exactly one of url or service is required")];
  if (url !== undefined) return urlFaults(url, `${field}.url`);
  const faults = ["name", "namespace"].flatMap((key) =>
    (textAt(service, key) ?? "") === "" ? [required(`${field}.service.${key}`)] : [],
  );
  const path = textAt(service, "path") ?? "/";
  const port = numberAt(service, "port") ?? DEFAULT_SERVICE_PORT;
  if (!/^\/[\w./~%:@!$&'()*+,;=-]*$/.test(path))
    faults.push(invalidValue(`${field}.service.path`, path, "must start with a '/' and hold no query"));
  if (port < 1 || port > 65_535)
    faults.push(
      invalidValue(
        `${field}.service.port`,
        port,
        "port is not valid: must be between 1 and 65535, inclusive",
      ),
    );
  return faults;
}

function urlFaults(url: string, field: string): Cause[] {
  const bad = (why: string): Cause[] => [invalidValue(field, url, why)];
  if (!URL.canParse(url)) return bad("url must be a valid URL; desired format: https://host[/path]");
  const { protocol, username, password, hash, search } = new URL(url);
  if (protocol !== "https:")
    return bad("'https' is the only allowed URL scheme; desired format: https://host[/path]");
  if (username !== "" || password !== "") return bad("user information is not permitted in the URL");
  if (hash !== "") return bad("fragments are not permitted in the URL");
  return search === "" ? [] : bad("query parameters are not permitted in the URL");
}

function ruleFaults(rule: Json, field: string): Cause[] {
  const faults: Cause[] = [];
  for (const key of ["operations", "apiGroups", "apiVersions", "resources"])
    if (listAt(rule, key).length === 0) faults.push(required(`${field}.${key}`));
  const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
  for (const operation of listAt(rule, "operations"))
    if (!operations.includes(String(operation)))
      faults.push(unsupported(`${field}.operations`, operation, operations));
  const scopes = ["*", "Cluster", "Namespaced"];
  const scope = textAt(rule, "scope") ?? "*";
  if (!scopes.includes(scope)) faults.push(unsupported(`${field}.scope`, scope, scopes));
  return faults;
}

function conditionFaults(webhook: JsonObject, field: string): Cause[] {
  const conditions = listAt(webhook, "matchConditions");
  if (conditions.length > MAX_CONDITIONS)
    return [invalidValue(field, conditions.length, `must have at most ${MAX_CONDITIONS} items`)];
  return conditions.flatMap((condition, index): Cause[] => {
    const expression = textAt(condition, "expression") ?? "";
    const where = `${field}[${index}].expression`;
    if (expression.trim() === "") return [required(where)];
    const fault = conditionFault(expression);
    return fault === undefined ? [] : [invalidValue(where, expression, `compilation failed: ${fault}`)];
  });
}
