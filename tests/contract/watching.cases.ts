/** Watches: where they begin, what they tell, how they end and go on. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { eventually } from "@meltemi/testkit";
import type { OpenWatch } from "./api-client.ts";
import { at, type Contract, done, MERGE, makeNamespace, textAt } from "./contract.ts";

async function take(watch: OpenWatch, count: number): Promise<string[]> {
  const told: string[] = [];
  for (let index = 0; index < count; index++) {
    const event = await watch.next();
    told.push(event === undefined ? "end" : `${event.type} ${textAt(event.object, "metadata", "name")}`);
  }
  return told;
}

export function watchingCases({ case: contract }: Contract): void {
  for (const query of ["", "&resourceVersion=0"])
    contract(`watch: ?watch=1${query} begins with what there is`, async (api) => {
      const maps = `${await makeNamespace(api, "begin")}/configmaps`;
      await done(api, "POST", maps, { metadata: { name: "a" } });
      using watch = await api.watch(`${maps}?watch=1${query}`);
      assert.deepEqual(await take(watch, 1), ["ADDED a"]);
      await done(api, "POST", maps, { metadata: { name: "b" } });
      await done(api, "DELETE", `${maps}/a`);
      assert.deepEqual(await take(watch, 2), ["ADDED b", "DELETED a"]);
    });

  contract(
    "watch: from a version on, nothing twice and nothing lost, also across reconnects",
    async (api) => {
      const maps = `${await makeNamespace(api, "resume")}/configmaps`;
      let version = textAt((await done(api, "GET", maps)).body, "metadata", "resourceVersion");
      const told: string[] = [];
      for (let round = 0; round < 5; round++) {
        await done(api, "POST", maps, { metadata: { name: `a-${round}` } });
        await done(api, "PATCH", `${maps}/a-${round}`, { data: { a: "1" } }, MERGE);
        // One event is read, then the connection goes; the next round begins behind it.
        using watch = await api.watch(`${maps}?watch=1&resourceVersion=${version}`);
        const event = await watch.next();
        told.push(`${event?.type} ${textAt(event?.object, "metadata", "name")}`);
        version = textAt(event?.object, "metadata", "resourceVersion");
      }
      assert.deepEqual(told, ["ADDED a-0", "MODIFIED a-0", "ADDED a-1", "MODIFIED a-1", "ADDED a-2"]);
    },
  );

  contract("watch: a deletion carries the last state and a version to go on from", async (api) => {
    const maps = `${await makeNamespace(api, "deleted")}/configmaps`;
    const made = await done(api, "POST", maps, { metadata: { name: "a" }, data: { a: "1" } });
    const version = textAt(made.body, "metadata", "resourceVersion");
    using watch = await api.watch(`${maps}?watch=1&resourceVersion=${version}`);
    await done(api, "DELETE", `${maps}/a`);
    const event = await watch.next();
    assert.deepEqual([event?.type, at(event?.object, "data", "a")], ["DELETED", "1"]);
    assert.ok(Number(textAt(event?.object, "metadata", "resourceVersion")) > Number(version));
  });

  contract("watch: what leaves a selector is deleted for it, what enters is added", async (api) => {
    const maps = `${await makeNamespace(api, "selector")}/configmaps`;
    using watch = await api.watch(`${maps}?watch=1&labelSelector=on%3Dyes`);
    await done(api, "POST", maps, { metadata: { name: "a" } });
    await done(api, "PATCH", `${maps}/a`, { metadata: { labels: { on: "yes" } } }, MERGE);
    await done(api, "PATCH", `${maps}/a`, { data: { a: "1" } }, MERGE);
    await done(api, "PATCH", `${maps}/a`, { metadata: { labels: { on: "no" } } }, MERGE);
    assert.deepEqual(await take(watch, 3), ["ADDED a", "MODIFIED a", "DELETED a"]);
  });

  contract("watch: timeoutSeconds ends it", async (api) => {
    const maps = `${await makeNamespace(api, "timeout")}/configmaps`;
    using watch = await api.watch(`${maps}?watch=1&timeoutSeconds=1`);
    assert.deepEqual(await take(watch, 1), ["end"]);
  });

  contract("watch: one object by its name, as a path of old and as a selector", async (api) => {
    const space = await makeNamespace(api, "one");
    const maps = `${space}/configmaps`;
    using watch = await api.watch(`${maps}?watch=1&fieldSelector=metadata.name%3Db`);
    for (const name of ["a", "b", "c"]) await done(api, "POST", maps, { metadata: { name } });
    await done(api, "DELETE", `${maps}/b`);
    assert.deepEqual(await take(watch, 2), ["ADDED b", "DELETED b"]);
  });

  contract("watch: resourceVersionMatch is refused, and a version that is none", async (api) => {
    const maps = `${await makeNamespace(api, "refused-watch")}/configmaps`;
    const match = await api.call(
      "GET",
      `${maps}?watch=1&resourceVersion=1&resourceVersionMatch=Exact&timeoutSeconds=1`,
    );
    assert.equal(match.code, 422, match.text);
    assert.match(
      textAt(match.body, "message"),
      /resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch/,
    );
    const none = await api.call("GET", `${maps}?watch=1&resourceVersion=abc&timeoutSeconds=1`);
    assert.ok([400, 500].includes(none.code) || textAt(none.body, "type") === "ERROR", none.text);
  });

  contract("watch: sendInitialEvents tells what there is, then a bookmark that says so", async (api) => {
    const maps = `${await makeNamespace(api, "initial")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" } });
    const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    using watch = await api.watch(`${maps}?${query}`);
    assert.deepEqual(await take(watch, 1), ["ADDED a"]);
    const bookmark = await watch.next();
    assert.equal(bookmark?.type, "BOOKMARK");
    assert.equal(at(bookmark?.object, "metadata", "annotations", "k8s.io/initial-events-end"), "true");
  });

  contract("watch: a version that is forgotten is told inside it, and it ends", async (api) => {
    const group = `g${randomUUID().slice(0, 8)}.example`;
    const definition = `things.${group}`;
    await done(api, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      metadata: { name: definition },
      spec: {
        group,
        scope: "Namespaced",
        names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
        versions: [
          { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
        ],
      },
    });
    const things = `/apis/${group}/v1/things`;
    await eventually(async () => (await api.call("GET", things)).code === 200, { deadlineMs: 20_000 });
    using watch = await api.watch(`${things}?watch=1&resourceVersion=1`);
    const event = await watch.next();
    assert.equal(event?.type, "ERROR");
    assert.deepEqual(
      [at(event?.object, "kind"), at(event?.object, "code"), at(event?.object, "reason")],
      ["Status", 410, "Expired"],
    );
    assert.match(textAt(event?.object, "message"), /^too old resource version: 1 \(\d+\)$/);
    assert.equal(await watch.next(), undefined);
  });

  contract("watch: bookmarks say how far it has come, the last just before its end", async (api) => {
    const maps = `${await makeNamespace(api, "bookmark")}/configmaps`;
    const made = await done(api, "POST", maps, { metadata: { name: "a" } });
    const version = textAt(made.body, "metadata", "resourceVersion");
    using watch = await api.watch(
      `${maps}?watch=1&resourceVersion=${version}&allowWatchBookmarks=true&timeoutSeconds=5`,
    );
    // What moves it on is nothing that this watch is told.
    const other = await makeNamespace(api, "bookmark-other");
    await done(api, "POST", `${other}/configmaps`, { metadata: { name: "b" } });
    // How many come is the server's choice: one, or with a moving store several.
    const reached: number[] = [];
    for (let event = await watch.next(); event !== undefined; event = await watch.next()) {
      assert.equal(event.type, "BOOKMARK");
      assert.deepEqual([at(event.object, "kind"), at(event.object, "apiVersion")], ["ConfigMap", "v1"]);
      reached.push(Number(textAt(event.object, "metadata", "resourceVersion")));
    }
    assert.ok(reached.length > 0, "no bookmark came");
    assert.ok((reached[0] ?? 0) > Number(version));
    assert.deepEqual(
      reached,
      reached.toSorted((a, b) => a - b),
    );
  });

  contract("watch: Tables, the columns once", async (api) => {
    const maps = `${await makeNamespace(api, "table")}/configmaps`;
    const made = await done(api, "POST", maps, { metadata: { name: "a" } });
    assert.notEqual(made.code, 0);
    const answer = await api.call("GET", `${maps}?watch=1&timeoutSeconds=1`, {
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
    });
    const [line = ""] = answer.text.split("\n");
    const event = JSON.parse(line) as unknown;
    assert.deepEqual(
      [at(event, "type"), at(event, "object", "kind"), at(event, "object", "columnDefinitions", 0, "name")],
      ["ADDED", "Table", "Name"],
    );
    assert.deepEqual(at(event, "object", "rows", 0, "cells", 0), "a");
  });
}
