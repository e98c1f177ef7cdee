/** How to reach an API server and as whom. */

import type { Clock } from "@meltemi/runtime";

/** Gives the bearer token of the moment. `refused` says that the server did not take the last one. */
export interface TokenSource {
  token(): Promise<string>;
  refused(): void;
}

export interface ClusterAccess {
  /** `https://…`; plain `http://` only to a loopback address (`kubectl proxy`). */
  readonly server: URL;
  /** PEM bundle. Without one the machine's own roots are trusted. */
  readonly certificateAuthority?: string;
  /** PEM. */
  readonly clientCertificate?: { readonly certificate: string; readonly key: string };
  readonly token?: TokenSource;
  /** Name to verify in the server's certificate instead of the URL's host. */
  readonly serverName?: string;
  /** True only when the kubeconfig says so. */
  readonly insecureSkipTlsVerify?: boolean;
  /** Act as somebody else; the server asks whether the user may. */
  readonly impersonate?: Impersonation;
  /** Of a call that names no time of its own; without it 30 s. */
  readonly requestTimeoutMs?: number;
  /** Namespace to use when none is named. */
  readonly defaultNamespace: string;
}

export interface Impersonation {
  readonly user: string;
  readonly groups: readonly string[];
  /** Empty: none. */
  readonly uid: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
export function impersonationHeaders({
  impersonate,
}: Pick<ClusterAccess, "impersonate">): Record<string, string | string[]> {
  if (impersonate === undefined) return {};
  const { user, groups, uid, extra = {} } = impersonate;
  return {
    "impersonate-user": user,
    ...(groups.length > 0 && { "impersonate-group": [...groups] }),
    ...(uid !== "" && { "impersonate-uid": uid }),
    ...Object.fromEntries(
      Object.entries(extra).map(([key, values]) => [`impersonate-extra-${headerKey(key)}`, [...values]]),
    ),
  };
}

/** A token that never changes. */
export function staticToken(token: string): TokenSource {
  return { token: () => Promise.resolve(token), refused: () => {} };
}

/** The kubelet rotates a projected token at 80 % of its life, an hour at the least: a minute of staleness is safe. */
const TOKEN_FILE_REREAD_MS = 60_000;

/** A token in a file that is replaced from time to time (projected service account token): read again every minute, and after a refusal. */
export function fileToken(
  path: string,
  deps: { readonly clock: Clock; readonly readFile: (path: string) => Promise<string> },
): TokenSource {
  let cached: { readonly token: string; readonly readAtMs: number } | undefined;
  return {
    async token() {
      const nowMs = deps.clock.monotonicMs();
      if (cached === undefined || nowMs - cached.readAtMs >= TOKEN_FILE_REREAD_MS)
        cached = { token: (await deps.readFile(path)).trim(), readAtMs: nowMs };
      return cached.token;
    },
    refused() {
      cached = undefined;
    },
  };
}

/** What may not stand in the name of a header, a slash before all, is percent-encoded. */
function headerKey(key: string): string {
  return encodeURIComponent(key).replace(/[()]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
}
