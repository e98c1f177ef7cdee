/** What a verified token says, as header fields for the service (reference: l7-and-cli §2.3, outputPayloadToHeader, outputClaimToHeaders). */

import type { HeaderFields } from "@meltemi/http";
import { toWireText } from "../text/wire-text.ts";
import type { Claims } from "./token-text.ts";

/** A claim by its name, or through objects by names with dots between them. */
function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Claims)[part];
  }
  return value;
}

/** A claim as one text; undefined for lists, objects, and what is not there. */
export function claimText(claims: Claims, name: string): string | undefined {
  const value = claimAt(claims, name);
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** A claim that could break the head, by a line break for one, is not copied: the issuer does not write our heads. */
export function setClaimHeader(headers: HeaderFields, header: string, text: string | undefined): void {
  if (text === undefined) return;
  const value = toWireText(text).trim();
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) headers.set(header, value);
}
