/** All routes of a service's port, and which of them a request takes. Pure: tables never change, and chance is an argument. */

import type { HttpRoute } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";
import type { LocalReply, RequestContext } from "../request-context.ts";
import { RegexCache } from "../text/regex.ts";
import {
  type CompiledForward,
  type CompiledRoute,
  type CompiledTarget,
  compileRoute,
} from "./compiled-route.ts";
import type { MatchedPrefix } from "./path-rewrite.ts";
import { redirectReply } from "./redirect.ts";
import { compileRequestMatch, type RequestMatcher } from "./request-matcher.ts";
import type { RouteEntry } from "./route-entry.ts";
import { RouteIndex } from "./route-index.ts";
import { RoutedRequest } from "./routed-request.ts";

export interface RouteProblem {
  /** Name of the route, and the object that it came from, where known. */
  readonly route: string;
  readonly problem: string;
}

export interface RouteTable {
  readonly routes: readonly HttpRoute[];
  /** What of the configuration has no effect, and why; for status and log. */
  readonly problems: readonly RouteProblem[];
  /** The match of the lowest number that holds. */
  find(request: RoutedRequest): RouteCandidate | undefined;
}

/** A match with what follows from it. Decisions are made beforehand: a request allocates none. */
interface RouteCandidate extends RouteEntry {
  readonly compiled: CompiledRoute;
  /** By position of the target; only for routes that forward. */
  readonly forwards: readonly RouteDecision[];
  readonly prefix: MatchedPrefix | undefined;
}

export type RouteDecision =
  | {
      readonly kind: "forward";
      readonly route: CompiledRoute;
      readonly forward: CompiledForward;
      readonly target: CompiledTarget;
      readonly cluster: string;
      readonly prefix: MatchedPrefix | undefined;
    }
  /** Its share of requests has no backend, or the route asks for what cannot be done: 500. */
  | { readonly kind: "invalid"; readonly route: CompiledRoute; readonly detail: string }
  | { readonly kind: "redirect"; readonly route: CompiledRoute; readonly reply: LocalReply }
  | { readonly kind: "respond"; readonly route: CompiledRoute; readonly reply: LocalReply }
  /** 404. */
  | { readonly kind: "none" };

const NO_ROUTE: RouteDecision = { kind: "none" };

/**
 * `routes` in the order in which they are to be tried. A match with a broken pattern never holds, and is told among the problems.
 * `regexes` is kept from table to table, so that a change compiles only what is new.
 */
export function compileRoutes(
  routes: readonly HttpRoute[],
  regexes: RegexCache = new RegexCache(),
): RouteTable {
  const problems: RouteProblem[] = [];
  const candidates: RouteCandidate[] = [];
  for (const route of routes) {
    const problem = (what: string): void => void problems.push({ route: nameOf(route), problem: what });
    const compiled = compileRoute(route, regexes, problem);
    for (const matcher of matchersOf(route, regexes, problem))
      candidates.push(newCandidate(candidates.length, matcher, compiled));
  }
  const index = new RouteIndex(candidates);
  return { routes, problems, find: (request) => index.find(request) };
}

/** Which route the request takes and, where it splits, to which target. `random` gives numbers in [0, 1). */
export function decideRoute(table: RouteTable, context: RequestContext, random: () => number): RouteDecision {
  const candidate = table.find(new RoutedRequest(context));
  if (candidate === undefined) return NO_ROUTE;
  const { compiled, forwards } = candidate;
  const { action } = compiled;
  switch (action.kind) {
    case "forward":
      return forwards[chooseTarget(action, random)] ?? NO_ROUTE;
    case "respond":
      return { kind: "respond", route: compiled, reply: action.reply };
    case "redirect": {
      const reply = redirectReply(action.redirect, context, candidate.prefix);
      if (reply !== undefined) return { kind: "redirect", route: compiled, reply };
      return { kind: "invalid", route: compiled, detail: "redirect_without_location" };
    }
    default:
      return unreachable(action);
  }
}

function nameOf({ name, origin }: HttpRoute): string {
  return origin === undefined ? name : `${origin.kind} ${origin.namespace}/${origin.name} ${name}`.trimEnd();
}

/** One per match; a single undefined for a route that takes every request. */
function matchersOf(
  route: HttpRoute,
  regexes: RegexCache,
  problem: (what: string) => void,
): readonly (RequestMatcher | undefined)[] {
  if (route.matches.length === 0) return [undefined];
  return route.matches.flatMap((match) => {
    const matcher = compileRequestMatch(match, regexes, problem);
    return matcher === undefined ? [] : [matcher];
  });
}

function newCandidate(
  order: number,
  matcher: RequestMatcher | undefined,
  compiled: CompiledRoute,
): RouteCandidate {
  const length = matcher?.path?.prefixLength;
  const prefix = length === undefined ? undefined : { length, elements: matcher?.path?.isElements === true };
  const { action } = compiled;
  const forwards = action.kind === "forward" ? forwardDecisions(compiled, action, prefix) : [];
  return { order, matcher, compiled, forwards, prefix };
}

function forwardDecisions(
  route: CompiledRoute,
  forward: CompiledForward,
  prefix: MatchedPrefix | undefined,
): readonly RouteDecision[] {
  if (forward.path?.kind === "broken") return [{ kind: "invalid", route, detail: "broken_path_rewrite" }];
  if (forward.targets.length === 0) return [{ kind: "invalid", route, detail: "no_valid_weight" }];
  return forward.targets.map((target): RouteDecision => {
    const { target: to } = target;
    if (to.kind === "invalid") return { kind: "invalid", route, detail: to.detail };
    return { kind: "forward", route, forward, target, cluster: to.cluster, prefix };
  });
}

function chooseTarget(
  { targets, weightUpTo, totalWeight, path }: CompiledForward,
  random: () => number,
): number {
  if (targets.length <= 1 || path?.kind === "broken") return 0;
  const drawn = random() * totalWeight;
  let index = 0;
  while (index < targets.length - 1 && drawn >= (weightUpTo[index] ?? 0)) index++;
  return index;
}
