/** Names and values of a stream's headers (SPDY/3 draft, section 2.6.10), decompressed. */

export type ParsedHeaders =
  | { readonly kind: "ok"; readonly headers: ReadonlyMap<string, string> }
  | { readonly kind: "bad"; readonly why: string };

/** A stream of Kubernetes has three. */
const MAX_HEADERS = 64;

export function parseHeaderBlock(block: Buffer): ParsedHeaders {
  if (block.length < 4) return { kind: "bad", why: "expected the number of headers, got too few bytes" };
  const count = block.readUInt32BE(0);
  if (count > MAX_HEADERS)
    return { kind: "bad", why: `expected at most ${MAX_HEADERS} headers, got ${count}` };
  const headers = new Map<string, string>();
  let at = 4;
  for (let index = 0; index < count; index++) {
    const name = takeText(block, at);
    const value = name === undefined ? undefined : takeText(block, name.end);
    if (name === undefined || value === undefined)
      return { kind: "bad", why: `expected ${count} headers, got bytes for ${index}` };
    headers.set(name.text.toLowerCase(), value.text);
    at = value.end;
  }
  if (at !== block.length)
    return { kind: "bad", why: `expected ${at} bytes of headers, got ${block.length}` };
  return { kind: "ok", headers };
}

function takeText(block: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  if (at + 4 > block.length) return undefined;
  const end = at + 4 + block.readUInt32BE(at);
  return end > block.length ? undefined : { text: block.toString("utf8", at + 4, end), end };
}

/** An answer without headers: nobody reads any. */
export const EMPTY_HEADER_BLOCK: Buffer = Buffer.alloc(4);
