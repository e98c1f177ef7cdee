/** Who a request is from. */
export interface UserInfo {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export const AUTHENTICATED = "system:authenticated";
export const UNAUTHENTICATED = "system:unauthenticated";
/** The group of kubelets. */
export const NODES = "system:nodes";
export const SERVICE_ACCOUNTS = "system:serviceaccounts";
export const ANONYMOUS_NAME = "system:anonymous";

/** Whoever shows no credentials at all. */
export const ANONYMOUS: UserInfo = {
  username: ANONYMOUS_NAME,
  uid: "",
  groups: [UNAUTHENTICATED],
  extra: {},
};

/** The API server's own writes. */
export const API_SERVER: UserInfo = {
  username: "system:apiserver",
  uid: "",
  groups: ["system:masters", AUTHENTICATED],
  extra: {},
};

/** As Kubernetes writes it into review objects. */
export function userInfoJson(user: UserInfo): {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
} {
  const extra = Object.entries(user.extra).map(([key, values]): [string, string[]] => [key, [...values]]);
  return {
    username: user.username,
    ...(user.uid === "" ? {} : { uid: user.uid }),
    groups: [...user.groups],
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}
