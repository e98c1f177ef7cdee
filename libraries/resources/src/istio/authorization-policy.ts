/** AuthorizationPolicy, security.istio.io/v1 (reference: l7-and-cli §2.1). */

import type { PolicyCondition, PolicyOperation, PolicyRule, PolicySource } from "@meltemi/model/l7";
import type { Metadata } from "../metadata.ts";
import { fieldsAt, fieldsList, parseObject, textAt, textList } from "../parse-object.ts";
import { type Parsed, type Problems, shown } from "../problem.ts";
import {
  type Fields,
  has,
  type ListSchema,
  list,
  type ObjectSchema,
  object,
  oneOf,
  text,
} from "../schema/schema.ts";
import { isAddressBlock, isPortText } from "./addresses.ts";
import { isConditionKey } from "./condition-key.ts";
import { ONE_TARGET, type PolicyTarget, readTarget, TARGET_PROPERTIES } from "./target.ts";

export type AuthorizationAction =
  | { readonly kind: "allow" }
  | { readonly kind: "deny" }
  | { readonly kind: "audit" }
  | { readonly kind: "custom"; readonly provider: string };

export interface AuthorizationPolicy {
  readonly metadata: Metadata;
  readonly target: PolicyTarget;
  readonly action: AuthorizationAction;
  /** Any rule matches. None: the policy never matches, so that an ALLOW denies everything. */
  readonly rules: readonly PolicyRule[];
  /** Annotation `istio.io/dry-run: "true"`: tell what it would do, do nothing. */
  readonly dryRun: boolean;
}

const VALUES: ListSchema = list(text());
/** Service accounts are `<namespace>/<name>` with Kubernetes' own bounds. */
const ACCOUNTS: ListSchema = list(text({ maxLength: 320 }), { maxItems: 16 });
/** Istio's bound of rules, and of sources in a rule. */
const RULE_LIMIT = 512;

const SOURCE: ObjectSchema = object(
  {
    principals: VALUES,
    notPrincipals: VALUES,
    requestPrincipals: VALUES,
    notRequestPrincipals: VALUES,
    namespaces: VALUES,
    notNamespaces: VALUES,
    serviceAccounts: ACCOUNTS,
    notServiceAccounts: ACCOUNTS,
    ipBlocks: VALUES,
    notIpBlocks: VALUES,
    remoteIpBlocks: VALUES,
    notRemoteIpBlocks: VALUES,
    trustDomains: VALUES,
    notTrustDomains: VALUES,
  },
  {
    rules: [
      {
        message: "Cannot set serviceAccounts with namespaces or principals",
        cel:
          "!(has(self.serviceAccounts) || has(self.notServiceAccounts)) || !(has(self.principals) || " +
          "has(self.notPrincipals) || has(self.namespaces) || has(self.notNamespaces))",
        holds: (source) =>
          !["serviceAccounts", "notServiceAccounts"].some((name) => has(source, name)) ||
          !["principals", "notPrincipals", "namespaces", "notNamespaces"].some((name) => has(source, name)),
      },
    ],
  },
);

const OPERATION: ObjectSchema = object({
  hosts: VALUES,
  notHosts: VALUES,
  ports: VALUES,
  notPorts: VALUES,
  methods: VALUES,
  notMethods: VALUES,
  paths: VALUES,
  notPaths: VALUES,
});

const CONDITION: ObjectSchema = object(
  { key: text(), values: VALUES, notValues: VALUES },
  { required: ["key"] },
);

export const AUTHORIZATION_POLICY_SPEC: ObjectSchema = object(
  {
    ...TARGET_PROPERTIES,
    action: oneOf("ALLOW", "DENY", "AUDIT", "CUSTOM"),
    provider: object({ name: text() }),
    rules: list(
      object({
        from: list(object({ source: SOURCE }), { maxItems: RULE_LIMIT }),
        to: list(object({ operation: OPERATION })),
        when: list(CONDITION),
      }),
      { maxItems: RULE_LIMIT },
    ),
  },
  { rules: [ONE_TARGET] },
);

/** Parses an object of the API. Every field is checked; what Istio's webhook would refuse is refused here too. */
export function parseAuthorizationPolicy(value: unknown): Parsed<AuthorizationPolicy> {
  return parseObject("AuthorizationPolicy", AUTHORIZATION_POLICY_SPEC, value, (spec, metadata, problems) => ({
    metadata,
    target: readTarget(spec),
    action: readAction(spec, problems),
    rules: fieldsList(spec, "rules").map((rule, index) => readRule(rule, `spec.rules[${index}]`, problems)),
    dryRun: metadata.annotations.get("istio.io/dry-run") === "true",
  }));
}

