/** Patterns out of CRDs: RE2 syntax in linear time, so that no pattern and no value can hold the server up. */
import { RE2JS } from "re2js";

/** Every schema in a cluster has a handful; the cache is emptied rather than left to grow. */
const MAX_CACHED = 2_048;
const cache = new Map<string, ((value: string) => boolean) | undefined>();

/** A test for the pattern anywhere in the value; undefined when it is no RE2 expression. */
export function safePattern(pattern: string): ((value: string) => boolean) | undefined {
  if (cache.has(pattern)) return cache.get(pattern);
  if (cache.size >= MAX_CACHED) cache.clear();
  const test = compile(pattern);
  cache.set(pattern, test);
  return test;
}

function compile(pattern: string): ((value: string) => boolean) | undefined {
  try {
    const expression = RE2JS.compile(pattern);
    return (value) => expression.matcher(value).find();
  } catch {
    // Not RE2 (lookahead, back-references): a definition with it is refused when it is stored.
    return undefined;
  }
}
