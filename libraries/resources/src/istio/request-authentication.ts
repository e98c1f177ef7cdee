/** RequestAuthentication, security.istio.io/v1 (reference: l7-and-cli §2.3): the schema; waypoints give it meaning. */

import { parseDurationMs } from "@meltemi/runtime";
import {
  flag,
  has,
  type ListSchema,
  list,
  type ObjectSchema,
  object,
  type TextSchema,
  text,
} from "../schema/schema.ts";
import { ONE_TARGET, TARGET_PROPERTIES } from "./target.ts";

const NAMES: ListSchema = list(text({ minLength: 1 }));

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
    fromHeaders: list(object({ name: text({ minLength: 1 }), prefix: text() }, { required: ["name"] })),
    fromParams: NAMES,
    fromCookies: NAMES,
    outputPayloadToHeader: text(),
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
