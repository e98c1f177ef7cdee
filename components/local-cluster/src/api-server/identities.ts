/** Who asks: tokens, certificates and impersonation, wired to the state of the cluster. */
import type { Clock } from "@meltemi/runtime";
import {
  type Authenticator,
  createAuthenticator,
  createKnownTokens,
  type StaticToken,
} from "./identity/authenticate.ts";
import { impersonated } from "./identity/impersonate.ts";
import { createTokenSigner } from "./identity/jwt.ts";
import { reviewToken, type Verdict } from "./identity/service-accounts.ts";
import type { OpenCluster } from "./open-cluster.ts";
import type { ReviewDeps } from "./reviews.ts";

export interface IdentityOptions {
  /** `iss` of service-account tokens, and their default audience. */
  readonly serviceAccountIssuer: string;
  /** PKCS#8 or SEC1 PEM of an RSA or P-256 key. */
  readonly serviceAccountKeyPem: string;
  /** Bearer token of the administrator. */
  readonly adminToken: string;
  /** Bearer tokens of the cluster's own components. */
  readonly componentTokens?: readonly StaticToken[];
}

export interface Identities {
  readonly reviews: ReviewDeps;
  /** Who asks, or whom they speak for. */
  readonly authenticate: Authenticator;
}

/** @throws MeshError when the key is unfit */
export function wireIdentities(
  options: IdentityOptions,
  { cluster, authorizer }: OpenCluster,
  { clock }: { readonly clock: Clock },
): Identities {
  const signer = createTokenSigner(options.serviceAccountKeyPem);
  const issuer = options.serviceAccountIssuer;
  const known = createKnownTokens(options.adminToken, options.componentTokens ?? []);
  const judgeToken = (token: string, audiences: readonly string[]): Verdict => {
    const user = known(token);
    // Such a token is for this server, and for no other audience.
    if (user !== undefined && audiences.includes(issuer)) return { kind: "valid", user, audiences: [issuer] };
    return reviewToken(token, {
      signer,
      issuer,
      audiences,
      nowMs: clock.nowMs(),
      lookup: (resource, namespace, name) => cluster.store.get(resource, namespace, name)?.object,
    });
  };
  const identify = createAuthenticator({
    reviewToken: (token) => judgeToken(token, [issuer]),
  });
  return {
    reviews: {
      store: cluster.store,
      signer,
      issuer,
      audiences: [issuer],
      newUid: cluster.newUid,
      authorizer,
      nowMs: () => clock.nowMs(),
      judgeToken,
    },
    authenticate: (request) => impersonated(identify(request), request.headersDistinct, authorizer.authorize),
  };
}
