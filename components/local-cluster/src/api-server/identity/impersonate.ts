/** `kubectl --as`: acting as somebody else, for those who hold the verb `impersonate` on whom they name. */
import type { IncomingHttpHeaders } from "node:http";
import { Refusal } from "../refusal.ts";
import { type Authorize, type ResourceAttempt, refuseUnless } from "./attempt.ts";
import { ANONYMOUS_NAME, AUTHENTICATED, SERVICE_ACCOUNTS, UNAUTHENTICATED, type UserInfo } from "./user.ts";

const EXTRA = "impersonate-extra-";
const AUTHENTICATION = "authentication.k8s.io";

type Asked = Pick<UserInfo, "username" | "uid" | "groups" | "extra">;

/** Headers as Node keeps them apart (`headersDistinct`): a group is a header of its own. */
type DistinctHeaders = Readonly<Record<string, readonly string[] | undefined>> | IncomingHttpHeaders;

/**
 * The user that a request is to be judged as: whom the headers name, or the one who asks.
 * @throws Refusal 403 without the right to it, 500 for groups, uid or extras without a user (as Kubernetes answers)
 */
export function impersonated(user: UserInfo, headers: DistinctHeaders, authorize: Authorize): UserInfo {
  const asked = readHeaders(headers);
  if (asked === undefined) return user;
  for (const attempt of attemptsOf(user, asked)) refuseUnless(authorize, attempt);
  return { ...asked, groups: completedGroups(asked) };
}

function readHeaders(headers: DistinctHeaders): Asked | undefined {
  const all = (name: string): readonly string[] => {
    const value = headers[name];
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  const extra: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  for (const name of Object.keys(headers)) {
    if (name.startsWith(EXTRA)) extra[unescaped(name.slice(EXTRA.length))] = all(name);
  }
  const [username = ""] = all("impersonate-user");
  const [uid = ""] = all("impersonate-uid");
  const groups = all("impersonate-group");
  if (username !== "") return { username, uid, groups, extra };
  if (groups.length === 0 && uid === "" && Object.keys(extra).length === 0) return undefined;
  throw new Refusal(
    500,
    "InternalError",
    `Internal error occurred: requested groups ${JSON.stringify(groups)} without impersonating a user`,
  );
}

/** Keys are percent-encoded: a header's name may not hold a slash. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // A lone `%` stands for itself, as in Kubernetes.
    return key;
  }
}

function attemptsOf(user: UserInfo, asked: Asked): readonly ResourceAttempt[] {
  const base: ResourceAttempt = {
    kind: "resource",
    user,
    verb: "impersonate",
    group: "",
    resource: "users",
    subresource: "",
    namespace: "",
    name: asked.username,
  };
  const account = serviceAccountOf(asked.username);
  return [
    account === undefined ? base : { ...base, resource: "serviceaccounts", ...account },
    ...asked.groups.map((name) => ({ ...base, resource: "groups", name })),
    ...(asked.uid === "" ? [] : [{ ...base, group: AUTHENTICATION, resource: "uids", name: asked.uid }]),
    ...Object.entries(asked.extra).flatMap(([key, values]) =>
      values.map((name) => ({
        ...base,
        group: AUTHENTICATION,
        resource: "userextras",
        subresource: key,
        name,
      })),
    ),
  ];
}

function serviceAccountOf(username: string): { namespace: string; name: string } | undefined {
  const [system, kind, namespace = "", name = "", ...more] = username.split(":");
  const isAccount = system === "system" && kind === "serviceaccount" && more.length === 0;
  return isAccount && namespace !== "" && name !== "" ? { namespace, name } : undefined;
}

/** What authenticating would have added. */
function completedGroups(asked: Asked): readonly string[] {
  const account = serviceAccountOf(asked.username);
  const own =
    asked.groups.length === 0 && account !== undefined
      ? [SERVICE_ACCOUNTS, `${SERVICE_ACCOUNTS}:${account.namespace}`]
      : asked.groups;
  const everyones = asked.username === ANONYMOUS_NAME ? UNAUTHENTICATED : AUTHENTICATED;
  return own.includes(AUTHENTICATED) || own.includes(UNAUTHENTICATED) ? own : [...own, everyones];
}
