/** Who is asking: a bearer token (the administrator's, or a service account's) or a client certificate of the cluster's CA. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { unauthorized } from "../refusal.ts";
import type { Verdict } from "./service-accounts.ts";
import { ANONYMOUS, AUTHENTICATED, type UserInfo } from "./user.ts";

/** Whoever shows no credentials is `system:anonymous`. @throws Refusal 401 for credentials that do not hold */
export type Authenticator = (request: IncomingMessage) => UserInfo;

/** Somebody known by a bearer token alone. */
export interface StaticToken {
  readonly token: string;
  readonly username: string;
  readonly groups: readonly string[];
}

export interface AuthenticatorDeps {
  /** Judges a token for the API server's own audiences. */
  readonly reviewToken: (token: string) => Verdict;
}

const ADMIN: UserInfo = {
  username: "kubernetes-admin",
  uid: "",
  groups: ["system:masters", AUTHENTICATED],
  extra: {},
};

/** Finds who holds a token that is known as it is; undefined for any other. */
export type KnownTokens = (token: string) => UserInfo | undefined;

export function createKnownTokens(adminToken: string, components: readonly StaticToken[]): KnownTokens {
  // Hashes are looked up: how long that takes tells nothing of the token.
  const known = new Map<string, UserInfo>([[sha256(adminToken), ADMIN]]);
  for (const { token, username, groups } of components)
    known.set(sha256(token), { username, uid: "", groups: [...groups, AUTHENTICATED], extra: {} });
  return (token) => known.get(sha256(token));
}

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  return (request) => {
    const header = request.headers.authorization;
    if (header === undefined) return certificateUser(request) ?? ANONYMOUS;
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(header)?.[1];
    if (token === undefined) return refuse();
    const verdict = deps.reviewToken(token);
    return verdict.kind === "valid" ? verdict.user : refuse();
  };
}

function refuse(): never {
  throw unauthorized();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

/** CN is the user, every O a group. */
function certificateUser(request: IncomingMessage): UserInfo | undefined {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return undefined;
  // One that was signed by somebody else is no reason to take its bearer for nobody.
  if (!socket.authorized) return Object.keys(socket.getPeerCertificate()).length === 0 ? undefined : refuse();
  const subject = socket.getPeerCertificate().subject as
    | { CN?: string | string[]; O?: string | string[] }
    | undefined;
  const name = asList(subject?.CN)[0];
  if (name === undefined || name === "") return undefined;
  return { username: name, uid: "", groups: [...asList(subject?.O), AUTHENTICATED], extra: {} };
}

function asList(value: string | string[] | undefined): string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
