import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenVerdict } from "@meltemi/kubernetes";
import { createFakeClock } from "@meltemi/testkit";
import fc from "fast-check";
import { createTokenAuthenticator, judgeVerdict } from "./token-authenticator.ts";

type Accepted = Extract<TokenVerdict, { kind: "authenticated" }>;
const accepted: Accepted = {
  kind: "authenticated",
  username: "system:serviceaccount:istio-system:ztunnel",
  uid: "1",
  groups: [],
  audiences: ["istio-ca"],
  extra: new Map([
    ["authentication.kubernetes.io/pod-name", ["z-1"]],
    ["authentication.kubernetes.io/pod-uid", ["u-1"]],
  ]),
};
const caller = { namespace: "istio-system", serviceAccount: "ztunnel" };

const verdicts: readonly { name: string; verdict: TokenVerdict; want: unknown }[] = [
  {
    name: "a token bound to a pod",
    verdict: accepted,
    want: { ...caller, pod: { name: "z-1", uid: "u-1" } },
  },
  { name: "a token bound to no pod", verdict: { ...accepted, extra: new Map() }, want: caller },
  {
    name: "a pod's name without its uid is no binding",
    verdict: { ...accepted, extra: new Map([["authentication.kubernetes.io/pod-name", ["z-1"]]]) },
    want: caller,
  },
  { name: "a refused token", verdict: { kind: "refused", reason: "expired" }, want: /^expired$/ },
  { name: "another audience", verdict: { ...accepted, audiences: ["vault"] }, want: /^token is for vault$/ },
  {
    name: "an API server that ignores audiences",
    verdict: { ...accepted, audiences: [] },
    want: /no audience/,
  },
  { name: "a user", verdict: { ...accepted, username: "jane" }, want: /jane is no service account/ },
  { name: "a node", verdict: { ...accepted, username: "system:node:a" }, want: /no service account/ },
  {
    name: "a user who is called nearly so",
    verdict: { ...accepted, username: "system:serviceaccount:a:b:c" },
    want: /no service account/,
  },
  {
    name: "an empty part",
    verdict: { ...accepted, username: "system:serviceaccount::b" },
    want: /no service account/,
  },
];
for (const c of verdicts)
  test(`judgeVerdict: ${c.name}`, () => {
    const got = judgeVerdict(c.verdict, ["istio-ca", "other"]);
    if (c.want instanceof RegExp) assert.match(got.kind === "refused" ? got.reason : "accepted", c.want);
    else assert.deepEqual(got, { kind: "authenticated", caller: c.want });
  });

function bench(answer: (token: string) => Promise<TokenVerdict> | TokenVerdict = () => accepted) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const reviewToken = async (token: string): Promise<TokenVerdict> => {
    asked.push(token);
    return await answer(token);
  };
  return {
    clock,
    asked,
    authenticator: createTokenAuthenticator({ audiences: ["istio-ca"] }, { client: { reviewToken }, clock }),
  };
}

test("headers that are not one bearer token are refused without a question", async () => {
  const { asked, authenticator } = bench();
  for (const headers of [
    [],
    [""],
    ["Bearer "],
    ["Basic abc"],
    ["Bearer a", "Bearer b"],
    ["Bearer a b"],
    [`Bearer ${"x".repeat(9000)}`],
    ["Bearer a\u0000"],
  ])
    assert.equal(
      (await authenticator.authenticate(headers)).kind,
      "refused",
      JSON.stringify(headers).slice(0, 40),
    );
  assert.deepEqual(asked, []);
});

test("an answer is remembered briefly: 30 s when accepted, 5 s when refused, and shared while under way", async () => {
  const { clock, asked, authenticator } = bench((token) =>
    token === "good" ? accepted : { kind: "refused", reason: "no" },
  );
  const ask = (token: string): Promise<string> =>
    authenticator.authenticate([`Bearer ${token}`]).then(({ kind }) => kind);
  assert.deepEqual(await Promise.all([ask("good"), ask("good"), ask("bad"), ask("bad")]), [
    "authenticated",
    "authenticated",
    "refused",
    "refused",
  ]);
  assert.deepEqual(asked, ["good", "bad"]);
  clock.advance(4_999);
  await Promise.all([ask("good"), ask("bad")]);
  assert.equal(asked.length, 2);
  clock.advance(1);
  await Promise.all([ask("good"), ask("bad")]);
  assert.deepEqual(asked, ["good", "bad", "bad"]);
  clock.advance(25_000);
  await ask("good");
  assert.equal(asked.at(-1), "good");
});

test("an API server that is away is neither yes nor no, and is asked again", async () => {
  const { asked, authenticator } = bench(() => Promise.reject(new Error("HTTP 503")));
  for (const _ of [1, 2]) assert.equal((await authenticator.authenticate(["Bearer a"])).kind, "unavailable");
  assert.equal(asked.length, 2);
});

test("a flood of different tokens asks 64 questions at a time and no more", async () => {
  const gate = Promise.withResolvers<TokenVerdict>();
  const { asked, authenticator } = bench(() => gate.promise);
  const answers = Array.from({ length: 200 }, (_, index) => authenticator.authenticate([`Bearer t${index}`]));
  gate.resolve(accepted);
  const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
  assert.equal(asked.length, 64);
  assert.equal(kinds.filter((kind) => kind === "unavailable").length, 136);
});

test("fuzz: any header gives a result", async () => {
  const { authenticator } = bench();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "binary" }), { maxLength: 3 }), async (headers) => {
      assert.ok((await authenticator.authenticate(headers)).kind);
    }),
    { numRuns: 300 },
  );
});
