/** What the index of routes holds and what a search through it carries. */

import type { RequestMatcher } from "./request-matcher.ts";

/** One match of one route. */
export interface RouteEntry {
  /** Place among all matches of all routes; the lowest wins. */
  readonly order: number;
  /** Undefined: every request. */
  readonly matcher: RequestMatcher | undefined;
}

/** The lowest entry found so far. One object per request: passing it down costs less than returning pairs. */
export class RouteSearch<Entry extends RouteEntry = RouteEntry> {
  best: Entry | undefined;
  bestOrder: number = Number.POSITIVE_INFINITY;
}
