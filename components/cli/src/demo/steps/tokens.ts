/** Who may call what: by a token, by a header, and how often. */

import { createSign, generateKeyPairSync } from "node:crypto";
import { type Answer, type Ask, countBy, ReviewsCaller } from "../reviews-caller.ts";
import { STRANGER, type Stage } from "../stage.ts";

const DEADLINE_MS = 15_000;
const ISSUER = "https://issuer.example";
const HOUR_SECONDS = 3600;
const ADMIN = "/admin";
const ALLOWED_SEARCHES = 5;
const SEARCHES = 12;
const STRANGERS_SEARCHES = `for i in $(seq ${ALLOWED_SEARCHES + 1}); do curl -sS -o /dev/null -m 5 -w '%{http_code}\n' http://reviews/search; done`;

const describeAnswer = ({ status, body, version }: Answer): string =>
  version === "" ? `${status} "${body.slice(0, 60)}"` : `${status} from ${version}`;

/** The first answers of both; used to wait until a policy holds. */
async function first(caller: ReviewsCaller, ask: Ask): Promise<Answer> {
  const [answer] = await caller.ask(ask);
  return answer ?? { status: 0, version: "", passedWaypoint: false, body: "" };
}

export async function showToken(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A path that wants a JSON Web Token",
    "/admin is for bearers of a token of the issuer; every other path is as open as before.",
  );
  const issuer = createIssuer(stage.clock.nowMs());
  const input = issuer.policies.map((policy) => JSON.stringify(policy)).join("\n");
  using caller = new ReviewsCaller(stage);
  stage.narrator.command(
    "kubectl apply -f -   # RequestAuthentication with the issuer's key; AuthorizationPolicy on /admin*",
  );
  await stage.kubectl(["apply", "-f", "-"], { input });
  const bearer = (token: string): Ask => ({ path: ADMIN, headers: { Authorization: `Bearer ${token}` } });
  await stage.until("the policies", DEADLINE_MS, async () => {
    const none = await first(caller, { path: ADMIN });
    return none.status === 403 && (await first(caller, bearer(issuer.token))).status === 200;
  });
  const none = await first(caller, { path: ADMIN });
  const expired = await first(caller, bearer(issuer.expired));
  const forged = await first(caller, bearer(`${issuer.token.slice(0, -8)}AAAAAAAA`));
  const valid = await first(caller, bearer(issuer.token));
  const open = await first(caller, {});
  stage.claim({
    claim: "a path is for bearers of a valid token: 403 without one, 401 with a bad one, 200 with a good one",
    ok: [none, expired, forged, valid, open].map(({ status }) => status).join() === "403,401,401,200,200",
    seen: `no token: ${describeAnswer(none)}; expired: ${describeAnswer(expired)}; forged: ${describeAnswer(forged)}; valid: ${describeAnswer(valid)}; another path without: ${describeAnswer(open)}`,
    fields: {
      "no token": describeAnswer(none),
      expired: describeAnswer(expired),
      forged: describeAnswer(forged),
      valid: describeAnswer(valid),
      "another path": describeAnswer(open),
    },
  });
  await stage.kubectl(["delete", "-f", "-"], { input });
}

/** Keys of this demo alone, made now and kept nowhere. */
function createIssuer(nowMs: number): {
  readonly policies: readonly object[];
  readonly token: string;
  readonly expired: string;
} {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const sign = (secondsFromNow: number): string => {
    const exp = Math.floor(nowMs / 1000) + secondsFromNow;
    const text = `${part({ alg: "RS256", kid: "demo" })}.${part({ iss: ISSUER, sub: "ada", exp })}`;
    return `${text}.${createSign("RSA-SHA256").update(text).sign(privateKey, "base64url")}`;
  };
  const jwks = JSON.stringify({
    keys: [{ ...publicKey.export({ format: "jwk" }), kid: "demo", alg: "RS256" }],
  });
  const policy = (kind: string, spec: object): object => ({
    apiVersion: "security.istio.io/v1",
    kind,
    metadata: { name: "reviews-admin", namespace: "default" },
    spec: { targetRefs: [{ group: "", kind: "Service", name: "reviews" }], ...spec },
  });
  const rule = {
    from: [{ source: { notRequestPrincipals: [`${ISSUER}/*`] } }],
    to: [{ operation: { paths: [`${ADMIN}*`] } }],
  };
  return {
    policies: [
      policy("RequestAuthentication", { jwtRules: [{ issuer: ISSUER, jwks }] }),
      policy("AuthorizationPolicy", { action: "DENY", rules: [rule] }),
    ],
    token: sign(HOUR_SECONDS),
    expired: sign(-HOUR_SECONDS),
  };
}

export async function showHeaderPolicy(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A policy by method, header and identity",
    "What only an L7 proxy can read decides, together with the proven identity of the caller.",
  );
  const manifest = ["-f", stage.example("header-policy.yaml")];
  using caller = new ReviewsCaller(stage);
  await stage.typed(`kubectl apply ${manifest.join(" ")}`);
  const sales: Ask = { method: "DELETE", headers: { "x-team": "sales" } };
  await stage.until(
    "the policy",
    DEADLINE_MS,
    async () => (await first(caller, { method: "DELETE" })).status === 403,
  );
  const read = await first(caller, {});
  const nobody = await first(caller, { method: "DELETE" });
  const other = await first(caller, { method: "DELETE", headers: { "x-team": "buying" } });
  const allowed = await first(caller, sales);
  stage.claim({
    claim: "an AuthorizationPolicy decides by method, header and identity",
    ok: [read, nobody, other, allowed].map(({ status }) => status).join() === "200,403,403,200",
    seen: `GET: ${describeAnswer(read)}; DELETE: ${describeAnswer(nobody)}; DELETE of team buying: ${describeAnswer(other)}; DELETE of team sales: ${describeAnswer(allowed)}`,
  });
  await stage.kubectl(["delete", ...manifest]);
}

export async function showRateLimit(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A rate limit, per identity",
    `A RateLimitPolicy lets each caller search ${ALLOWED_SEARCHES} times an hour, by its proven identity.`,
  );
  const manifest = ["-f", stage.example("rate-limit.yaml")];
  using caller = new ReviewsCaller(stage);
  await stage.typed(`kubectl apply ${manifest.join(" ")}`);
  // Once the stranger is limited the policy is in force, and the client has not used any of its own searches.
  await stage.until("the policy", DEADLINE_MS, async () => {
    const { stdout } = await stage.inPod(STRANGER, ["sh", "-c", STRANGERS_SEARCHES]);
    return stdout.includes("429");
  });
  const searches = await caller.ask({ path: "/search?q=sails", times: SEARCHES });
  const other = await first(caller, {});
  const counts = countBy(searches, (answer) => answer.status);
  stage.claim({
    claim: "each identity has a rate of its own: beyond it 429, and nothing else is limited",
    ok: counts === `200: ${ALLOWED_SEARCHES}, 429: ${SEARCHES - ALLOWED_SEARCHES}` && other.status === 200,
    seen: `the service account stranger is limited already; ${SEARCHES} searches of client by status: ${counts}; another path: ${describeAnswer(other)}`,
  });
  await stage.kubectl(["delete", ...manifest]);
}
