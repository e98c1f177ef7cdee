/** HTTPRoute and GRPCRoute, gateway.networking.k8s.io/v1. */

import { parseDurationMs } from "@meltemi/runtime";
import {
  type Fields,
  has,
  integer,
  type ListSchema,
  list,
  type ObjectSchema,
  object,
  type Rule,
  type Schema,
} from "../schema/schema.ts";
import {
  backendRef,
  CONTROLLER_NAME,
  conditions,
  DURATION,
  fieldsOf,
  HOSTNAME,
  PARENT_REF,
  SECTION_NAME,
  WEIGHT,
} from "./common.ts";
import { type FilterType, filters } from "./filters.ts";
import { GRPC_MATCH, HTTP_MATCH } from "./matches.ts";

const HTTP_FILTERS: readonly FilterType[] = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "RequestRedirect",
  "URLRewrite",
  "ExtensionRef",
  "CORS",
];
const GRPC_FILTERS: readonly FilterType[] = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "ExtensionRef",
];

const TIMEOUTS: ObjectSchema = object(
  { request: DURATION, backendRequest: DURATION },
  {
    rules: [
      {
        message: "backendRequest timeout cannot be longer than request timeout",
        cel:
          "!(has(self.request) && has(self.backendRequest) && duration(self.request) != duration('0s') && " +
          "duration(self.backendRequest) > duration(self.request))",
        holds: ({ request, backendRequest }) => {
          const [wholeMs, onceMs] = [request, backendRequest].map(
            (value) => parseDurationMs(String(value ?? "0")) ?? 0,
          );
          return !wholeMs || (onceMs ?? 0) <= wholeMs;
        },
      },
    ],
  },
);

/** Experimental in Gateway API, and supported at waypoints. */
const RETRY: ObjectSchema = object({
  attempts: integer(),
  backoff: DURATION,
  codes: list(integer({ min: 400, max: 599 }), { listType: "atomic" }),
});

/** `replacePrefixMatch` replaces what a prefix matched: there must be exactly one such match. */
function onePrefix(field: "requestRedirect" | "urlRewrite", name: string): Rule<Fields> {
  return {
    message: `When using ${name} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified`,
    cel:
      `has(self.filters) && self.filters.exists(f, has(f.${field}) && has(f.${field}.path) && ` +
      `f.${field}.path.type == 'ReplacePrefixMatch') ? (has(self.matches) && size(self.matches) == 1 && ` +
      "self.matches[0].path.type == 'PathPrefix') : true",
    holds: (rule) => {
      const replaces = fieldsOf(listAt(rule, "filters")).some(
        (filter) => typeAt(filter, field, "path") === "ReplacePrefixMatch",
      );
      const matches = fieldsOf(listAt(rule, "matches"));
      return !replaces || (matches.length === 1 && typeAt(matches[0] ?? {}, "path") === "PathPrefix");
    },
  };
}

function listAt(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : [];
}

function typeAt(fields: Fields, ...path: readonly string[]): unknown {
  let value: unknown = fields;
  for (const name of path)
    value = typeof value === "object" && value !== null ? (value as Fields)[name] : undefined;
  return typeof value === "object" && value !== null ? (value as Fields)["type"] : undefined;
}

const HTTP_RULE: ObjectSchema = object(
  {
    name: SECTION_NAME,
    matches: list(HTTP_MATCH, {
      maxItems: 64,
      listType: "atomic",
      default: [{ path: { type: "PathPrefix", value: "/" } }],
    }),
    filters: filters(...HTTP_FILTERS),
    backendRefs: list(backendRef({ weight: WEIGHT, filters: filters(...HTTP_FILTERS) }), {
      maxItems: 16,
      listType: "atomic",
    }),
    timeouts: TIMEOUTS,
    retry: RETRY,
  },
  {
    rules: [
      {
        message: "RequestRedirect filter must not be used together with backendRefs",
        cel:
          "has(self.backendRefs) && size(self.backendRefs) > 0 && has(self.filters) ? " +
          "self.filters.all(f, !has(f.requestRedirect)) : true",
        holds: (rule) =>
          listAt(rule, "backendRefs").length === 0 ||
          fieldsOf(listAt(rule, "filters")).every((filter) => !has(filter, "requestRedirect")),
      },
      onePrefix("requestRedirect", "RequestRedirect"),
      onePrefix("urlRewrite", "URLRewrite"),
    ],
  },
);

const GRPC_RULE: ObjectSchema = object({
  name: SECTION_NAME,
  matches: list(GRPC_MATCH, {
    maxItems: 64,
    listType: "atomic",
  }),
  filters: filters(...GRPC_FILTERS),
  backendRefs: list(backendRef({ weight: WEIGHT, filters: filters(...GRPC_FILTERS) }), {
    maxItems: 16,
    listType: "atomic",
  }),
});

const MATCH_LIMIT = 128;

const MATCH_TOTAL: Rule<readonly unknown[]> = {
  message:
    "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128",
  cel: `self.map(rule, has(rule.matches) ? rule.matches.size() : 0).sum() <= ${MATCH_LIMIT}`,
  holds: (rules) =>
    fieldsOf(rules).reduce((total, rule) => total + listAt(rule, "matches").length, 0) <= MATCH_LIMIT,
};

/** Every part that names a place in one parent, as one text. */
function placeOf(parent: Fields): string {
  const {
    group = "gateway.networking.k8s.io",
    kind = "Gateway",
    name,
    namespace = "",
    sectionName = "",
    port = 0,
  } = parent;
  return JSON.stringify([group, kind, namespace, name, sectionName, port]);
}

export const PARENT_REFS: ListSchema = list(PARENT_REF, {
  maxItems: 32,
  listType: "atomic",
  rules: [
    {
      message:
        "sectionName or port must be unique when parentRefs includes 2 or more references to the same parent",
      // `namespace` is a reserved word of CEL: Kubernetes escapes it.
      cel:
        "self.all(p1, self.exists_one(p2, p1.group == p2.group && p1.kind == p2.kind && p1.name == p2.name && " +
        "(has(p1.__namespace__) ? p1.__namespace__ : '') == (has(p2.__namespace__) ? p2.__namespace__ : '') && " +
        "(has(p1.sectionName) ? p1.sectionName : '') == (has(p2.sectionName) ? p2.sectionName : '') && " +
        "(has(p1.port) ? p1.port : 0) == (has(p2.port) ? p2.port : 0)))",
      holds: (parents) => new Set(fieldsOf(parents).map(placeOf)).size === parents.length,
    },
  ],
});

const HOSTNAMES: ListSchema = list(HOSTNAME, { maxItems: 16, listType: "atomic" });

export const HTTP_ROUTE_SPEC: ObjectSchema = object({
  parentRefs: PARENT_REFS,
  hostnames: HOSTNAMES,
  rules: list(HTTP_RULE, {
    minItems: 1,
    maxItems: 16,
    listType: "atomic",
    default: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }] }],
    rules: [MATCH_TOTAL],
  }),
});

export const GRPC_ROUTE_SPEC: ObjectSchema = object({
  parentRefs: PARENT_REFS,
  hostnames: HOSTNAMES,
  rules: list(GRPC_RULE, { maxItems: 16, listType: "atomic", rules: [MATCH_TOTAL] }),
});

export const ROUTE_STATUS: Schema = object(
  {
    parents: list(
      object(
        { parentRef: PARENT_REF, controllerName: CONTROLLER_NAME, conditions: conditions({ minItems: 1 }) },
        { required: ["conditions", "controllerName", "parentRef"] },
      ),
      { maxItems: 32, listType: "atomic" },
    ),
  },
  { required: ["parents"] },
);
