/** What one value of a policy asks of a request's target. Each returns undefined for a value that cannot be met. */

import type { Test } from "./match-source.ts";
import { isPathTemplate, pathTemplate } from "./path-template.ts";
import { textPattern, wireText } from "./text-pattern.ts";

/** Whatever its case; with the port, if the client sent one. */
export function hostTest(value: string): Test {
  const matches = textPattern(wireText(value).toLowerCase());
  return ({ host }) => matches(host);
}

export function methodTest(value: string): Test {
  const matches = textPattern(value);
  return ({ request }) => request !== undefined && matches(request.method);
}

export function pathTest(value: string): Test | undefined {
  const matches = isPathTemplate(value) ? pathTemplate(value) : textPattern(wireText(value));
  return matches && (({ request }) => request !== undefined && matches(request.path));
}

/** The port that the client dialled: the service's. */
export function portTest(value: number): Test | undefined {
  if (!Number.isInteger(value) || value < 0 || value > 65535) return undefined;
  return ({ connection }) => connection.destination.port === value;
}
