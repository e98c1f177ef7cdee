/** Patches of every kind, and server-side apply with its conflicts. */

import assert from "node:assert/strict";
import type { ApiClient } from "./api-client.ts";
import {
  assertRefused,
  at,
  type Contract,
  done,
  JSON_PATCH,
  listAt,
  MERGE,
  makeNamespace,
  STRATEGIC,
  textAt,
} from "./contract.ts";

const container = (name: string, more: object = {}): object => ({ name, image: `${name}:1`, ...more });

async function makeDeployment(
  api: ApiClient,
  namespace: string,
  containers: readonly object[],
): Promise<string> {
  const space = (await makeNamespace(api, namespace)).replace("/api/v1/", "/apis/apps/v1/");
  await done(api, "POST", `${space}/deployments`, {
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: { containers } },
    },
  });
  return `${space}/deployments/d`;
}

const podOf = (containers: readonly object[]): object => ({ spec: { template: { spec: { containers } } } });
const namesOf = (body: unknown): string[] =>
  listAt(body, "spec", "template", "spec", "containers").map((item) => textAt(item, "name"));

export function patchingCases(contract: Contract): void {
  plainPatches(contract);
  refusedPatches(contract);
  strategicPatches(contract);
}

function plainPatches({ case: contract }: Contract): void {
  contract("a merge patch sets, and null removes", async (api) => {
    const maps = `${await makeNamespace(api, "merge")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" }, data: { a: "1", b: "2" } });
    const { body } = await done(api, "PATCH", `${maps}/a`, { data: { a: null, c: "3" } }, MERGE);
    assert.deepEqual(at(body, "data"), { b: "2", c: "3" });
  });

  contract("a JSON patch tests, adds, moves, copies and removes, all or nothing", async (api) => {
    const maps = `${await makeNamespace(api, "json")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" }, data: { a: "1" } });
    const steps = [
      { op: "test", path: "/data/a", value: "1" },
      { op: "add", path: "/metadata/annotations", value: {} },
      { op: "add", path: "/metadata/annotations/x~1y", value: "2" },
      { op: "copy", from: "/data/a", path: "/data/b" },
      { op: "move", from: "/data/a", path: "/data/c" },
    ];
    const { body } = await done(api, "PATCH", `${maps}/a`, steps, JSON_PATCH);
    assert.deepEqual(at(body, "data"), { b: "1", c: "1" });
    assert.deepEqual(at(body, "metadata", "annotations"), { "x/y": "2" });
    const wrong = [
      { op: "replace", path: "/data/b", value: "9" },
      { op: "test", path: "/data/c", value: "nine" },
    ];
    const refused = await api.call("PATCH", `${maps}/a`, { body: wrong, ...JSON_PATCH });
    assertRefused(refused, {
      code: 422,
      reason: "Invalid",
      message: /testing value \/data\/c failed|test failed|the server rejected our request/i,
    });
    assert.equal(textAt((await done(api, "GET", `${maps}/a`)).body, "data", "b"), "1");
    const missing = await api.call("PATCH", `${maps}/a`, {
      body: [{ op: "remove", path: "/data/none" }],
      ...JSON_PATCH,
    });
    assertRefused(missing, { code: 422, reason: "Invalid", message: /./ });
  });

  contract("a patch with a stale version is a conflict", async (api) => {
    const maps = `${await makeNamespace(api, "stale-patch")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" } });
    const body = { metadata: { resourceVersion: "1" }, data: { a: "1" } };
    assertRefused(await api.call("PATCH", `${maps}/a`, { body, ...MERGE }), {
      code: 409,
      reason: "Conflict",
      message: /the object has been modified/,
    });
  });
}

function refusedPatches({ case: contract }: Contract): void {
  const refused = [
    {
      name: "of a type that there is not",
      type: "application/x-patch",
      body: {},
      code: 415,
      says: /^415: Unsupported Media Type$|unknown format - accepted media types include: application\/json-patch\+json, application\/merge-patch\+json/,
    },
    {
      name: "that is no JSON",
      type: MERGE.type,
      body: "{",
      code: 400,
      says: /unexpected|Invalid JSON|read the request's body|json/i,
    },
    {
      name: "that renames",
      type: MERGE.type,
      body: { metadata: { name: "b" } },
      code: 400,
      says: /the name of the object \(b\) does not match the name on the URL \(a\)|metadata\.name/,
    },
    {
      name: "of an array that is none",
      type: JSON_PATCH.type,
      body: { a: 1 },
      code: 400,
      says: /cannot unmarshal|array|JSON patch/i,
    },
  ];
  for (const { name, type = "", body, code, says } of refused)
    contract(`a patch ${name} is refused`, async (api) => {
      const maps = `${await makeNamespace(api, "refused-patch")}/configmaps`;
      await done(api, "POST", maps, { metadata: { name: "a" } });
      const answer = await api.call("PATCH", `${maps}/a`, { body, type });
      // 1.20 answers 500 where later ones answer 400.
      assert.ok(answer.code === code || (code === 400 && answer.code === 500), answer.text);
      assert.match(textAt(answer.body, "message"), says);
    });
}

function strategicPatches({ case: contract }: Contract): void {
  contract("a strategic patch merges lists by key, in the patch's order first", async (api) => {
    const path = await makeDeployment(api, "strategic", [
      container("a", {
        env: [
          { name: "X", value: "1" },
          { name: "Y", value: "2" },
        ],
      }),
      container("b"),
    ]);
    const env = [
      { name: "Y", value: "3" },
      { name: "X", $patch: "delete" },
    ];
    const { body } = await done(api, "PATCH", path, podOf([{ name: "a", env }, container("c")]), STRATEGIC);
    assert.deepEqual(namesOf(body).toSorted(), ["a", "b", "c"]);
    const first = listAt(body, "spec", "template", "spec", "containers").find(
      (item) => textAt(item, "name") === "a",
    );
    assert.deepEqual(at(first, "env"), [{ name: "Y", value: "3" }]);
  });

  const directives = [
    { name: "$patch: replace", patch: podOf([container("z"), { $patch: "replace" }]), want: ["z"] },
    {
      name: "$deleteFromPrimitiveList and $setElementOrder",
      patch: {
        spec: {
          template: {
            spec: {
              "$setElementOrder/containers": [{ name: "b" }, { name: "a" }],
              containers: [{ name: "a", image: "a:2" }],
            },
          },
        },
      },
      want: ["b", "a"],
    },
    {
      name: "$retainKeys",
      patch: { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
      want: ["a", "b"],
    },
  ];
  for (const { name, patch, want } of directives)
    contract(`a strategic patch with ${name}`, async (api) => {
      const path = await makeDeployment(api, "directive", [container("a"), container("b")]);
      const { body } = await done(api, "PATCH", path, patch, STRATEGIC);
      assert.deepEqual(namesOf(body), want);
      if (name === "$retainKeys") assert.deepEqual(at(body, "spec", "strategy"), { type: "Recreate" });
    });
}
