/** Where a redirect sends the client (reference: l7-and-cli §2.4 `redirect`, §2.6 "Redirect port rule", §8.4 cases). */

import type { Redirect } from "@meltemi/model/l7";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { toWireText } from "../text/wire-text.ts";
import { isAuthorityText } from "./authority.ts";
import { type CompiledPathRewrite, type MatchedPrefix, rewritePath } from "./path-rewrite.ts";

export interface CompiledRedirect {
  readonly status: Redirect["status"];
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  readonly port: Redirect["port"];
  readonly path: CompiledPathRewrite | undefined;
}

export function compileRedirect(
  redirect: Redirect,
  path: CompiledPathRewrite | undefined,
  problem: (what: string) => void,
): CompiledRedirect {
  const { status, port } = redirect;
  const scheme = redirect.scheme?.toLowerCase();
  const authority = redirect.authority === undefined ? undefined : toWireText(redirect.authority);
  const isSound =
    (scheme === undefined || /^[a-z][a-z0-9+.-]*$/.test(scheme)) &&
    (authority === undefined || isAuthorityText(authority));
  if (isSound) return { status, scheme, authority, port, path };
  problem(
    `redirect to ${JSON.stringify(redirect.scheme ?? "")}://${JSON.stringify(redirect.authority ?? "")}: not a scheme and host`,
  );
  return { status, scheme: undefined, authority: undefined, port, path: { kind: "broken" } };
}

/** The answer; undefined when the configuration or the request leave no place to send the client to. */
export function redirectReply(
  redirect: CompiledRedirect,
  context: RequestContext,
  prefix: MatchedPrefix | undefined,
): LocalReply | undefined {
  const location = redirectLocation(redirect, context, prefix);
  if (location === undefined) return undefined;
  return {
    status: redirect.status,
    body: "",
    headers: [["location", location]],
    flag: "",
    details: "direct_response",
  };
}

/** Absolute, with the query of the request unless the new path brings one. */
function redirectLocation(
  redirect: CompiledRedirect,
  context: RequestContext,
  prefix: MatchedPrefix | undefined,
): string | undefined {
  const { request } = context;
  const path = redirect.path === undefined ? request.path : rewritePath(redirect.path, request.path, prefix);
  // Without a host there is nothing to send the client to (HTTP/1.0), and `*` is no place.
  if (path === undefined || !path.startsWith("/")) return undefined;
  if (redirect.authority === undefined && request.authority === "") return undefined;
  const scheme = redirect.scheme ?? request.scheme;
  return `${scheme}://${redirectAuthority(redirect, context, scheme)}${path}`;
}

function redirectAuthority(redirect: CompiledRedirect, context: RequestContext, scheme: string): string {
  const { request, destination } = context;
  const isOwn = redirect.authority === undefined;
  const { host, port: written } = splitPort(redirect.authority ?? request.authority);
  const wanted = redirect.port === "fromRequest" ? destination.port : redirect.port;
  switch (wanted) {
    case undefined: {
      // The port that came with the host stays, but a default one does not follow into another scheme.
      const isStale = isOwn && scheme !== request.scheme && written === defaultPort(request.scheme);
      return written === undefined || isStale ? host : `${host}:${written}`;
    }
    case "fromScheme":
      return host;
    default: {
      // Who wrote the default port himself finds it again.
      const isWritten = isOwn && written === wanted && scheme === request.scheme;
      return wanted === defaultPort(scheme) && !isWritten ? host : `${host}:${wanted}`;
    }
  }
}

function defaultPort(scheme: string): number | undefined {
  if (scheme === "http") return 80;
  return scheme === "https" ? 443 : undefined;
}

function splitPort(authority: string): { readonly host: string; readonly port: number | undefined } {
  const parts = /^(.*):(\d{1,5})$/.exec(authority);
  // An IPv6 address without brackets is no host of a URL; its last group is no port.
  if (parts === null || (parts[1]?.includes(":") === true && !parts[1].endsWith("]")))
    return { host: authority, port: undefined };
  return { host: parts[1] ?? "", port: Number(parts[2]) };
}
