/** One rule of a policy as one test. What cannot be met makes a policy stricter, never laxer (reference: l7-and-cli §2.1, invalid sub-fields). */

import type { PolicyCondition, PolicyOperation, PolicyRule, PolicySource } from "@meltemi/model/l7";
import { hostTest, methodTest, pathTest, portTest } from "./match-operation.ts";
import {
  ipTest,
  namespaceTest,
  principalTest,
  requestPrincipalTest,
  serviceAccountTest,
  type Test,
  trustDomainTest,
} from "./match-source.ts";
import { whenKey } from "./match-when.ts";
import type { PolicyFacts } from "./policy-request.ts";

export interface RuleContext {
  readonly policyNamespace: string;
  /** The last that is known when the rule is asked. */
  readonly known: Known;
  /** An ALLOW policy loses the rule that cannot be met; any other loses what cannot be met, and so matches more. */
  readonly isAllow: boolean;
  /** Says what was dropped. */
  readonly onProblem: (problem: string) => void;
}

/** What is known, each with all before it: of any connection, of a request's head, and once its token was verified. */
const KNOWN = ["connection", "head", "token"] as const;
export type Known = (typeof KNOWN)[number];

/** Values of one kind: any of `wanted`, and none of `unwanted`. */
interface Field {
  readonly name: string;
  readonly needs: Known;
  readonly wanted: readonly (Test | undefined)[];
  readonly unwanted: readonly (Test | undefined)[];
}

/** An ALLOW rule that cannot be met. */
const UNMET: unique symbol = Symbol("unmet");

const ALWAYS: Test = () => true;

/** Why something is not known. */
const UNREADABLE: Readonly<Record<Known, string>> = {
  connection: "only HTTP has it",
  head: "tokens are verified after external authorizers were asked",
  token: "",
};

/** Undefined: the rule never matches. */
export function compileRule(rule: PolicyRule, context: RuleContext): Test | undefined {
  const from = anyOf(
    rule.from.map((source) => sourceFields(source, context)),
    context,
  );
  const to = anyOf(rule.to.map(operationFields), context);
  const when = allFields(
    rule.when.map((condition) => conditionField(condition, context)),
    context,
  );
  if (from === UNMET || to === UNMET || when === UNMET) return undefined;
  // What is cheapest to ask, and differs most, first.
  return both(both(to, from), when);
}

/** Requests that any of `operations` is of; every request when there is none. What cannot be met matches whatever it is. */
export function compileOperations(
  operations: readonly PolicyOperation[],
  onProblem: (problem: string) => void,
): Test {
  const context: RuleContext = { policyNamespace: "", known: "token", isAllow: false, onProblem };
  const test = anyOf(operations.map(operationFields), context);
  return test === UNMET ? ALWAYS : test;
}

/** Alternatives, each with all of its fields. In an ALLOW rule one that cannot be met takes the rule with it. */
function anyOf(alternatives: readonly (readonly Field[])[], context: RuleContext): Test | typeof UNMET {
  if (alternatives.length === 0) return ALWAYS;
  const tests: Test[] = [];
  for (const fields of alternatives) {
    const test = allFields(fields, context);
    if (test === UNMET) return UNMET;
    tests.push(test);
  }
  return some(tests);
}

function allFields(fields: readonly Field[], context: RuleContext): Test | typeof UNMET {
  let all: Test = ALWAYS;
  for (const field of fields) {
    const test = compileField(field, context);
    if (test === UNMET) return UNMET;
    all = both(all, test);
  }
  return all;
}

function compileField(field: Field, context: RuleContext): Test | typeof UNMET {
  const { name, wanted, unwanted } = field;
  if (wanted.length + unwanted.length === 0) return ALWAYS;
  const isUnreadable = KNOWN.indexOf(field.needs) > KNOWN.indexOf(context.known);
  const isBad = isUnreadable || wanted.includes(undefined) || unwanted.includes(undefined);
  if (isBad) {
    const what = isUnreadable
      ? UNREADABLE[context.known]
      : "it has a value that nothing can be compared with";
    const effect = context.isAllow ? "the rule is ignored" : "the rule matches whatever it is";
    context.onProblem(`${name}: ${what}; ${effect}`);
    if (context.isAllow) return UNMET;
    if (isUnreadable) return ALWAYS;
  }
  const known = (tests: readonly (Test | undefined)[]): Test[] => tests.filter((test) => test !== undefined);
  // One value less in a list of alternatives would deny less: then the whole list goes.
  const positive = wanted.length === 0 || wanted.includes(undefined) ? ALWAYS : some(known(wanted));
  const excluded = known(unwanted);
  return excluded.length === 0 ? positive : both(positive, not(some(excluded)));
}

function sourceFields(source: PolicySource, { policyNamespace }: RuleContext): readonly Field[] {
  const field = (
    name: keyof PolicySource,
    unwanted: readonly string[],
    test: (value: string) => Test | undefined,
    needs: Known = "connection",
  ): Field => ({
    name,
    needs,
    wanted: source[name].map(test),
    unwanted: unwanted.map(test),
  });
  const account = (value: string): Test | undefined => serviceAccountTest(value, policyNamespace);
  const direct = (value: string): Test | undefined => ipTest(value, (facts) => facts.sourceBytes);
  const remote = (value: string): Test | undefined => ipTest(value, (facts) => facts.remoteBytes);
  return [
    field("namespaces", source.notNamespaces, namespaceTest),
    field("serviceAccounts", source.notServiceAccounts, account),
    field("trustDomains", source.notTrustDomains, trustDomainTest),
    field("principals", source.notPrincipals, principalTest),
    field("requestPrincipals", source.notRequestPrincipals, requestPrincipalTest, "token"),
    field("ipBlocks", source.notIpBlocks, direct),
    field("remoteIpBlocks", source.notRemoteIpBlocks, remote, "head"),
  ];
}

function operationFields(operation: PolicyOperation): readonly Field[] {
  const field = <T>(
    name: string,
    needs: Known,
    wanted: readonly T[],
    unwanted: readonly T[],
    test: (value: T) => Test | undefined,
  ): Field => ({ name, needs, wanted: wanted.map(test), unwanted: unwanted.map(test) });
  return [
    field("ports", "connection", operation.ports, operation.notPorts, portTest),
    field("methods", "head", operation.methods, operation.notMethods, methodTest),
    field("paths", "head", operation.paths, operation.notPaths, pathTest),
    field("hosts", "head", operation.hosts, operation.notHosts, hostTest),
  ];
}

function conditionField({ key, values, notValues }: PolicyCondition, context: RuleContext): Field {
  const known = whenKey(key, context.policyNamespace);
  const name = `when ${key}`;
  // An unknown key, and nothing to compare with, are values that cannot be met.
  if (known === undefined || values.length + notValues.length === 0)
    return { name, needs: "connection", wanted: [undefined], unwanted: [] };
  const test = (value: string): Test | undefined => known.test(value);
  return {
    name,
    needs: known.needs,
    wanted: values.map(test),
    unwanted: notValues.map(test),
  };
}

function both(first: Test, second: Test): Test {
  if (first === ALWAYS) return second;
  if (second === ALWAYS) return first;
  return (facts: PolicyFacts) => first(facts) && second(facts);
}

function some(tests: readonly Test[]): Test {
  const [only] = tests;
  if (tests.length === 1 && only !== undefined) return only;
  if (tests.includes(ALWAYS)) return ALWAYS;
  return (facts: PolicyFacts) => {
    for (const test of tests) if (test(facts)) return true;
    return false;
  };
}

function not(test: Test): Test {
  return (facts: PolicyFacts) => !test(facts);
}
