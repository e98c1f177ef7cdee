/** Which of several matches of Gateway API routes a request is held against first (HTTPRouteRule.matches). Pure. */

import type { RouteMatchSpec } from "@meltemi/resources";
import { byAge } from "./hosts.ts";

export interface RankedMatch {
  readonly createdMs: number;
  readonly namespace: string;
  readonly name: string;
  readonly match: RouteMatchSpec;
  readonly ruleIndex: number;
  readonly matchIndex: number;
}

/** Exact paths, then the longest prefixes; expressions last, as in Istio: the specification leaves their place open. */
const PATH_RANKS = { Exact: 0, PathPrefix: 1, RegularExpression: 2 } as const;

/** Negative when `a` comes first. */
export function compareMatches(a: RankedMatch, b: RankedMatch): number {
  return (
    comparePaths(a.match, b.match) ||
    flag(b.match.method) - flag(a.match.method) ||
    (b.match.headers?.length ?? 0) - (a.match.headers?.length ?? 0) ||
    (b.match.queryParams?.length ?? 0) - (a.match.queryParams?.length ?? 0) ||
    byAge(a, b) ||
    a.ruleIndex - b.ruleIndex ||
    a.matchIndex - b.matchIndex
  );
}

function comparePaths(a: RouteMatchSpec, b: RouteMatchSpec): number {
  const [one, other] = [a, b].map(({ path }) => ({
    rank: PATH_RANKS[path?.type ?? "PathPrefix"],
    length: (path?.value ?? "/").length,
  }));
  if (one === undefined || other === undefined) return 0;
  return one.rank - other.rank || other.length - one.length;
}

function flag(value: unknown): number {
  return value === undefined ? 0 : 1;
}
