/** Counts what authorizers say, of requests and of connections. */

import type { ExternalAuthorizer } from "@meltemi/model/l7";
import type { AskedCounters, FilterMeter } from "../filters/filter-meter.ts";
import type { AuthorizerVerdict } from "./verdict.ts";

/** An error that lets pass is told, too. */
export function countVerdict(
  { name, failOpen }: ExternalAuthorizer,
  verdict: AuthorizerVerdict,
  counters: AskedCounters,
  meter: FilterMeter,
): void {
  switch (verdict.kind) {
    case "allow":
      counters.ok.inc();
      return;
    case "deny":
      counters.denied.inc();
      return;
    case "error":
      counters.error.inc();
      if (!failOpen) return;
      counters.failureModeAllowed.inc();
      meter.onUnjudgedPass({ filter: "ext_authz", name, why: verdict.why });
  }
}
