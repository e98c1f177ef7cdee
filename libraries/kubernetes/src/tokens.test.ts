import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTokenReview } from "./tokens.ts";

const user = {
  username: "system:serviceaccount:shop:web",
  uid: "u",
  groups: ["g"],
  extra: { "example.com/pod": ["p"] },
};

test("an authenticated token says who holds it", () => {
  const status = { authenticated: true, user, audiences: ["istio-ca"] };
  assert.deepEqual(parseTokenReview({ status }, ["istio-ca"]), {
    kind: "authenticated",
    username: "system:serviceaccount:shop:web",
    uid: "u",
    groups: ["g"],
    audiences: ["istio-ca"],
    extra: new Map([["example.com/pod", ["p"]]]),
  });
});

const refusals = [
  { name: "nothing", answer: {}, reason: /not authenticated/ },
  {
    name: "not authenticated",
    answer: { status: { authenticated: false, error: "expired" } },
    reason: /^expired$/,
  },
  {
    name: "no user",
    answer: { status: { authenticated: true, audiences: ["istio-ca"] } },
    reason: /not authenticated/,
  },
  {
    name: "another audience",
    answer: { status: { authenticated: true, user, audiences: ["x"] } },
    reason: /not for istio-ca/,
  },
  {
    name: "a server that does not know audiences",
    answer: { status: { authenticated: true, user } },
    reason: /not for istio-ca/,
  },
];
for (const c of refusals) {
  test(`refused: ${c.name}`, () => {
    const verdict = parseTokenReview(c.answer, ["istio-ca"]);
    assert.ok(verdict.kind === "refused");
    assert.match(verdict.reason, c.reason);
  });
}
