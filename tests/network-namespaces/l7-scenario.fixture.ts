/**
 * Tables of scenarios. Each has a Service of its own, and all their objects are applied at once: none waits for another's
 * configuration to come or to go, and none can see what another configured.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { type Answer, type AnyCall, type Caller, passedL7, reportOf, tally } from "./l7-calls.fixture.ts";
import { skip } from "./l7-cluster.fixture.ts";
import { APPS, type ServiceOptions, service, virtualHttp } from "./l7-objects.fixture.ts";

/** In paths, hosts and expectations, `{host}` is `<service>.apps`. */
export interface Scenario {
  readonly name: string;
  readonly service?: ServiceOptions;
  /** `name`: of the scenario's Service. */
  readonly objects?: (name: string) => readonly object[];
  readonly checks: readonly Check[];
}

export type Check = {
  /** Key of the callers that the table is run with. */
  readonly from?: string;
  readonly want: Want;
} & (
  | {
      /** A path. */
      readonly http: string;
      /** The Service's, 80 when absent. */
      readonly port?: number;
      /** Where to connect, instead of the Service. */
      readonly to?: string;
      readonly version?: "1.0" | "1.1" | "2";
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly times?: number;
      readonly keep?: boolean;
    }
  | { readonly call: (host: string) => AnyCall }
);

/** What is given must hold of every answer; a function sees all of them. */
export interface Want {
  /** Default 200; of gRPC 0. */
  readonly status?: number;
  /** True: statuses are `all`'s to look at. */
  readonly anyStatus?: boolean;
  /** Of the program that answered. */
  readonly version?: string;
  readonly path?: string;
  readonly host?: string;
  readonly protocol?: string;
  /** Fields that the program received, in lower case; undefined: that it did not. */
  readonly received?: Readonly<Record<string, string | undefined>>;
  /** Fields of the answer. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string | RegExp;
  /** Whether a proxy that reads HTTP stood on the way. */
  readonly l7?: boolean;
  /** A failure below HTTP. */
  readonly error?: RegExp;
  readonly all?: (answers: readonly Answer[]) => void;
}

export type Callers = Readonly<Record<string, Caller>>;

/** Long enough for a configuration to reach the proxies on a busy machine. */
const PATIENCE = { deadlineMs: 10_000, everyMs: 50 } as const;
const USUAL_CALLER = "client";

/** A Service's name. */
const nameOf = ({ name }: Scenario): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 60)
    .replace(/-$/, "");

export function objectsOf(scenarios: readonly Scenario[]): readonly object[] {
  const names = scenarios.map(nameOf);
  assert.equal(new Set(names).size, names.length, `two scenarios have one name: ${names.sort().join(" ")}`);
  return scenarios.flatMap((scenario) => {
    const name = nameOf(scenario);
    return [service(name, scenario.service), ...(scenario.objects?.(name) ?? [])];
  });
}

/** `callers` are made before the first test runs. */
export function testScenarios(title: string, scenarios: readonly Scenario[], callers: () => Callers): void {
  for (const scenario of scenarios) {
    test(`${title}: ${scenario.name}`, { skip }, async () => {
      const host = `${nameOf(scenario)}.${APPS}`;
      for (const check of scenario.checks) {
        const caller = callers()[check.from ?? USUAL_CALLER];
        assert.ok(caller !== undefined, `no caller ${check.from}`);
        const call = callOf(check, host);
        await eventually(async () => {
          assertAnswers(await caller.all(call), check.want, host, call);
          return true;
        }, PATIENCE).catch((error: Error) => {
          throw error.cause ?? error;
        });
      }
    });
  }
}

