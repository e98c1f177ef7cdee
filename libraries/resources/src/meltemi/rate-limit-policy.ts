/** RateLimitPolicy, meltemi.io/v1alpha1: how many requests a caller may make. Ours: Istio has no API for it. */

import { parseDurationMs } from "@meltemi/runtime";
import { isPortText } from "../istio/addresses.ts";
import { DURATION, NAME } from "../istio/routing-parts.ts";
import { readTarget, TARGET_PROPERTIES, type TargetRef } from "../istio/target.ts";
import type { Metadata } from "../metadata.ts";
import { fieldsAt, fieldsList, numberAt, parseObject, textAt, textList } from "../parse-object.ts";
import { type Parsed, type Problems, shown } from "../problem.ts";
import {
  type Fields,
  flag,
  has,
  integer,
  list,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  text,
} from "../schema/schema.ts";

export type LimitKey =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "claim"; readonly claim: string }
  | { readonly kind: "constant"; readonly key: string; readonly value: string }
  | { readonly kind: "path" | "method" | "sourcePrincipal" | "sourceIp" };

export interface LimitOperation {
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

export interface LimitSpec {
  /** Empty: every request. */
  readonly operations: readonly LimitOperation[];
  readonly keys: readonly LimitKey[];
  readonly limit: /** In each replica of the waypoint. */
    | { readonly kind: "local"; readonly requests: number; readonly perMs: number; readonly burst: number }
    /** Envoy's rate limit protocol. */
    | {
        readonly kind: "global";
        readonly domain: string;
        /** In the policy's namespace unless it has a dot. */
        readonly host: string;
        readonly port: number;
        readonly timeoutMs: number;
        readonly failOpen: boolean;
      };
}

export interface RateLimitPolicy {
  readonly metadata: Metadata;
  readonly targetRefs: readonly TargetRef[];
  readonly limits: readonly LimitSpec[];
}

function exactlyOne(...names: readonly string[]): Rule<Fields> {
  return {
    message: `exactly one of ${names.join(", ")} must be set`,
    cel: `[${names.map((name) => `has(self.${name})`).join(", ")}].filter(set, set).size() == 1`,
    holds: (value) => names.filter((name) => has(value, name)).length === 1,
  };
}

const VALUES = list(text({ minLength: 1, maxLength: 1024 }), { maxItems: 64 });

const OPERATION: ObjectSchema = object({ hosts: VALUES, ports: VALUES, methods: VALUES, paths: VALUES });

const KEY: ObjectSchema = object(
  {
    header: text({ minLength: 1, maxLength: 256, pattern: "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$" }),
    claim: text({ minLength: 1, maxLength: 256 }),
    constant: object(
      { key: text({ minLength: 1, maxLength: 256 }), value: text({ maxLength: 256 }) },
      {
        required: ["key", "value"],
      },
    ),
    attribute: oneOf("Path", "Method", "SourcePrincipal", "SourceIp"),
  },
  { rules: [exactlyOne("header", "claim", "constant", "attribute")] },
);

const COUNT = integer({ format: "int64", min: 1, max: 4_294_967_295 });

const LIMIT: ObjectSchema = object(
  {
    operations: list(OPERATION, { maxItems: 16 }),
    keys: list(KEY, { maxItems: 8 }),
    local: object({ requests: COUNT, per: DURATION, burst: COUNT }, { required: ["requests", "per"] }),
    global: object(
      {
        domain: text({ minLength: 1, maxLength: 256 }),
        service: object(
          { host: NAME, port: integer({ min: 1, max: 65_535 }) },
          { required: ["host", "port"] },
        ),
        timeout: DURATION,
        failOpen: flag(),
      },
      { required: ["domain", "service"] },
    ),
  },
  { rules: [exactlyOne("local", "global")] },
);

export const RATE_LIMIT_POLICY_SPEC: ObjectSchema = object(
  {
    targetRefs: { ...TARGET_PROPERTIES.targetRefs, minItems: 1 } as typeof TARGET_PROPERTIES.targetRefs,
    limits: list(LIMIT, { minItems: 1, maxItems: 16 }),
  },
  { required: ["targetRefs", "limits"] },
);

/** Longer, and a slow rate limit service is an outage. */
const DEFAULT_TIMEOUT_MS = 100;

export function parseRateLimitPolicy(value: unknown): Parsed<RateLimitPolicy> {
  return parseObject("RateLimitPolicy", RATE_LIMIT_POLICY_SPEC, value, (spec, metadata, problems) => {
    const target = readTarget(spec);
    return {
      metadata,
      targetRefs: target.kind === "references" ? target.references : [],
      limits: fieldsList(spec, "limits").map((limit, index) =>
        readLimit(limit, `spec.limits[${index}]`, problems),
      ),
    };
  });
}

function readLimit(limit: Fields, path: string, problems: Problems): LimitSpec {
  return {
    operations: fieldsList(limit, "operations").map((operation, index) =>
      readOperation(operation, `${path}.operations[${index}]`, problems),
    ),
    keys: fieldsList(limit, "keys").map(readKey),
    limit: readBucket(limit, path, problems),
  };
}

function readOperation(operation: Fields, path: string, problems: Problems): LimitOperation {
  const ports = textList(operation, "ports");
  for (const [index, port] of ports.entries())
    if (!isPortText(port)) problems.add(`${path}.ports[${index}]`, `expected a port, got ${shown(port)}`);
  return {
    hosts: textList(operation, "hosts"),
    ports: ports.map(Number),
    methods: textList(operation, "methods"),
    paths: textList(operation, "paths"),
  };
}

const ATTRIBUTES = {
  Path: "path",
  Method: "method",
  SourcePrincipal: "sourcePrincipal",
  SourceIp: "sourceIp",
} as const;

function readKey(key: Fields): LimitKey {
  const header = textAt(key, "header");
  if (header !== undefined) return { kind: "header", name: header.toLowerCase() };
  const claim = textAt(key, "claim");
  if (claim !== undefined) return { kind: "claim", claim };
  const constant = fieldsAt(key, "constant");
  if (constant !== undefined)
    return { kind: "constant", key: textAt(constant, "key") ?? "", value: textAt(constant, "value") ?? "" };
  return { kind: ATTRIBUTES[textAt(key, "attribute") as keyof typeof ATTRIBUTES] };
}

function readBucket(limit: Fields, path: string, problems: Problems): LimitSpec["limit"] {
  const local = fieldsAt(limit, "local");
  if (local !== undefined) {
    const requests = numberAt(local, "requests") ?? 1;
    const perMs = parseDurationMs(textAt(local, "per") ?? "") ?? 0;
    if (perMs < 1)
      problems.add(`${path}.local.per`, `expected a duration of at least 1ms, got ${shown(local["per"])}`);
    return { kind: "local", requests, perMs, burst: numberAt(local, "burst") ?? requests };
  }
  const global = fieldsAt(limit, "global") ?? {};
  const service = fieldsAt(global, "service") ?? {};
  return {
    kind: "global",
    domain: textAt(global, "domain") ?? "",
    host: textAt(service, "host") ?? "",
    port: numberAt(service, "port") ?? 0,
    timeoutMs: parseDurationMs(textAt(global, "timeout") ?? "") ?? DEFAULT_TIMEOUT_MS,
    failOpen: global["failOpen"] === true,
  };
}
