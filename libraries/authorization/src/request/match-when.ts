/** The keys that a policy's `when` may name (reference: l7-and-cli §2.1). */

import { portTest } from "./match-operation.ts";
import {
  ipTest,
  namespaceTest,
  principalTest,
  requestPrincipalTest,
  serviceAccountTest,
  type Test,
  trustDomainTest,
} from "./match-source.ts";
import { textPattern, wireText } from "./text-pattern.ts";

/** How the values of one key are tested. */
export interface WhenKey {
  /** What must be known. */
  readonly needs: "connection" | "head" | "token";
  /** Undefined for a value that cannot be met. */
  test(value: string): Test | undefined;
}

const HEADERS = "request.headers";
const CLAIMS = "request.auth.claims";
const FILTERS = "experimental.envoy.filters.";

/** Undefined for a key that policies do not have. */
export function whenKey(key: string, policyNamespace: string): WhenKey | undefined {
  if (key.startsWith(`${HEADERS}[`)) return headerKey(key);
  if (key.startsWith(`${CLAIMS}[`)) return claimKey(key);
  if (key.startsWith(FILTERS)) return filterKey(key);
  const ofConnection = connectionTest(key, policyNamespace);
  if (ofConnection !== undefined) return { needs: "connection", test: ofConnection };
  if (key === "remote.ip")
    return { needs: "head", test: (value) => ipTest(value, (facts) => facts.remoteBytes) };
  const ofToken = tokenTest(key);
  return ofToken && { needs: "token", test: ofToken };
}

function connectionTest(key: string, policyNamespace: string): WhenKey["test"] | undefined {
  switch (key) {
    case "source.ip":
      return (value) => ipTest(value, (facts) => facts.sourceBytes);
    case "destination.ip":
      return (value) => ipTest(value, (facts) => facts.destinationBytes);
    case "destination.port":
      return (value) => (/^\d{1,5}$/.test(value) ? portTest(Number(value)) : undefined);
    case "source.namespace":
      return namespaceTest;
    case "source.serviceAccount":
      return (value) => serviceAccountTest(value, policyNamespace);
    case "source.trustDomain":
      return trustDomainTest;
    case "source.principal":
      return principalTest;
    case "connection.sni":
      return (value) => {
        const matches = textPattern(value);
        return ({ connection }) => matches(connection.serverName ?? "");
      };
    default:
      return undefined;
  }
}

function tokenTest(key: string): WhenKey["test"] | undefined {
  switch (key) {
    case "request.auth.principal":
      return requestPrincipalTest;
    case "request.auth.audiences":
      return (value) => {
        const matches = textPattern(value);
        return ({ request }) => request?.token?.audiences.some(matches) === true;
      };
    case "request.auth.presenter":
      return (value) => claimTest(["azp"], value);
    default:
      return undefined;
  }
}

function headerKey(key: string): WhenKey | undefined {
  const [name, ...more] = bracketed(key.slice(HEADERS.length)) ?? [];
  if (name === undefined || more.length > 0) return undefined;
  const field = name.toLowerCase();
  return {
    needs: "head",
    test: (value) => {
      const matches = textPattern(wireText(value));
      return ({ request }) => {
        const text = request?.headers.joined(field);
        return text !== undefined && matches(text);
      };
    },
  };
}

function claimKey(key: string): WhenKey | undefined {
  const path = bracketed(key.slice(CLAIMS.length));
  return path && { needs: "token", test: (value) => claimTest(path, value) };
}

function filterKey(key: string): WhenKey | undefined {
  const bracket = key.indexOf("[");
  const [name, ...more] = bracket < 0 ? [] : (bracketed(key.slice(bracket)) ?? []);
  if (name === undefined || more.length > 0) return undefined;
  const filter = key.slice("experimental.".length, bracket);
  return {
    needs: "head",
    test: (value) => {
      // `[x]` looks into a list.
      const isList = value.startsWith("[") && value.endsWith("]");
      const matches = textPattern(isList ? value.slice(1, -1) : value);
      return ({ request }) => {
        const known = own(request?.metadata.get(filter), name);
        return isList ? Array.isArray(known) && someText(known, matches) : isText(known, matches);
      };
    },
  };
}

/** Lists of texts and texts; other values are matched by nothing. */
function claimTest(path: readonly string[], value: string): Test {
  const matches = textPattern(value);
  const [top = ""] = path;
  return ({ request }) => {
    const token = request?.token;
    if (token === undefined) return false;
    let claim: unknown = token.claims;
    for (const name of path) claim = own(claim, name);
    if (Array.isArray(claim)) return someText(claim, matches);
    if (path.length === 1 && typeof claim === "string" && token.spaceDelimitedClaims.includes(top))
      return someText(claim.split(" "), matches);
    return isText(claim, matches);
  };
}

/** `[a][b]` as `a`, `b`. */
function bracketed(text: string): readonly string[] | undefined {
  if (!/^(?:\[[^[\]]+\])+$/.test(text)) return undefined;
  return text.slice(1, -1).split("][");
}

/** Never what every object has, such as `constructor`. */
function own(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function someText(values: readonly unknown[], matches: (text: string) => boolean): boolean {
  for (const value of values) if (isText(value, matches)) return true;
  return false;
}

function isText(value: unknown, matches: (text: string) => boolean): boolean {
  return typeof value === "string" && matches(value);
}
