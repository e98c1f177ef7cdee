/** Policy on connections whose bytes are not read as HTTP (reference: l7-and-cli §2.1). */

import { type PolicyFacts, RequestPolicies } from "@meltemi/authorization";
import type { ExternalAuthorizer, RequestPolicy } from "@meltemi/model/l7";
import { type AskConnection, connectionQuestions } from "../external-authorization/ask-authorizer.ts";
import { countVerdict } from "../external-authorization/count-verdict.ts";
import type { AuthorizerVerdict } from "../external-authorization/verdict.ts";
import type { ClientConnectionFacts, ConnectionDenial, TcpSite } from "../tcp/tcp-site.ts";
import type { FilterDeps, FilterInput } from "./build-filters.ts";
import type { AskedCounters, FilterMeter } from "./filter-meter.ts";
import { connectionFacts } from "./policy-facts.ts";
import { denialDetails } from "./policy-filter.ts";
import { policyOptions } from "./policy-options.ts";

/** That a policy on requests says little of connections is no problem of its author. */
const SILENT = { onProblem: (): void => undefined };

interface Provider {
  readonly authorizer: ExternalAuthorizer;
  /** Undefined: it can be asked of requests only. */
  readonly ask: AskConnection | undefined;
  readonly counters: AskedCounters;
}

/** What a {@link TcpSite} needs of policies: what CUSTOM policies' authorizers say, then DENY and ALLOW. */
export function buildConnectionAuthorizer(
  input: Pick<FilterInput, "settings" | "cluster"> & { readonly policies: readonly RequestPolicy[] },
  { memory }: Pick<FilterDeps, "memory">,
): Pick<TcpSite, "authorize" | "rejudge"> {
  if (input.policies.length === 0) return { authorize: () => undefined };
  const policies = new RequestPolicies(input.policies, policyOptions("tcp", input, SILENT));
  const judge = (facts: PolicyFacts): string | undefined => {
    const denial = policies.denial(facts);
    return denial === undefined ? undefined : denialDetails(denial);
  };
  const providers = connectionProviders(input, memory);
  return {
    authorize(connection) {
      const facts = connectionFacts(policies, connection);
      const asked = policies.asksProviders ? policies.providersFor(facts) : NOBODY;
      if (asked.size === 0) return denied(judge(facts));
      return askAll(asked, providers, connection, memory.meter).then(
        (denial) => denial ?? denied(judge(facts)),
      );
    },
    rejudge: (connection) => judge(connectionFacts(policies, connection)),
  };
}

const NOBODY: ReadonlyMap<string, string> = new Map();

function connectionProviders(
  { settings, cluster }: Pick<FilterInput, "settings" | "cluster">,
  { clock, meter }: FilterDeps["memory"],
): ReadonlyMap<string, Provider> {
  return new Map(
    settings.authorizers.map((authorizer) => {
      const ask = connectionQuestions(authorizer, { clock, cluster });
      return [authorizer.name, { authorizer, ask, counters: meter.authorizer("tcp", authorizer.name) }];
    }),
  );
}

async function askAll(
  asked: ReadonlyMap<string, string>,
  providers: ReadonlyMap<string, Provider>,
  connection: ClientConnectionFacts,
  meter: FilterMeter,
): Promise<ConnectionDenial | undefined> {
  for (const [name, rule] of asked) {
    const provider = providers.get(name);
    if (provider === undefined) return denied(denialDetails(`${rule}-deny-due-to-bad-CUSTOM-action`));
    const { authorizer, ask, counters } = provider;
    if (ask === undefined) {
      counters.error.inc();
      return onlyRequests(name);
    }
    const verdict = await ask(connection);
    countVerdict(authorizer, verdict, counters, meter);
    const denial = conclude(authorizer, verdict);
    if (denial !== undefined) return denial;
  }
  return undefined;
}

/** Istio lets such connections pass unasked. `failOpen` is for authorizers that are away, not for those that nobody can ask. */
function onlyRequests(name: string): ConnectionDenial {
  const why = `authorizer ${name} is asked over HTTP, which has words for requests only: expected envoyExtAuthzGrpc for a connection that is not HTTP`;
  return { flag: "UAEX", details: "ext_authz_error", upstreamFailure: why };
}

/** Undefined: the next is asked. */
function conclude(
  { failOpen }: ExternalAuthorizer,
  verdict: AuthorizerVerdict,
): ConnectionDenial | undefined {
  switch (verdict.kind) {
    case "allow":
      return undefined;
    case "deny":
      return { flag: "UAEX", details: "ext_authz_denied", upstreamFailure: "" };
    case "error":
      return failOpen
        ? undefined
        : { flag: "UAEX", details: "ext_authz_error", upstreamFailure: verdict.why };
  }
}

function denied(details: string | undefined): ConnectionDenial | undefined {
  return details === undefined ? undefined : { flag: "", details, upstreamFailure: "" };
}
