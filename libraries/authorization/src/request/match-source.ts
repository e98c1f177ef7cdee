/** What one value of a policy asks of who called. Each returns undefined for a value that cannot be met. */

import { cidrContainsBytes, DEFAULT_TRUST_DOMAIN, parseCidr } from "@meltemi/model";
import type { PolicyFacts } from "./policy-request.ts";
import { textPattern } from "./text-pattern.ts";

export type Test = (facts: PolicyFacts) => boolean;

/**
 * `cluster.local` in a policy is this mesh, whatever its name; not another one that is called so.
 * Identities are compared as parsed texts: nothing that a policy says is ever read as a regular expression (reference: l7-and-cli §9 item 26).
 */
export function principalTest(value: string): Test {
  if (value === "*") return ({ connection }) => connection.identity !== undefined;
  const matches = textPattern(value);
  const isOfMesh = value.startsWith(`${DEFAULT_TRUST_DOMAIN}/`);
  return (facts) => (!isOfMesh || facts.isOfMesh) && someOf(facts.principals, matches);
}

export function trustDomainTest(value: string): Test {
  const matches = textPattern(value);
  const isOfMesh = value === DEFAULT_TRUST_DOMAIN;
  return (facts) => (!isOfMesh || facts.isOfMesh) && someOf(facts.trustDomains, matches);
}

export function namespaceTest(value: string): Test {
  const matches = textPattern(value);
  return ({ connection: { identity } }) => identity !== undefined && matches(identity.namespace);
}

/** `<namespace>/<name>`, or `<name>` in the policy's namespace; any trust domain. */
export function serviceAccountTest(value: string, policyNamespace: string): Test | undefined {
  const parts = value.split("/");
  const [namespace, name] = parts.length === 1 ? [policyNamespace, value] : parts;
  if (parts.length > 2 || !namespace || !name) return undefined;
  return ({ connection: { identity } }) =>
    identity !== undefined && identity.serviceAccount === name && identity.namespace === namespace;
}

export function ipTest(value: string, address: (facts: PolicyFacts) => Uint8Array): Test | undefined {
  const network = parseCidr(value);
  return network && ((facts) => cidrContainsBytes(network, address(facts)));
}

/**
 * `<issuer>/<subject>`, split at the last slash. A star in front of the whole belongs to the issuer, one behind it to the subject,
 * and without a slash to the other one (reference: l7-and-cli §2.1). Undefined without slash and star.
 */
export function requestPrincipalTest(value: string): Test | undefined {
  const slash = value.lastIndexOf("/");
  const issuer = value.slice(0, slash);
  const subject = value.slice(slash + 1);
  if (value === "*") return tokenTest(textPattern("*"), textPattern("*"));
  if (value.startsWith("*"))
    return slash < 0
      ? tokenTest(textPattern("*"), textPattern(value))
      : tokenTest(textPattern(issuer), exactly(subject));
  if (value.endsWith("*"))
    return slash < 0
      ? tokenTest(textPattern(value), textPattern("*"))
      : tokenTest(exactly(issuer), textPattern(subject));
  return slash < 0 ? undefined : tokenTest(exactly(issuer), exactly(subject));
}

function tokenTest(issuer: (text: string) => boolean, subject: (text: string) => boolean): Test {
  return ({ request }) => {
    const token = request?.token;
    return token?.subject !== undefined && issuer(token.issuer) && subject(token.subject);
  };
}

function exactly(value: string): (text: string) => boolean {
  return (text) => text === value;
}

function someOf(texts: readonly string[], matches: (text: string) => boolean): boolean {
  for (const text of texts) if (matches(text)) return true;
  return false;
}
