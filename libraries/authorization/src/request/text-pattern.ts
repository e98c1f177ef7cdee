/** How a policy's text is compared (reference: l7-and-cli §2.1, string match). */

/** In this order: `*` is anything but nothing, `*abc` ends so, `abc*` begins so, `abc` is it. A star in the middle is a star. */
export function textPattern(value: string): (text: string) => boolean {
  if (value === "*") return (text) => text !== "";
  if (value.startsWith("*")) {
    const suffix = value.slice(1);
    return (text) => text.endsWith(suffix);
  }
  if (value.endsWith("*")) {
    const prefix = value.slice(0, -1);
    return (text) => text.startsWith(prefix);
  }
  return (text) => text === value;
}

const encoder = new TextEncoder();

/** What a user wrote, as a head holds it: the bytes of its UTF-8, one character each. */
export function wireText(value: string): string {
  const bytes = encoder.encode(value);
  return bytes.length === value.length
    ? value
    : Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
