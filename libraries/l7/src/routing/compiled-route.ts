/** One route with all that it does made ready: what can be wrong in it was found when it was compiled. */

import type { DirectResponse, Fault, Forward, HttpRoute, WeightedTarget } from "@meltemi/model/l7";
import { unreachable } from "@meltemi/runtime";
import type { LocalReply } from "../request-context.ts";
import type { RegexCache } from "../text/regex.ts";
import { toWireText } from "../text/wire-text.ts";
import { isAuthorityText } from "./authority.ts";
import { type CompiledCors, compileCors } from "./cors.ts";
import { type CompiledHeaderEdit, compileHeaderEdit } from "./header-edit.ts";
import { type CompiledPathRewrite, compilePathRewrite } from "./path-rewrite.ts";
import { type CompiledRedirect, compileRedirect } from "./redirect.ts";

export interface CompiledTarget {
  readonly target: WeightedTarget["target"];
  readonly requestHeaders: CompiledHeaderEdit | undefined;
  readonly responseHeaders: CompiledHeaderEdit | undefined;
}

export interface CompiledForward {
  readonly kind: "forward";
  readonly forward: Forward;
  /** Those that take requests, and up to which share of `totalWeight` in order each. */
  readonly targets: readonly CompiledTarget[];
  readonly weightUpTo: readonly number[];
  readonly totalWeight: number;
  readonly path: CompiledPathRewrite | undefined;
  readonly authority: string | undefined;
}

export type CompiledAction =
  | CompiledForward
  | { readonly kind: "redirect"; readonly redirect: CompiledRedirect }
  | { readonly kind: "respond"; readonly reply: LocalReply };

export interface CompiledRoute {
  readonly route: HttpRoute;
  readonly action: CompiledAction;
  readonly requestHeaders: CompiledHeaderEdit | undefined;
  readonly responseHeaders: CompiledHeaderEdit | undefined;
  readonly cors: CompiledCors | undefined;
  readonly fault: Fault | undefined;
}

export function compileRoute(
  route: HttpRoute,
  regexes: RegexCache,
  problem: (what: string) => void,
): CompiledRoute {
  return {
    route,
    action: compileAction(route.action, regexes, problem),
    requestHeaders: compileHeaderEdit(route.requestHeaders, "request", problem),
    responseHeaders: compileHeaderEdit(route.responseHeaders, "response", problem),
    cors: route.cors === undefined ? undefined : compileCors(route.cors, regexes, problem),
    fault: route.fault,
  };
}

function compileAction(
  action: HttpRoute["action"],
  regexes: RegexCache,
  problem: (what: string) => void,
): CompiledAction {
  switch (action.kind) {
    case "forward":
      return compileForward(action, regexes, problem);
    case "redirect": {
      const path = action.path === undefined ? undefined : compilePathRewrite(action.path, regexes, problem);
      return { kind: "redirect", redirect: compileRedirect(action, path, problem) };
    }
    case "respond":
      return { kind: "respond", reply: directReply(action) };
    default:
      return unreachable(action);
  }
}

function compileForward(
  forward: Forward,
  regexes: RegexCache,
  problem: (what: string) => void,
): CompiledForward {
  const taking = forward.targets.filter(({ weight }) => weight > 0);
  let totalWeight = 0;
  const weightUpTo = taking.map(({ weight }) => {
    totalWeight += weight;
    return totalWeight;
  });
  const { rewrite } = forward;
  const authority = rewrite?.authority === undefined ? undefined : toWireText(rewrite.authority);
  const isHost = authority === undefined || isAuthorityText(authority);
  if (!isHost) problem(`rewrite authority to ${JSON.stringify(rewrite?.authority)}: not a host`);
  return {
    kind: "forward",
    forward,
    targets: taking.map((target) => ({
      target: target.target,
      requestHeaders: compileHeaderEdit(target.requestHeaders, "request", problem),
      responseHeaders: compileHeaderEdit(target.responseHeaders, "response", problem),
    })),
    weightUpTo,
    totalWeight,
    path: rewrite?.path === undefined ? undefined : compilePathRewrite(rewrite.path, regexes, problem),
    authority: isHost ? authority : undefined,
  };
}

function directReply({ status, body }: DirectResponse): LocalReply {
  const headers: LocalReply["headers"] = body === "" ? [] : [["content-type", "text/plain"]];
  return { status, body, headers, flag: "", details: "direct_response" };
}
