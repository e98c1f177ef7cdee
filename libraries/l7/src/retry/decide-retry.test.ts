import assert from "node:assert/strict";
import { test } from "node:test";
import type { RetryCondition, RetryPolicy } from "@meltemi/model/l7";
import { type AttemptResult, isRetriable, retryDelayMs, withinRetryBudget } from "./decide-retry.ts";

function policy(on: readonly RetryCondition[], statusCodes: readonly number[] = []): RetryPolicy {
  return {
    retries: 2,
    on,
    statusCodes,
    backoffBaseMs: 25,
    backoffMaxMs: 250,
    avoidPreviousHosts: true,
    otherLocalities: false,
  };
}

const answer = (status: number, grpcStatus?: number, rateLimited = false): AttemptResult => ({
  kind: "response",
  status,
  grpcStatus,
  rateLimited,
});

const cases: readonly {
  readonly name: string;
  readonly on: readonly RetryCondition[];
  readonly codes?: readonly number[];
  readonly result: AttemptResult;
  readonly want: boolean;
}[] = [
  { name: "5xx retries a 500", on: ["5xx"], result: answer(500), want: true },
  { name: "5xx leaves a 499 alone", on: ["5xx"], result: answer(499), want: false },
  { name: "5xx retries a reset", on: ["5xx"], result: { kind: "reset", sent: true }, want: true },
  { name: "5xx retries a slow try", on: ["5xx"], result: { kind: "perTryTimeout" }, want: true },
  { name: "gateway-error leaves a 500 alone", on: ["gateway-error"], result: answer(500), want: false },
  { name: "gateway-error retries a 503", on: ["gateway-error"], result: answer(503), want: true },
  { name: "gateway-error leaves a 505 alone", on: ["gateway-error"], result: answer(505), want: false },
  {
    name: "connect-failure retries a refused connection",
    on: ["connect-failure"],
    result: { kind: "connectFailed" },
    want: true,
  },
  {
    name: "connect-failure leaves a reset alone",
    on: ["connect-failure"],
    result: { kind: "reset", sent: true },
    want: false,
  },
  { name: "connect-failure leaves a 503 alone", on: ["connect-failure"], result: answer(503), want: false },
  {
    name: "refused-stream retries what was not processed",
    on: ["refused-stream"],
    result: { kind: "refused" },
    want: true,
  },
  {
    name: "reset-before-request retries what was not sent",
    on: ["reset-before-request"],
    result: { kind: "reset", sent: false },
    want: true,
  },
  {
    name: "reset-before-request leaves what was sent",
    on: ["reset-before-request"],
    result: { kind: "reset", sent: true },
    want: false,
  },
  { name: "reset retries what was sent", on: ["reset"], result: { kind: "reset", sent: true }, want: true },
  { name: "reset leaves a 503 alone", on: ["reset"], result: answer(503), want: false },
  { name: "retriable-4xx retries 409", on: ["retriable-4xx"], result: answer(409), want: true },
  { name: "retriable-4xx leaves 404 alone", on: ["retriable-4xx"], result: answer(404), want: false },
  { name: "a listed status", on: ["retriable-status-codes"], codes: [418], result: answer(418), want: true },
  {
    name: "a status that is not listed",
    on: ["retriable-status-codes"],
    codes: [418],
    result: answer(503),
    want: false,
  },
  {
    name: "a list without its condition",
    on: ["connect-failure"],
    codes: [503],
    result: answer(503),
    want: false,
  },
  { name: "unavailable retries grpc-status 14", on: ["unavailable"], result: answer(200, 14), want: true },
  {
    name: "unavailable leaves grpc-status 13 alone",
    on: ["unavailable"],
    result: answer(200, 13),
    want: false,
  },
  { name: "cancelled retries grpc-status 1", on: ["cancelled"], result: answer(200, 1), want: true },
  { name: "envoy-ratelimited", on: ["envoy-ratelimited"], result: answer(429, undefined, true), want: true },
  {
    name: "envoy-ratelimited without the header",
    on: ["envoy-ratelimited"],
    result: answer(429),
    want: false,
  },
  { name: "no condition", on: [], result: { kind: "connectFailed" }, want: false },
];
for (const c of cases) {
  test(`isRetriable: ${c.name}`, () => assert.equal(isRetriable(policy(c.on, c.codes), c.result), c.want));
}

test("retryDelayMs grows with each retry, up to its cap", () => {
  const almostOne = 0.999_999;
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((retry) => retryDelayMs(policy([]), retry, almostOne)),
    [24, 74, 174, 249, 249],
  );
  assert.equal(retryDelayMs(policy([]), 3, 0), 0);
});

test("withinRetryBudget", () => {
  assert.equal(withinRetryBudget(undefined, 1, 1000), true);
  assert.equal(withinRetryBudget({ percent: 20, minConcurrency: 3 }, 5, 2), true);
  assert.equal(withinRetryBudget({ percent: 20, minConcurrency: 3 }, 5, 3), false);
  assert.equal(withinRetryBudget({ percent: 20, minConcurrency: 3 }, 100, 19), true);
  assert.equal(withinRetryBudget({ percent: 20, minConcurrency: 3 }, 100, 20), false);
});
