/** RequestAuthentication, security.istio.io/v1 (reference: l7-and-cli §2.3). */

import { parseDurationMs } from "@meltemi/runtime";
import type { Metadata } from "../metadata.ts";
import { fieldsList, parseObject, textAt, textList } from "../parse-object.ts";
import type { Parsed } from "../problem.ts";
import {
  type Fields,
  flag,
  has,
  type ListSchema,
  list,
  type ObjectSchema,
  object,
  type TextSchema,
  text,
} from "../schema/schema.ts";
import { ONE_TARGET, type PolicyTarget, readTarget, TARGET_PROPERTIES } from "./target.ts";

/** Where the keys come from. */
export type KeySource =
  | { readonly kind: "inline"; readonly jwks: string }
  | { readonly kind: "uri"; readonly uri: string }
  /** `<issuer>/.well-known/openid-configuration` names the URI. */
  | { readonly kind: "discovery"; readonly issuer: string };

export interface TokenRule {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: KeySource;
  /** Of fetching keys. */
  readonly timeoutMs: number;
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  readonly outputPayloadToHeader?: string;
  readonly forwardOriginalToken: boolean;
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[];
  readonly spaceDelimitedClaims: readonly string[];
}

export interface RequestAuthentication {
  readonly metadata: Metadata;
  readonly target: PolicyTarget;
  readonly rules: readonly TokenRule[];
}

const NAMES: ListSchema = list(text({ minLength: 1 }));

/** A field name of HTTP (RFC 9110 §5.1). */
const HEADER: TextSchema = text({ minLength: 1, maxLength: 1024, pattern: "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$" });

const JWKS_URI: TextSchema = text({
  minLength: 1,
  maxLength: 2048,
  rules: [
    {
      message: "url must have scheme http:// or https://",
      cel: 'self.startsWith("http://") || self.startsWith("https://")',
      holds: (uri) => /^https?:\/\//.test(uri),
    },
  ],
});

const JWT_RULE: ObjectSchema = object(
  {
    issuer: text({ minLength: 1 }),
    audiences: NAMES,
    jwksUri: JWKS_URI,
    jwks_uri: JWKS_URI,
    jwks: text(),
    fromHeaders: list(object({ name: HEADER, prefix: text({ maxLength: 1024 }) }, { required: ["name"] })),
    fromParams: NAMES,
    fromCookies: NAMES,
    outputPayloadToHeader: text({ maxLength: 1024, pattern: "^$|^[-!#$%&'*+.^_`|~0-9A-Za-z]+$" }),
    forwardOriginalToken: flag(),
    outputClaimToHeaders: list(
      object(
        { header: text({ minLength: 1, pattern: "^[-_A-Za-z0-9]+$" }), claim: text({ minLength: 1 }) },
        { required: ["header", "claim"] },
      ),
    ),
    spaceDelimitedClaims: list(text({ minLength: 1 }), { maxItems: 64 }),
    timeout: text({
      rules: [
        {
          message: "must be a valid duration greater than 1ms",
          cel: "duration(self) >= duration('1ms')",
          holds: (value) => (parseDurationMs(value) ?? 0) >= 1,
        },
      ],
    }),
  },
  {
    rules: [
      {
        message: "only one of jwks or jwksUri can be set",
        cel: "[has(self.jwksUri), has(self.jwks_uri), has(self.jwks)].filter(set, set).size() <= 1",
        holds: (rule) => ["jwksUri", "jwks_uri", "jwks"].filter((name) => has(rule, name)).length <= 1,
      },
    ],
  },
);

export const REQUEST_AUTHENTICATION_SPEC: ObjectSchema = object(
  { ...TARGET_PROPERTIES, jwtRules: list(JWT_RULE, { maxItems: 4096 }) },
  { rules: [ONE_TARGET] },
);

const DEFAULT_TIMEOUT_MS = 5_000;

export function parseRequestAuthentication(value: unknown): Parsed<RequestAuthentication> {
  return parseObject(
    "RequestAuthentication",
    REQUEST_AUTHENTICATION_SPEC,
    value,
    (spec, metadata, problems) => ({
      metadata,
      target: readTarget(spec),
      rules: fieldsList(spec, "jwtRules").map((rule, index) => {
        // A rule for tokens of nobody would be a rule for all.
        if (textAt(rule, "issuer") === undefined)
          problems.add(`spec.jwtRules[${index}].issuer`, "expected a value, got nothing");
        return readRule(rule);
      }),
    }),
  );
}

function readRule(rule: Fields): TokenRule {
  const issuer = textAt(rule, "issuer") ?? "";
  const payloadHeader = textAt(rule, "outputPayloadToHeader");
  return {
    issuer,
    audiences: textList(rule, "audiences"),
    keys: readKeySource(rule, issuer),
    timeoutMs: parseDurationMs(textAt(rule, "timeout") ?? "") ?? DEFAULT_TIMEOUT_MS,
    fromHeaders: fieldsList(rule, "fromHeaders").map((header) => ({
      name: textAt(header, "name") ?? "",
      prefix: textAt(header, "prefix") ?? "",
    })),
    fromParams: textList(rule, "fromParams"),
    fromCookies: textList(rule, "fromCookies"),
    ...(payloadHeader ? { outputPayloadToHeader: payloadHeader } : {}),
    forwardOriginalToken: rule["forwardOriginalToken"] === true,
    outputClaimToHeaders: fieldsList(rule, "outputClaimToHeaders").map((output) => ({
      header: textAt(output, "header") ?? "",
      claim: textAt(output, "claim") ?? "",
    })),
    spaceDelimitedClaims: textList(rule, "spaceDelimitedClaims"),
  };
}

function readKeySource(rule: Fields, issuer: string): KeySource {
  const jwks = textAt(rule, "jwks");
  if (jwks !== undefined && jwks !== "") return { kind: "inline", jwks };
  const uri = textAt(rule, "jwksUri") ?? textAt(rule, "jwks_uri");
  return uri === undefined ? { kind: "discovery", issuer } : { kind: "uri", uri };
}
