/** Shapes of policies on requests. */

import type {
  ExternalAuthorizer,
  JwtRule,
  PolicyCondition,
  PolicyOperation,
  PolicyRule,
  PolicySource,
  RateLimit,
  RateLimitKey,
  RequestPolicy,
} from "@meltemi/model/l7";
import { HEADER_NAME, HEADER_VALUE, LABEL_TEXT, MILLISECONDS, NAME, STATUS, VALUE } from "./common-shape.ts";
import {
  either,
  flag,
  integer,
  list,
  maybe,
  object,
  oneOf,
  pair,
  type Shape,
  text,
  textLike,
  union,
} from "./shape.ts";

const VALUES: Shape<readonly string[]> = list(VALUE);
const NAMES: Shape<readonly string[]> = list(NAME);
const PORTS: Shape<readonly number[]> = list(integer(0, 65_535));

const SOURCE: Shape<PolicySource> = object<PolicySource>({
  principals: VALUES,
  notPrincipals: VALUES,
  requestPrincipals: VALUES,
  notRequestPrincipals: VALUES,
  namespaces: VALUES,
  notNamespaces: VALUES,
  serviceAccounts: VALUES,
  notServiceAccounts: VALUES,
  ipBlocks: VALUES,
  notIpBlocks: VALUES,
  remoteIpBlocks: VALUES,
  notRemoteIpBlocks: VALUES,
  trustDomains: VALUES,
  notTrustDomains: VALUES,
});

const OPERATIONS: Shape<readonly PolicyOperation[]> = list(
  object<PolicyOperation>({
    hosts: VALUES,
    notHosts: VALUES,
    ports: PORTS,
    notPorts: PORTS,
    methods: VALUES,
    notMethods: VALUES,
    paths: VALUES,
    notPaths: VALUES,
  }),
);

const RULE: Shape<PolicyRule> = object<PolicyRule>({
  from: list(SOURCE),
  to: OPERATIONS,
  when: list(object<PolicyCondition>({ key: NAME, values: VALUES, notValues: VALUES })),
});

export const REQUEST_POLICY: Shape<RequestPolicy> = object<RequestPolicy>({
  namespace: NAME,
  name: NAME,
  action: either(object({ provider: NAME }), oneOf("allow", "deny", "audit")),
  dryRun: flag,
  rules: list(RULE),
});

export const JWT_RULE: Shape<JwtRule> = object<JwtRule>({
  issuer: text(1, 4096),
  audiences: VALUES,
  jwks: text(1),
  fromHeaders: list(object({ name: HEADER_NAME, prefix: LABEL_TEXT })),
  fromParams: NAMES,
  fromCookies: NAMES,
  outputPayloadToHeader: maybe(HEADER_NAME),
  forwardOriginalToken: flag,
  outputClaimToHeaders: list(object({ header: HEADER_NAME, claim: NAME })),
  spaceDelimitedClaims: NAMES,
});

/** `name`, `prefix*` or `*suffix`. */
const HEADER_PATTERNS: Shape<readonly string[]> = list(
  textLike("a header name with at most one * at an end", /^\*?[-!#$%&'+.^_`|~0-9a-z]+\*?$/, 1024),
);

export const EXTERNAL_AUTHORIZER: Shape<ExternalAuthorizer> = object<ExternalAuthorizer>({
  name: NAME,
  protocol: oneOf("http", "grpc"),
  cluster: NAME,
  timeoutMs: MILLISECONDS,
  pathPrefix: HEADER_VALUE,
  failOpen: flag,
  statusOnError: STATUS,
  clearRouteCache: flag,
  includeRequestHeaders: HEADER_PATTERNS,
  includeAdditionalHeaders: list(pair(HEADER_NAME, HEADER_VALUE)),
  includeBody: maybe(object({ maxBytes: integer(0, 64 * 1024 * 1024), allowPartial: flag, asBytes: flag })),
  headersToUpstreamOnAllow: HEADER_PATTERNS,
  headersToDownstreamOnDeny: HEADER_PATTERNS,
  headersToDownstreamOnAllow: HEADER_PATTERNS,
});

const RATE_LIMIT_KEY: Shape<RateLimitKey> = union<RateLimitKey>({
  header: { name: HEADER_NAME },
  path: {},
  method: {},
  claim: { claim: NAME },
  sourcePrincipal: {},
  sourceIp: {},
  constant: { key: NAME, value: LABEL_TEXT },
});

export const RATE_LIMIT: Shape<RateLimit> = object<RateLimit>({
  namespace: NAME,
  name: NAME,
  operations: OPERATIONS,
  keys: list(RATE_LIMIT_KEY, 64),
  limit: union<RateLimit["limit"]>({
    local: {
      requests: integer(1, 0xffff_ffff),
      perMs: integer(1, Number.MAX_SAFE_INTEGER),
      burst: integer(1, 0xffff_ffff),
    },
    global: { domain: NAME, cluster: NAME, timeoutMs: MILLISECONDS, failOpen: flag },
  }),
});
