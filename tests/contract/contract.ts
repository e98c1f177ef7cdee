/** Cases that hold for every Kubernetes API server, and the list of those that do not. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Answer, type ApiAccess, type ApiClient, type Asked, createApiClient } from "./api-client.ts";
import { DIFFERENCES, type ServerKind } from "./differences.ts";

export interface ServerUnderTest extends ApiAccess {
  stop(): Promise<void>;
}

export interface Contract {
  readonly kind: ServerKind;
  /** Registers a case. Where the list of differences says that this server fails it, it must fail. */
  case(name: string, act: (api: ApiClient) => Promise<void>): void;
}

export type Cases = (contract: Contract) => void;

/** One server for all cases: they use names of their own. */
export function describeContract(
  kind: ServerKind,
  start: () => Promise<ServerUnderTest>,
  subjects: Readonly<Record<string, Cases>>,
): void {
  describe(`the API server contract: ${kind}`, () => {
    let server: ServerUnderTest | undefined;
    before(async () => {
      server = await start();
    });
    after(() => server?.stop());
    for (const [subject, register] of Object.entries(subjects))
      describe(subject, () =>
        register({
          kind,
          case: (name, act) =>
            void test(name, async () => {
              assert.ok(server !== undefined, "the server did not start");
              const api = createApiClient(server);
              const known = DIFFERENCES.find((row) => row.case === name && row.fails === kind);
              if (known === undefined) await act(api);
              else await assert.rejects(act(api), () => true, `${kind} meets this now: take it off the list`);
            }),
        }),
      );
  });
}

/** Walks into JSON; undefined when there is no such place. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : "";
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The call must succeed. */
export async function done(
  api: ApiClient,
  method: string,
  path: string,
  body?: unknown,
  asked: Asked = {},
): Promise<Answer> {
  const answer = await api.call(method, path, { ...asked, ...(body === undefined ? {} : { body }) });
  assert.ok(answer.code >= 200 && answer.code < 300, `${method} ${path}: ${answer.code} ${answer.text}`);
  return answer;
}

export interface Refused {
  readonly code: number;
  readonly reason: string;
  readonly message: RegExp | string;
}

/** The answer must be a Status that says so. */
export function assertRefused(answer: Answer, want: Refused): void {
  const { body } = answer;
  assert.equal(`${answer.code} ${textAt(body, "reason")}`, `${want.code} ${want.reason}`, answer.text);
  assert.deepEqual(
    [at(body, "kind"), at(body, "apiVersion"), at(body, "status"), at(body, "code")],
    ["Status", "v1", "Failure", want.code],
  );
  if (typeof want.message === "string") assert.equal(textAt(body, "message"), want.message);
  else assert.match(textAt(body, "message"), want.message);
}

/** A namespace of the case's own; returns the path of its core resources. */
export async function makeNamespace(api: ApiClient, name: string): Promise<string> {
  const made = await done(api, "POST", "/api/v1/namespaces", { metadata: { generateName: `${name}-` } });
  const path = `/api/v1/namespaces/${textAt(made.body, "metadata", "name")}`;
  // Pods want one; where a controller makes it, it may be there already.
  await api.call("POST", `${path}/serviceaccounts`, { body: { metadata: { name: "default" } } });
  return path;
}

export const MERGE: Asked = { type: "application/merge-patch+json" };
export const JSON_PATCH: Asked = { type: "application/json-patch+json" };
export const STRATEGIC: Asked = { type: "application/strategic-merge-patch+json" };
export const APPLY: Asked = { type: "application/apply-patch+yaml" };
