import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TokenRule } from "@meltemi/resources";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock, eventually } from "@meltemi/testkit";
import { Graph } from "../compile/graph.ts";
import type { KeySetFacts } from "../compile/l7/facts.ts";
import { createKeySetResolver, REFRESH_MS, RETRY_MS } from "./key-set-resolver.ts";

const URI = "https://keys.example/jwks";

function rule(keys: TokenRule["keys"]): TokenRule {
  return {
    issuer: "a",
    audiences: [],
    keys,
    timeoutMs: 5000,
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    spaceDelimitedClaims: [],
  };
}

/** The web is what `documents` says; a missing one cannot be fetched. */
function resolver(documents: Record<string, unknown>) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const state = { changes: 0 };
  const keySets = new Graph(() => undefined).collection<KeySetFacts>("keySets", {});
  const sink = {
    filter: new LogFilter("off"),
    format: "plain",
    nowMs: () => 0,
    write: () => undefined,
  } as const;
  const resolver = createKeySetResolver({
    clock,
    log: createLogger(sink, "jwks"),
    keySets,
    onChange: () => state.changes++,
    fetchJson: (url) => {
      asked.push(url);
      return url in documents ? Promise.resolve(documents[url]) : Promise.reject(new Error("unreachable"));
    },
  });
  const jwksOf = (key: string): string | undefined => keySets.get(key)?.jwks;
  return { resolver, clock, asked, state, jwksOf };
}

const byUri = rule({ kind: "uri", uri: URI });

test("fetched, refreshed after twenty minutes, kept through an outage and tried again each minute", async () => {
  const documents: Record<string, unknown> = { [URI]: { keys: [1], other: 2 } };
  const { resolver: set, clock, asked, state, jwksOf } = resolver(documents);
  set.want([byUri, byUri, rule({ kind: "inline", jwks: "{}" })]);
  await set.settled();
  assert.deepEqual([jwksOf(`uri:${URI}`), asked.length, state.changes], ['{"keys":[1]}', 1, 1]);
  set.want([byUri]);
  delete documents[URI];
  clock.advance(REFRESH_MS);
  await eventually(() => asked.length === 2);
  assert.equal(jwksOf(`uri:${URI}`), '{"keys":[1]}');
  documents[URI] = { keys: [2] };
  await eventually(() => {
    clock.advance(RETRY_MS);
    return jwksOf(`uri:${URI}`) === '{"keys":[2]}';
  });
  assert.equal(state.changes, 2);
  set.stop();
});

test("a first failure leaves nothing, and settles", async () => {
  const { resolver: set, jwksOf, state } = resolver({});
  set.want([byUri]);
  await set.settled();
  assert.deepEqual([jwksOf(`uri:${URI}`), state.changes], [undefined, 0]);
  set.stop();
});

test("what nobody wants any more is forgotten", async () => {
  const { resolver: set, jwksOf, state } = resolver({ [URI]: { keys: [] } });
  set.want([byUri]);
  await set.settled();
  set.want([]);
  assert.deepEqual([jwksOf(`uri:${URI}`), state.changes], [undefined, 2]);
});

describe("documents", () => {
  const discovery = "https://issuer.example/.well-known/openid-configuration";
  const byIssuer = rule({ kind: "discovery", issuer: "https://issuer.example/" });
  const key = "issuer:https://issuer.example/";
  const cases: readonly (readonly [
    string,
    TokenRule,
    string,
    Record<string, unknown>,
    string | undefined,
  ])[] = [
    [
      "named by the issuer",
      byIssuer,
      key,
      { [discovery]: { jwks_uri: URI }, [URI]: { keys: [] } },
      '{"keys":[]}',
    ],
    ["no URI in the discovery document", byIssuer, key, { [discovery]: {} }, undefined],
    [
      "a URI of another scheme",
      byIssuer,
      key,
      { [discovery]: { jwks_uri: "file:///etc/shadow" } },
      undefined,
    ],
    ["a set without keys", byUri, `uri:${URI}`, { [URI]: { keys: "none" } }, undefined],
    ["a list", byUri, `uri:${URI}`, { [URI]: [] }, undefined],
  ];
  for (const [name, wanted, at, documents, want] of cases)
    test(name, async () => {
      const { resolver: set, jwksOf } = resolver(documents);
      set.want([wanted]);
      await set.settled();
      assert.equal(jwksOf(at), want);
      set.stop();
    });
});
