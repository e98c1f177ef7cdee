/** PEM (RFC 7468): strict base64 between matching lines; text around the blocks is ignored, as every reader does. */

import type { Decoded } from "./der-reader.ts";

/** A root bundle of a large company holds a few dozen certificates; this is far above and still cheap to read. */
const MAX_PEM_BYTES = 1024 * 1024;
const MAX_PEM_BLOCKS = 256;

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END ([A-Z0-9 ]{1,40})-----/g;

/** DER of every block with this label, in order. Blocks with other labels are passed over. */
export function readPem(
  text: string,
  label: string,
  maxBytes: number = MAX_PEM_BYTES,
): Decoded<readonly Uint8Array[]> {
  if (text.length > maxBytes)
    return { kind: "bad", why: `PEM of ${text.length} bytes, at most ${maxBytes} expected` };
  const found: Uint8Array[] = [];
  let blocks = 0;
  for (const [, begin, body = "", end] of text.matchAll(BLOCK)) {
    if (++blocks > MAX_PEM_BLOCKS) return { kind: "bad", why: `more than ${MAX_PEM_BLOCKS} PEM blocks` };
    if (begin !== end) return { kind: "bad", why: `PEM block begins as ${begin} and ends as ${end}` };
    if (begin !== label) continue;
    const base64 = body.replaceAll(/\s/g, "");
    const der = Buffer.from(base64, "base64");
    // Node decodes whatever it can; only what comes out as it went in was base64. A pattern would fail on megabytes.
    if (base64 === "" || der.toString("base64") !== base64)
      return { kind: "bad", why: `PEM block ${label}: not base64` };
    found.push(new Uint8Array(der));
  }
  return { kind: "ok", value: found };
}

/** Exactly one block with this label. */
export function readOnePem(text: string, label: string): Decoded<Uint8Array> {
  const blocks = readPem(text, label);
  if (blocks.kind === "bad") return blocks;
  const [first, ...rest] = blocks.value;
  if (first === undefined || rest.length > 0)
    return { kind: "bad", why: `${blocks.value.length} PEM blocks ${label}, exactly one expected` };
  return { kind: "ok", value: first };
}

/** One block, lines of 64 characters, newline at the end. */
export function writePem(der: Uint8Array, label: string): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
