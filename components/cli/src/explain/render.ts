/** An explanation for people. Pure. */

import { printable } from "../output/printable.ts";
import type { Explanation, Hop, JudgedPolicy, Verdict } from "./explanation.ts";

export function renderExplanation(explanation: Explanation): readonly string[] {
  const { client, destination, request, hops, endpoints, verdict } = explanation;
  return [
    `client       ${client.name} on ${client.node || "an unknown node"}, ${client.identity}`,
    `destination  ${destination.name} (${destination.address})`,
    ...(request === undefined
      ? []
      : [`request      ${request.method} http://${request.authority}${request.path}`]),
    "",
    ...hops.flatMap((hop, index) => [...renderHop(hop, index + 1), ""]),
    ...renderEndpoints(endpoints),
    `Verdict: ${verdictText(verdict)}`,
  ].map(printable);
}

function renderHop(hop: Hop, number: number): readonly string[] {
  const lines = [
    ...(hop.peer === undefined ? [] : [`verified: ${hop.peer}`]),
    ...hop.steps,
    ...(hop.policies.length === 0
      ? []
      : ["policies, in order:", ...hop.policies.map((one) => `  ${policyText(one)}`)]),
    ...judgement(hop),
  ];
  return [
    `${number}. ${hop.role}: ${hop.proxy}${hop.node === "" ? "" : ` on ${hop.node}`}`,
    ...lines.map((line) => `   ${line}`),
  ];
}

/** The verdict of policies comes before what follows from it, that of a route after. Where a connection begins, only a refusal says something. */
function judgement({ role, verdict, afterwards }: Hop): readonly string[] {
  const isSilent = verdict.reason === "" || (role === "client ztunnel" && verdict.kind === "allowed");
  const text = isSilent ? [] : [verdictText(verdict)];
  return verdict.kind === "answered" ? [...afterwards, ...text] : [...text, ...afterwards];
}

function policyText({ action, policy, matches, dryRun, note }: JudgedPolicy): string {
  const word = matches === undefined ? "cannot be judged" : matches ? "matches" : "does not match";
  return `${action.padEnd(6)} ${policy}: ${word}${dryRun ? " (dry run: changes nothing)" : ""}${note === undefined ? "" : ` (${note})`}`;
}

function renderEndpoints(endpoints: Explanation["endpoints"]): readonly string[] {
  if (endpoints.length === 0) return [];
  return [
    "endpoints that may be chosen:",
    ...endpoints.map(({ endpoint, verdict }) => `   ${endpoint}: ${verdictText(verdict)}`),
    "",
  ];
}

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case "allowed":
      return `ALLOWED: ${verdict.reason}`;
    case "denied":
      return `DENIED${verdict.status === undefined ? "" : ` with ${verdict.status}`}: ${verdict.reason}`;
    case "answered":
      return `ANSWERED with ${verdict.status}: ${verdict.reason}`;
    case "unknown":
      return `UNDECIDED: ${verdict.reason}`;
  }
}
