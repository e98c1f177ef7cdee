/** Path templates of policies: `{*}` is one path segment, `{**}` anything that is left (reference: l7-and-cli §2.1). No regular expression. */

import { wireText } from "./text-pattern.ts";

const ONE_SEGMENT = "{*}";
const REST = "{**}";

export function isPathTemplate(value: string): boolean {
  return value.includes(ONE_SEGMENT) || value.includes(REST);
}

/**
 * Matches in one pass over the path. Undefined for what is not a template: an operator that is not a whole segment, one after
 * `{**}`, any other brace or star, no slash in front.
 */
export function pathTemplate(value: string): ((path: string) => boolean) | undefined {
  if (!value.startsWith("/")) return undefined;
  const segments = value.slice(1).split("/").map(wireText);
  const restAt = segments.indexOf(REST);
  const head = restAt < 0 ? segments : segments.slice(0, restAt);
  const tail = restAt < 0 ? [] : segments.slice(restAt + 1);
  if (!head.every((segment) => segment === ONE_SEGMENT || isLiteral(segment)) || !tail.every(isLiteral))
    return undefined;
  if (restAt < 0) return (path) => matchSegments(head, path) === path.length;
  const suffix = tail.map((segment) => `/${segment}`).join("");
  return (path) => {
    const end = matchSegments(head, path);
    // The slash before `{**}`, then what it stands for, then the suffix: none of them overlap.
    return (
      end >= 0 &&
      path.charCodeAt(end) === 0x2f &&
      path.length - end - 1 >= suffix.length &&
      path.endsWith(suffix)
    );
  };
}

function isLiteral(segment: string): boolean {
  return !/[*{}]/.test(segment);
}

/** Where `segments`, each with a slash in front, end in `path`; -1 when it does not begin with them. */
function matchSegments(segments: readonly string[], path: string): number {
  let at = 0;
  for (const segment of segments) {
    if (path.charCodeAt(at) !== 0x2f) return -1;
    const slash = path.indexOf("/", at + 1);
    const end = slash < 0 ? path.length : slash;
    const isMatch =
      segment === ONE_SEGMENT
        ? end > at + 1
        : end - at - 1 === segment.length && path.startsWith(segment, at + 1);
    if (!isMatch) return -1;
    at = end;
  }
  return at;
}
