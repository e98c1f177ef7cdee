/** Webhooks as their configurations describe them (admissionregistration.k8s.io/v1), read once for every change of those. */
import { at, isObject, type Json, listAt, numberAt, textAt } from "../json.ts";
import type { ObjectStore, Stored } from "../store/object-store.ts";

export const ADMISSION_GROUP = "admissionregistration.k8s.io";

export type Operation = "CREATE" | "UPDATE" | "DELETE";

export interface OperationRule {
  readonly operations: readonly string[];
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly scope: "*" | "Namespaced" | "Cluster";
}

export type WebhookAddress =
  | { readonly kind: "url"; readonly url: string }
  | {
      readonly kind: "service";
      readonly namespace: string;
      readonly name: string;
      readonly port: number;
      readonly path: string;
    };

export interface Webhook {
  readonly stage: Stage;
  /** `istiod.istio.io`: what messages call it. */
  readonly name: string;
  readonly address: WebhookAddress;
  /** PEM; undefined for the machine's own authorities. */
  readonly authoritiesPem: string | undefined;
  readonly rules: readonly OperationRule[];
  readonly failurePolicy: "Fail" | "Ignore";
  readonly matchPolicy: "Exact" | "Equivalent";
  readonly namespaceSelector: Json;
  readonly objectSelector: Json;
  readonly conditions: readonly { readonly name: string; readonly expression: string }[];
  readonly hasSideEffects: boolean;
  readonly timeoutMs: number;
  readonly reinvoked: boolean;
}

export type Stage = "mutating" | "validating";

export interface Webhooks {
  /** In the order in which they are called: by the configuration's name, then as it lists them. */
  readonly mutating: readonly Webhook[];
  readonly validating: readonly Webhook[];
}

/** The webhooks of this moment; read again only when a configuration changed. */
export function createWebhookReader(store: Pick<ObjectStore, "list">): () => Webhooks {
  const mutating = remembered("mutating");
  const validating = remembered("validating");
  return () => ({
    mutating: mutating(store.list(`${ADMISSION_GROUP}/mutatingwebhookconfigurations`)),
    validating: validating(store.list(`${ADMISSION_GROUP}/validatingwebhookconfigurations`)),
  });
}

/** The store keeps one list until something in it changes. */
function remembered(stage: Stage): (list: readonly Stored[]) => readonly Webhook[] {
  let last: { readonly list: readonly Stored[]; readonly webhooks: readonly Webhook[] } | undefined;
  return (list) => {
    if (last?.list !== list) {
      const webhooks = list.flatMap(({ object }) =>
        listAt(object, "webhooks").map((webhook) => readWebhook(stage, webhook)),
      );
      last = { list, webhooks };
    }
    return last.webhooks;
  };
}

/** Of a stored configuration: validated and defaulted when it was written. */
function readWebhook(stage: Stage, webhook: Json): Webhook {
  const sideEffects = textAt(webhook, "sideEffects");
  const bundle = textAt(webhook, "clientConfig", "caBundle") ?? "";
  return {
    stage,
    name: textAt(webhook, "name") ?? "",
    address: readAddress(at(webhook, "clientConfig")),
    authoritiesPem: bundle === "" ? undefined : Buffer.from(bundle, "base64").toString("utf8"),
    rules: listAt(webhook, "rules").map(readRule),
    failurePolicy: textAt(webhook, "failurePolicy") === "Ignore" ? "Ignore" : "Fail",
    matchPolicy: textAt(webhook, "matchPolicy") === "Exact" ? "Exact" : "Equivalent",
    namespaceSelector: at(webhook, "namespaceSelector") ?? {},
    objectSelector: at(webhook, "objectSelector") ?? {},
    conditions: listAt(webhook, "matchConditions").map((condition) => ({
      name: textAt(condition, "name") ?? "",
      expression: textAt(condition, "expression") ?? "",
    })),
    hasSideEffects: sideEffects !== "None" && sideEffects !== "NoneOnDryRun",
    timeoutMs: (numberAt(webhook, "timeoutSeconds") ?? DEFAULT_TIMEOUT_SECONDS) * 1000,
    reinvoked: textAt(webhook, "reinvocationPolicy") === "IfNeeded",
  };
}

export const DEFAULT_TIMEOUT_SECONDS = 10;
export const DEFAULT_SERVICE_PORT = 443;

function readAddress(client: Json | undefined): WebhookAddress {
  const service = at(client, "service");
  if (!isObject(service)) return { kind: "url", url: textAt(client, "url") ?? "" };
  return {
    kind: "service",
    namespace: textAt(service, "namespace") ?? "",
    name: textAt(service, "name") ?? "",
    port: numberAt(service, "port") ?? DEFAULT_SERVICE_PORT,
    path: textAt(service, "path") ?? "/",
  };
}

function readRule(rule: Json): OperationRule {
  const texts = (key: string): readonly string[] =>
    listAt(rule, key).filter((item) => typeof item === "string");
  const scope = textAt(rule, "scope");
  return {
    operations: texts("operations"),
    apiGroups: texts("apiGroups"),
    apiVersions: texts("apiVersions"),
    resources: texts("resources"),
    scope: scope === "Namespaced" || scope === "Cluster" ? scope : "*",
  };
}
