/** Lists: what a resourceVersion means, pages, selectors. */

import assert from "node:assert/strict";
import type { ApiClient } from "./api-client.ts";
import { assertRefused, at, type Contract, done, listAt, makeNamespace, textAt } from "./contract.ts";

async function fill(api: ApiClient, namespace: string, count: number): Promise<string> {
  const maps = `${await makeNamespace(api, namespace)}/configmaps`;
  for (let index = 0; index < count; index++)
    await done(api, "POST", maps, {
      metadata: {
        name: `m-${index}`,
        labels: { parity: index % 2 === 0 ? "even" : "odd", index: `${index}` },
      },
    });
  return maps;
}

const names = (body: unknown): string[] =>
  listAt(body, "items").map((item) => textAt(item, "metadata", "name"));

export function readingCases({ case: contract }: Contract): void {
  contract(
    "list: a page says where it ends, how many are left, and all pages show one moment",
    async (api) => {
      const maps = await fill(api, "pages", 5);
      const first = await done(api, "GET", `${maps}?limit=2`);
      assert.deepEqual(names(first.body), ["m-0", "m-1"]);
      assert.equal(at(first.body, "metadata", "remainingItemCount"), 3);
      const token = encodeURIComponent(textAt(first.body, "metadata", "continue"));
      await done(api, "DELETE", `${maps}/m-3`);
      await done(api, "POST", maps, { metadata: { name: "m-9" } });
      const second = await done(api, "GET", `${maps}?limit=2&continue=${token}`);
      assert.deepEqual(names(second.body), ["m-2", "m-3"]);
      const last = await done(
        api,
        "GET",
        `${maps}?limit=2&continue=${encodeURIComponent(textAt(second.body, "metadata", "continue"))}`,
      );
      assert.deepEqual(names(last.body), ["m-4"]);
      assert.equal(at(last.body, "metadata", "continue"), undefined);
      assert.equal(at(last.body, "metadata", "remainingItemCount"), undefined);
      assert.equal(
        textAt(last.body, "metadata", "resourceVersion"),
        textAt(first.body, "metadata", "resourceVersion"),
      );
      // The same page again: a token is good for more than one answer.
      const again = await done(api, "GET", `${maps}?limit=2&continue=${token}`);
      assert.deepEqual(names(again.body), ["m-2", "m-3"]);
    },
  );

  contract("list: a selected page does not say how many are left", async (api) => {
    const maps = await fill(api, "selected-pages", 5);
    const first = await done(api, "GET", `${maps}?limit=2&labelSelector=parity%3Deven`);
    assert.deepEqual(names(first.body), ["m-0", "m-2"]);
    assert.equal(at(first.body, "metadata", "remainingItemCount"), undefined);
    const token = encodeURIComponent(textAt(first.body, "metadata", "continue"));
    const second = await done(api, "GET", `${maps}?limit=2&labelSelector=parity%3Deven&continue=${token}`);
    assert.deepEqual(names(second.body), ["m-4"]);
  });

  contract("list: a continue token that is none is refused", async (api) => {
    const maps = await fill(api, "bad-token", 1);
    assertRefused(await api.call("GET", `${maps}?limit=1&continue=nonsense`), {
      code: 400,
      reason: "BadRequest",
      message: /continue key is not valid/,
    });
  });

  contract("list: a continue token goes with no resourceVersion", async (api) => {
    const maps = await fill(api, "token-and-version", 2);
    const first = await done(api, "GET", `${maps}?limit=1`);
    const token = encodeURIComponent(textAt(first.body, "metadata", "continue"));
    const version = textAt(first.body, "metadata", "resourceVersion");
    assertRefused(await api.call("GET", `${maps}?limit=1&continue=${token}&resourceVersion=${version}`), {
      code: 400,
      reason: "BadRequest",
      message: /specifying resource version is not allowed when using continue/,
    });
  });

  contract("list: a resourceVersion from the future is told to be waited for", async (api) => {
    const maps = await fill(api, "future", 1);
    const answer = await api.call("GET", `${maps}?resourceVersion=999999999&timeoutSeconds=1`);
    assertRefused(answer, {
      code: 504,
      reason: "Timeout",
      message: /^Timeout: Too large resource version: 999999999, current: \d+$/,
    });
    assert.equal(at(answer.body, "details", "retryAfterSeconds"), 1);
    assert.equal(at(answer.body, "details", "causes", 0, "reason"), "ResourceVersionTooLarge");
  });

  const versions: readonly { readonly query: string; readonly says: RegExp | undefined }[] = [
    { query: "resourceVersion=", says: undefined },
    { query: "resourceVersion=0", says: undefined },
    { query: "resourceVersion=1&resourceVersionMatch=NotOlderThan", says: undefined },
    { query: "resourceVersion=0&resourceVersionMatch=NotOlderThan", says: undefined },
    {
      query: "resourceVersion=0&resourceVersionMatch=Exact",
      says: /resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"/i,
    },
    {
      query: "resourceVersionMatch=Exact",
      says: /resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided/,
    },
    {
      query: "resourceVersion=1&resourceVersionMatch=Nearly",
      says: /resourceVersionMatch: Unsupported value: "Nearly"/,
    },
    { query: "resourceVersion=abc", says: /resourceVersion: Invalid value: "abc"/ },
    { query: "limit=abc", says: /limit|strconv/ },
  ];
  for (const [index, { query, says }] of versions.entries())
    contract(`list: ?${query}`, async (api) => {
      const maps = await fill(api, `version-${index}`, 1);
      const answer = await api.call("GET", `${maps}?${query}`);
      if (says === undefined) assert.deepEqual(names(answer.body), ["m-0"], answer.text);
      else {
        // 1.20 answers 500 for a number that is none.
        assert.ok([400, 422, 500].includes(answer.code), answer.text);
        assert.match(textAt(answer.body, "message"), says);
      }
    });

  contract("list: exactly as it was at an earlier resourceVersion", async (api) => {
    const maps = await fill(api, "exact", 2);
    const before = textAt((await done(api, "GET", maps)).body, "metadata", "resourceVersion");
    await done(api, "DELETE", `${maps}/m-0`);
    const exact = await done(api, "GET", `${maps}?resourceVersion=${before}&resourceVersionMatch=Exact`);
    assert.deepEqual(names(exact.body), ["m-0", "m-1"]);
  });

  const selectors: readonly { readonly query: string; readonly want: readonly string[] | RegExp }[] = [
    { query: "labelSelector=parity=even,index!=0", want: ["m-2"] },
    { query: "labelSelector=parity in (even,none)", want: ["m-0", "m-2"] },
    { query: "labelSelector=parity notin (even)", want: ["m-1", "m-3"] },
    { query: "labelSelector=!parity", want: [] },
    { query: "labelSelector=parity,index in (1)", want: ["m-1"] },
    { query: "labelSelector=index>1", want: ["m-2", "m-3"] },
    { query: "labelSelector=a b", want: /unable to parse requirement|found 'b', expected/ },
    { query: "labelSelector=-a", want: /unable to parse requirement|name part must consist/ },
    { query: "fieldSelector=metadata.name=m-1", want: ["m-1"] },
    { query: "fieldSelector=metadata.name!=m-1,metadata.namespace!=x", want: ["m-0", "m-2", "m-3"] },
    {
      query: "fieldSelector=data.a=b",
      want: /field label not supported: data\.a|"data\.a" is not a known field selector/,
    },
  ];
  for (const [index, { query, want }] of selectors.entries())
    contract(`list: ?${query}`, async (api) => {
      const maps = await fill(api, `selector-${index}`, 4);
      const [key = "", ...value] = query.split("=");
      const answer = await api.call("GET", `${maps}?${key}=${encodeURIComponent(value.join("="))}`);
      if (want instanceof RegExp) assertRefused(answer, { code: 400, reason: "BadRequest", message: want });
      else assert.deepEqual(names(answer.body), want, answer.text);
    });
}
