/** A rule, its keys, and requests with tokens. */

import type { JwtRule } from "@meltemi/model/l7";
import { FilterMemory } from "../filters/filter-memory.ts";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { type SampleRequest, sampleRequest } from "../routing/sample-request.ts";
import { keySet, newSigningKey, newToken, type SigningKey } from "../signatures/token.fixture.ts";
import { TokenFilter } from "./token-filter.ts";

export const NOW = 1_700_000_000;
export const KEY: SigningKey = newSigningKey("RS256");
export const OTHER: SigningKey = newSigningKey("ES256");

export function jwtRule(fields: Partial<JwtRule> = {}): JwtRule {
  return {
    issuer: "https://issuer",
    audiences: [],
    jwks: keySet(KEY),
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    spaceDelimitedClaims: [],
    ...fields,
  };
}

export class World {
  nowMs: number = NOW * 1000;
  readonly memory: FilterMemory = new FilterMemory({
    clock: {
      nowMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      after: () => ({ cancel: () => undefined }),
    },
  });

  filter(...rules: readonly JwtRule[]): TokenFilter {
    return new TokenFilter(rules, {
      nowMs: () => this.nowMs,
      verifierOf: (rule) => this.memory.verifierOf(rule),
    });
  }
}

export function ask(
  rules: readonly JwtRule[],
  request: SampleRequest,
  world: World = new World(),
): { readonly context: RequestContext; readonly reply: LocalReply | undefined } {
  const context = sampleRequest({ authority: "echo.example", ...request });
  const verdict = world.filter(...rules).onRequest(context);
  return { context, reply: verdict.kind === "reply" ? verdict.reply : undefined };
}

/** Of a token that is good for {@link jwtRule}. */
export const claims: Readonly<Record<"iss" | "sub" | "exp", unknown>> = {
  iss: "https://issuer",
  sub: "sub-1",
  exp: NOW + 3600,
};
export const good = (more: Readonly<Record<string, unknown>> = {}): string =>
  newToken(KEY, { ...claims, ...more });
export const bearer = (token: string): SampleRequest => ({ headers: { authorization: `Bearer ${token}` } });
