/** What policies of a waypoint are compiled with. */

import type { PolicyOptions } from "@meltemi/authorization";
import type { FilterDeps, FilterInput } from "./build-filters.ts";

/** Istio's default: only the last entry of `x-forwarded-for`, written by whoever connected, is believed. */
const TRUSTED_PROXIES = 0;

export function policyOptions(
  layer: PolicyOptions["layer"],
  { settings }: Pick<FilterInput, "settings">,
  { onProblem }: Pick<FilterDeps, "onProblem">,
): PolicyOptions {
  const trustDomains = [...new Set([settings.trustDomain, ...settings.trustDomainAliases])];
  return { trustDomains, trustedProxies: TRUSTED_PROXIES, layer, onProblem };
}
