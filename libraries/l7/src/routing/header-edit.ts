/** Changes of header fields that routes ask for. Values are taken literally: Envoy's `%REQ(…)%` means nothing here. */

import type { HeaderFields } from "@meltemi/http";
import type { HeaderEdit } from "@meltemi/model/l7";
import { toWireText } from "../text/wire-text.ts";
import { isAuthorityText } from "./authority.ts";

/** They say how a message is framed or carried, which is the business of each connection (RFC 9110 §7.6.1). */
const CONNECTION_LEVEL: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A {@link HeaderEdit} whose names and values were found fit for the wire. */
export interface CompiledHeaderEdit {
  /** `host` or `:authority` of a request that was set or added: the request has one host, not a field. */
  readonly authority: string | undefined;
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** What may not be changed, or cannot be sent, is left out and told to `problem`. Undefined: nothing to do. */
export function compileHeaderEdit(
  edit: HeaderEdit | undefined,
  side: "request" | "response",
  problem: (what: string) => void,
): CompiledHeaderEdit | undefined {
  if (edit === undefined) return undefined;
  const named = (name: string): boolean => {
    const why = refusal(name);
    if (why !== undefined) problem(`change header ${JSON.stringify(name.slice(0, 100))}: ${why}`);
    return why === undefined;
  };
  let authority: string | undefined;
  const fields = (pairs: HeaderEdit["set"]): readonly (readonly [string, string])[] =>
    pairs.flatMap(([given, text]) => {
      const name = given.toLowerCase();
      const value = toWireText(text);
      if (!isFieldValue(value)) {
        problem(`set header ${JSON.stringify(name.slice(0, 100))}: its value has control characters`);
        return [];
      }
      if (side === "request" && isAuthority(name)) {
        if (isAuthorityText(value)) authority ??= value;
        else problem(`set host to ${JSON.stringify(text.slice(0, 100))}: not a host`);
        return [];
      }
      return named(name) ? [[name, value] as const] : [];
    });
  const set = fields(edit.set);
  const add = fields(edit.add);
  const remove = edit.remove.map((name) => name.toLowerCase()).filter(named);
  if (authority === undefined && set.length + add.length + remove.length === 0) return undefined;
  return { authority, set, add, remove };
}

/** Removals, then replacements, then additions. The host is not among them: see `rewriteRequest`. */
export function applyHeaderEdit(edit: CompiledHeaderEdit | undefined, headers: HeaderFields): void {
  if (edit === undefined) return;
  for (const name of edit.remove) headers.delete(name);
  for (const [name, value] of edit.set) headers.set(name, value);
  for (const [name, value] of edit.add) headers.append(name, value);
}

/** Undefined: it may be changed. */
function refusal(name: string): string | undefined {
  if (name.startsWith(":")) return "pseudo headers are not fields";
  if (name === "host") return "a request has a host, and a response has none";
  if (CONNECTION_LEVEL.has(name)) return "it belongs to the connection";
  return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) ? undefined : "not a name of a field";
}

function isAuthority(name: string): boolean {
  return name === ":authority" || name === "host";
}

/** RFC 9110 §5.5, without control characters, and without white space at its ends. */
export function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return false;
  }
  return value === value.trim();
}
