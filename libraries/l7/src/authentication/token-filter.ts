/** Verifies the tokens that requests carry. A request without one passes: whether it needs one is for policy (reference: l7-and-cli §2.3). */

import type { HeaderFields, RequestHead } from "@meltemi/http";
import type { JwtRule } from "@meltemi/model/l7";
import { CONTINUE, type FilterVerdict, type RequestContext, type RequestFilter } from "../request-context.ts";
import { claimText, setClaimHeader } from "./claim-headers.ts";
import { findTokens, locationsOf, removeTokens, type TokenLocations } from "./token-locations.ts";
import { type TokenVerifier, UNKNOWN_ISSUER, type Verification, WRONG_AUDIENCE } from "./token-verifier.ts";

export interface TokenFilterDeps {
  readonly nowMs: () => number;
  readonly verifierOf: (rule: JwtRule) => TokenVerifier;
}

interface CompiledRule {
  readonly rule: JwtRule;
  readonly locations: TokenLocations;
  readonly verifier: TokenVerifier;
}

/** Envoy cuts the realm there; the client knows what it asked for. */
const MAX_REALM_PATH = 256;

export class TokenFilter implements RequestFilter {
  readonly name = "jwt_authn";
  readonly #rules: readonly CompiledRule[];
  /** Fields that only this filter may write. */
  readonly #outputs: ReadonlySet<string>;
  readonly #nowMs: () => number;

  constructor(rules: readonly JwtRule[], deps: TokenFilterDeps) {
    this.#nowMs = deps.nowMs;
    this.#rules = rules.map((rule) => ({
      rule,
      locations: locationsOf(rule),
      verifier: deps.verifierOf(rule),
    }));
    this.#outputs = new Set(rules.flatMap(outputHeaders).map(spelling));
  }

  /** The first rule that a request's tokens are good for is enough; without one, any token that is there is one too many. */
  onRequest(context: RequestContext): FilterVerdict {
    const { request } = context;
    if (this.#outputs.size > 0) dropFields(request.headers, this.#outputs);
    if (isPreflight(request)) return CONTINUE;
    const nowMs = this.#nowMs();
    let refusal: string | undefined;
    for (const compiled of this.#rules) {
      const tokens = findTokens(request, compiled.locations);
      if (tokens.length === 0) continue;
      const verification = verifyAll(compiled.verifier, tokens, nowMs);
      if (verification.kind === "verified") {
        accept(context, compiled, verification);
        return CONTINUE;
      }
      // That another rule's issuer is none of this rule's says the least.
      if (refusal === undefined || refusal === UNKNOWN_ISSUER) refusal = verification.why;
    }
    return refusal === undefined ? CONTINUE : refuse(context, refusal);
  }
}

/** The first of them, if all are good. */
function verifyAll(verifier: TokenVerifier, tokens: readonly string[], nowMs: number): Verification {
  let first: Verification | undefined;
  for (const token of tokens) {
    const verification = verifier.verify(token, nowMs);
    if (verification.kind === "refused") return verification;
    first ??= verification;
  }
  return first ?? { kind: "refused", why: "Jwt is missing" };
}

function accept(
  context: RequestContext,
  { rule, locations }: CompiledRule,
  { token, payload }: Extract<Verification, { kind: "verified" }>,
): void {
  const { request } = context;
  context.token = token;
  if (!rule.forwardOriginalToken) removeTokens(request, locations);
  if (rule.outputPayloadToHeader !== undefined)
    request.headers.set(rule.outputPayloadToHeader.toLowerCase(), payload);
  for (const { header, claim } of rule.outputClaimToHeaders)
    setClaimHeader(request.headers, header.toLowerCase(), claimText(token.claims, claim));
}

function refuse({ request, path }: RequestContext, why: string): FilterVerdict {
  // Without the query: it may hold the token itself. A quote would end the text.
  const realm = `${request.scheme}://${request.authority}${path.slice(0, MAX_REALM_PATH)}`;
  const quoted = realm.replaceAll("\\", "%5C").replaceAll('"', "%22");
  return {
    kind: "reply",
    reply: {
      status: why === WRONG_AUDIENCE ? 403 : 401,
      body: why,
      headers: [["www-authenticate", `Bearer realm="${quoted}", error="invalid_token"`]],
      flag: "",
      details: `jwt_authn_access_denied{${why.replaceAll(" ", "_")}}`,
    },
  };
}

function outputHeaders({ outputPayloadToHeader, outputClaimToHeaders }: JwtRule): string[] {
  const headers = outputClaimToHeaders.map(({ header }) => header);
  if (outputPayloadToHeader !== undefined) headers.push(outputPayloadToHeader);
  return headers.map((header) => header.toLowerCase());
}

/** Frameworks that hand fields on as variables (CGI, WSGI) take `_` for `-`: every spelling goes. */
function dropFields({ flat }: HeaderFields, spellings: ReadonlySet<string>): void {
  for (let at = flat.length - 2; at >= 0; at -= 2)
    if (spellings.has(spelling(flat[at] ?? ""))) flat.splice(at, 2);
}

function spelling(name: string): string {
  return name.includes("_") ? name.replaceAll("_", "-") : name;
}

/** A browser asks before it sends a token (reference: l7-and-cli §2.3, CORS). */
function isPreflight({ method, headers }: RequestHead): boolean {
  return method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method");
}