function callOf(check: Check, host: string): AnyCall {
  if ("call" in check) return check.call(host);
  const { http, port = 80, to, version, method, headers, body, times, keep } = check;
  const filled = Object.entries(headers ?? {}).map(([name, value]) => [
    name,
    value.replaceAll("{host}", host),
  ]);
  return {
    kind: "http",
    url: `http://${to ?? host}${port === 80 ? "" : `:${port}`}${http}`,
    headers: Object.fromEntries(filled),
    ...(version === undefined ? {} : { version }),
    ...(method === undefined ? {} : { method }),
    ...(body === undefined ? {} : { body }),
    ...(times === undefined ? {} : { times }),
    ...(keep === undefined ? {} : { keep }),
  };
}

function assertAnswers(answers: readonly Answer[], want: Want, host: string, call: AnyCall): void {
  const about = (answer: Answer): string => `\n${JSON.stringify(call)}\n${JSON.stringify(answer)}`;
  for (const answer of answers) {
    try {
      assertAnswer(answer, want, host, call);
    } catch (error) {
      assert.fail(`${error instanceof Error ? error.message : error}${about(answer)}`);
    }
  }
  want.all?.(answers);
}

function assertAnswer(answer: Answer, want: Want, host: string, call: AnyCall): void {
  if (want.error !== undefined) {
    assert.match(answer.error ?? "no error", want.error);
    return;
  }
  assert.equal(answer.error, undefined);
  const usual = { http: 200, grpc: 0, bytes: 0, websocket: 1000, tunnel: 200 }[call.kind];
  if (want.anyStatus !== true) assert.equal(answer.status, want.status ?? usual);
  assertFields(answer.headers, want.headers, host);
  if (typeof want.body === "string") assert.equal(answer.body, want.body);
  if (want.body instanceof RegExp) assert.match(answer.body, want.body);
  if (want.l7 !== undefined)
    assert.equal(passedL7(answer), want.l7, "a proxy that reads HTTP was on the way");
  assertReport(answer, want, host);
}

function assertReport(answer: Answer, want: Want, host: string): void {
  const report = reportOf(answer);
  for (const field of ["version", "path", "host", "protocol"] as const) {
    const expected = want[field];
    if (expected !== undefined) assert.equal(report?.[field], expected.replaceAll("{host}", host), field);
  }
  if (want.received !== undefined) assert.ok(report !== undefined, "the program did not answer");
  assertFields(report?.headers ?? {}, want.received, host);
}

const tidy = (list: string | undefined): string | undefined => list?.replaceAll(", ", ",");

/** Lists are compared without the spaces behind commas: a proxy may join fields or leave them apart. */
function assertFields(
  fields: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string | undefined>> = {},
  host: string,
): void {
  for (const [name, value] of Object.entries(wanted))
    assert.equal(tidy(fields[name]), tidy(value?.replaceAll("{host}", host)), `field ${name}`);
}

/** Shares of versions, in percent of all answers, within a tolerance in percentage points. */
export function shares(wanted: Readonly<Record<string, number>>, tolerance: number): Want {
  return {
    all(answers) {
      const counts = tally(answers);
      for (const [version, percent] of Object.entries(wanted)) {
        const seen = (100 * (counts[version] ?? 0)) / answers.length;
        assert.ok(
          Math.abs(seen - percent) <= tolerance,
          `${version}: expected ${percent} ± ${tolerance} %, got ${seen} % of ${answers.length}: ${JSON.stringify(counts)}`,
        );
      }
    },
  };
}

export const goesTo = (
  version: string,
  http: string,
  headers: Readonly<Record<string, string>> = {},
): Check => ({
  http,
  headers,
  want: { version },
});
export const isAnswered = (http: string, want: Want): Check => ({ http, want });
export const isRedirected = (http: string, status: number, location: string): Check => ({
  http,
  want: { status, headers: { location } },
});

/** One rule for everything that is told what to do with the scenario's own Service. */
export const oneRule = (
  name: string,
  rule: (host: string) => object,
  checks: readonly Check[],
): Scenario => ({
  name,
  objects: (host) => [virtualHttp(host, rule(host))],
  checks,
});