function readAction(spec: Fields, problems: Problems): AuthorizationAction {
  const action = textAt(spec, "action") ?? "ALLOW";
  const provider = textAt(fieldsAt(spec, "provider") ?? {}, "name") ?? "";
  if (has(spec, "provider") && action !== "CUSTOM")
    problems.add("spec.provider", `expected none with action ${action}, only CUSTOM has a provider`);
  switch (action) {
    case "DENY":
      return { kind: "deny" };
    case "AUDIT":
      return { kind: "audit" };
    case "CUSTOM":
      if (provider === "")
        problems.add("spec.provider.name", "expected the name of a provider with action CUSTOM");
      return { kind: "custom", provider };
    default:
      return { kind: "allow" };
  }
}

function readRule(rule: Fields, path: string, problems: Problems): PolicyRule {
  return {
    from: fieldsList(rule, "from").map((from, index) =>
      readSource(fieldsAt(from, "source"), `${path}.from[${index}].source`, problems),
    ),
    to: fieldsList(rule, "to").map((to, index) =>
      readOperation(fieldsAt(to, "operation"), `${path}.to[${index}].operation`, problems),
    ),
    when: fieldsList(rule, "when").map((when, index) =>
      readCondition(when, `${path}.when[${index}]`, problems),
    ),
  };
}

/** A source without any field would match nothing or everything, depending on who reads it: refused. */
function readSource(source: Fields | undefined, path: string, problems: Problems): PolicySource {
  const values = valuesReader(source ?? {}, path, problems);
  const blocks = (name: string): readonly string[] =>
    values(name, isAddressBlock, "an IP address or CIDR block");
  const account = (value: string): boolean => /^(?:[a-z0-9.-]+\/)?[a-z0-9.-]+$/.test(value);
  const accounts = (name: string): readonly string[] =>
    values(name, account, "<service account> or <namespace>/<service account>");
  if (!hasAnyValue(source)) problems.add(path, "expected at least one field with a value");
  return {
    principals: values("principals"),
    notPrincipals: values("notPrincipals"),
    requestPrincipals: values("requestPrincipals"),
    notRequestPrincipals: values("notRequestPrincipals"),
    namespaces: values("namespaces"),
    notNamespaces: values("notNamespaces"),
    serviceAccounts: accounts("serviceAccounts"),
    notServiceAccounts: accounts("notServiceAccounts"),
    ipBlocks: blocks("ipBlocks"),
    notIpBlocks: blocks("notIpBlocks"),
    remoteIpBlocks: blocks("remoteIpBlocks"),
    notRemoteIpBlocks: blocks("notRemoteIpBlocks"),
    trustDomains: values("trustDomains"),
    notTrustDomains: values("notTrustDomains"),
  };
}

function readOperation(operation: Fields | undefined, path: string, problems: Problems): PolicyOperation {
  const values = valuesReader(operation ?? {}, path, problems);
  const ports = (name: string): readonly number[] =>
    values(name, isPortText, "a port from 0 to 65535").map(Number);
  if (!hasAnyValue(operation)) problems.add(path, "expected at least one field with a value");
  return {
    hosts: values("hosts"),
    notHosts: values("notHosts"),
    ports: ports("ports"),
    notPorts: ports("notPorts"),
    methods: values("methods"),
    notMethods: values("notMethods"),
    paths: values("paths"),
    notPaths: values("notPaths"),
  };
}

function readCondition(condition: Fields, path: string, problems: Problems): PolicyCondition {
  const key = textAt(condition, "key") ?? "";
  if (!isConditionKey(key))
    problems.add(`${path}.key`, `expected a key of Istio's conditions, got ${shown(key)}`);
  if (!hasAnyValue({ values: condition["values"], notValues: condition["notValues"] }))
    problems.add(path, "expected at least one of values and notValues");
  const values = valuesReader(condition, path, problems);
  const read = (name: string): readonly string[] => {
    if (key === "destination.port") return values(name, isPortText, "a port from 0 to 65535");
    if (key === "source.ip" || key === "remote.ip" || key === "destination.ip")
      return values(name, isAddressBlock, "an IP address or CIDR block");
    return values(name);
  };
  return { key, values: read("values"), notValues: read("notValues") };
}

type ValuesReader = (
  name: string,
  isValid?: (value: string) => boolean,
  expected?: string,
) => readonly string[];

/** Reads lists of text, each value checked; an empty value is never meant. */
function valuesReader(fields: Fields, path: string, problems: Problems): ValuesReader {
  return (name, isValid = (value) => value !== "", expected = "a value") => {
    const values = textList(fields, name);
    for (const [index, value] of values.entries()) {
      if (!isValid(value))
        problems.add(`${path}.${name}[${index}]`, `expected ${expected}, got ${shown(value)}`);
    }
    return values;
  };
}

function hasAnyValue(fields: Fields | undefined): boolean {
  return Object.values(fields ?? {}).some((values) => Array.isArray(values) && values.length > 0);
}
