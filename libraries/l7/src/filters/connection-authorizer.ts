/** Policy on connections whose bytes are not read as HTTP (reference: l7-and-cli §2.1). */

import { RequestPolicies } from "@meltemi/authorization";
import type { RequestPolicy } from "@meltemi/model/l7";
import type { TcpSite } from "../tcp/tcp-site.ts";
import type { FilterInput } from "./build-filters.ts";
import { connectionFacts } from "./policy-facts.ts";
import { denialDetails } from "./policy-filter.ts";
import { policyOptions } from "./policy-options.ts";

/** That a policy on requests says little of connections is no problem of its author. */
const SILENT = { onProblem: (): void => undefined };

/**
 * A {@link TcpSite}'s `authorize`: undefined when the connection may pass, else why not, in Envoy's words. External authorizers
 * are asked of requests only: a connection that one would have to judge is refused.
 */
export function buildConnectionAuthorizer(
  input: Pick<FilterInput, "settings"> & { readonly policies: readonly RequestPolicy[] },
): TcpSite["authorize"] {
  if (input.policies.length === 0) return () => undefined;
  const policies = new RequestPolicies(input.policies, policyOptions("tcp", input, SILENT));
  return (connection) => {
    const facts = connectionFacts(policies, connection);
    const [unasked] = policies.asksProviders ? policies.providersFor(facts).values() : [];
    const denial = unasked ?? policies.denial(facts);
    return denial === undefined ? undefined : denialDetails(denial);
  };
}
