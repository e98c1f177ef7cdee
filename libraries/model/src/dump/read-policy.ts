/** L4 policies in the words of the config dump (reference: protocol §8.2), which are those of local configuration too. */

import { parseCidr } from "../address.ts";
import type { Policy, PolicyMatch, StringMatch } from "../policy.ts";
import type { Shape } from "./shape.ts";

export function readPolicy(shape: Shape): Policy {
  const policy: Policy = {
    name: shape.required("name"),
    namespace: shape.required("namespace"),
    scope: shape.choice(
      "scope",
      { Global: "global", Namespace: "namespace", WorkloadSelector: "workloadSelector" } as const,
      "namespace",
    ),
    action: shape.choice("action", { Allow: "allow", Deny: "deny" } as const, "allow"),
    dryRun: shape.flag("dryRun", false),
    rules: shape.list("rules").map((rule) => rule.items().map((clause) => clause.items().map(readMatch))),
  };
  shape.end();
  return policy;
}

function readMatch(shape: Shape): PolicyMatch {
  const networks = (key: string) =>
    shape.texts(key).flatMap((text) => {
      const network = parseCidr(text);
      if (network === undefined) shape.problem(key, "an address or a network", text);
      return network ?? [];
    });
  const accounts = (key: string) =>
    shape.list(key).map((inner) => ({
      namespace: inner.required("namespace"),
      serviceAccount: inner.required("serviceAccount"),
      ...inner.closed(),
    }));
  const match: PolicyMatch = {
    namespaces: shape.list("namespaces").map(readStringMatch),
    notNamespaces: shape.list("notNamespaces").map(readStringMatch),
    principals: shape.list("principals").map(readStringMatch),
    notPrincipals: shape.list("notPrincipals").map(readStringMatch),
    sourceIps: networks("sourceIps"),
    notSourceIps: networks("notSourceIps"),
    destinationIps: networks("destinationIps"),
    notDestinationIps: networks("notDestinationIps"),
    destinationPorts: shape.integers("destinationPorts", 65_535),
    notDestinationPorts: shape.integers("notDestinationPorts", 65_535),
    serviceAccounts: accounts("serviceAccounts"),
    notServiceAccounts: accounts("notServiceAccounts"),
  };
  shape.end();
  return match;
}

/** `{Exact: …}`, `{Prefix: …}`, `{Suffix: …}` or `{Presence: []}`, as in dumps. */
function readStringMatch(shape: Shape): StringMatch {
  const exact = shape.optionalText("Exact");
  const prefix = shape.optionalText("Prefix");
  const suffix = shape.optionalText("Suffix");
  const presence = shape.has("Presence");
  shape.end();
  if (exact !== undefined) return { kind: "exact", value: exact };
  if (prefix !== undefined) return { kind: "prefix", value: prefix };
  if (suffix !== undefined) return { kind: "suffix", value: suffix };
  if (!presence) shape.problem("", "Exact, Prefix, Suffix or Presence", "none of them");
  return { kind: "presence" };
}
