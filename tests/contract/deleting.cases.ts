/** Deleting: preconditions, finalizers, propagation, collections, namespaces. */

import assert from "node:assert/strict";
import { assertRefused, at, type Contract, done, listAt, MERGE, makeNamespace, textAt } from "./contract.ts";

export function deletingCases({ case: contract }: Contract): void {
  contract("delete answers with a Status that names the object", async (api) => {
    const maps = `${await makeNamespace(api, "delete")}/configmaps`;
    const made = await done(api, "POST", maps, { metadata: { name: "a" } });
    const { body } = await done(api, "DELETE", `${maps}/a`);
    assert.deepEqual(
      [at(body, "kind"), at(body, "status"), at(body, "details")],
      ["Status", "Success", { name: "a", kind: "configmaps", uid: textAt(made.body, "metadata", "uid") }],
    );
    assertRefused(await api.call("DELETE", `${maps}/a`), {
      code: 404,
      reason: "NotFound",
      message: 'configmaps "a" not found',
    });
  });

  contract("delete: preconditions", async (api) => {
    const maps = `${await makeNamespace(api, "preconditions")}/configmaps`;
    const made = await done(api, "POST", maps, { metadata: { name: "a" } });
    for (const preconditions of [{ uid: "other" }, { resourceVersion: "1" }])
      assertRefused(await api.call("DELETE", `${maps}/a`, { body: { preconditions } }), {
        code: 409,
        reason: "Conflict",
        message:
          /^Operation cannot be fulfilled on ConfigMap "a": the (UID|ResourceVersion) in the precondition \((other|1)\) does not match the/,
      });
    await done(api, "DELETE", `${maps}/a`, { preconditions: { uid: textAt(made.body, "metadata", "uid") } });
  });

  contract(
    "delete: a finalizer holds the object, which takes no new ones and goes with the last",
    async (api) => {
      const maps = `${await makeNamespace(api, "finalizers")}/configmaps`;
      await done(api, "POST", maps, { metadata: { name: "a", finalizers: ["a.example/x", "a.example/y"] } });
      const held = await done(api, "DELETE", `${maps}/a`);
      assert.equal(at(held.body, "kind"), "ConfigMap");
      assert.notEqual(textAt(held.body, "metadata", "deletionTimestamp"), "");
      assert.equal(at(held.body, "metadata", "deletionGracePeriodSeconds"), 0);
      const more = { metadata: { finalizers: ["a.example/x", "a.example/z"] } };
      assertRefused(await api.call("PATCH", `${maps}/a`, { body: more, ...MERGE }), {
        code: 422,
        reason: "Invalid",
        message:
          /metadata\.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"a\.example\/z"\}/,
      });
      await done(api, "PATCH", `${maps}/a`, { metadata: { finalizers: ["a.example/y"] } }, MERGE);
      assert.equal((await api.call("GET", `${maps}/a`)).code, 200);
      await done(api, "PATCH", `${maps}/a`, { metadata: { finalizers: null } }, MERGE);
      assert.equal((await api.call("GET", `${maps}/a`)).code, 404);
    },
  );

  const propagations = [
    { options: { propagationPolicy: "Foreground" }, want: ["foregroundDeletion"] },
    { options: { propagationPolicy: "Orphan" }, want: ["orphan"] },
    { options: { orphanDependents: true }, want: ["orphan"] },
    { options: { propagationPolicy: "Background" }, want: undefined },
  ];
  for (const { options, want } of propagations)
    contract(`delete with ${JSON.stringify(options)}`, async (api) => {
      const maps = `${await makeNamespace(api, "propagation")}/configmaps`;
      await done(api, "POST", maps, { metadata: { name: "a" } });
      await done(api, "DELETE", `${maps}/a`, { kind: "DeleteOptions", apiVersion: "v1", ...options });
      const left = await api.call("GET", `${maps}/a`);
      if (want === undefined) assert.equal(left.code, 404);
      else assert.deepEqual(listAt(left.body, "metadata", "finalizers"), want);
    });

  contract("delete with a propagation that there is not", async (api) => {
    const maps = `${await makeNamespace(api, "wrong-propagation")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" } });
    const answer = await api.call("DELETE", `${maps}/a`, { body: { propagationPolicy: "Sideways" } });
    assertRefused(answer, {
      code: 422,
      reason: "Invalid",
      message: /propagationPolicy: (Unsupported|Invalid) value: .*Sideways/,
    });
  });

  contract("a collection is deleted by selector", async (api) => {
    const maps = `${await makeNamespace(api, "collection")}/configmaps`;
    for (const name of ["a", "b", "c"])
      await done(api, "POST", maps, { metadata: { name, labels: { first: String(name === "a") } } });
    const gone = await done(api, "DELETE", `${maps}?labelSelector=first%3Dfalse`);
    assert.equal(at(gone.body, "kind"), "ConfigMapList");
    const left = await done(api, "GET", maps);
    assert.deepEqual(
      listAt(left.body, "items").map((item) => textAt(item, "metadata", "name")),
      ["a"],
    );
  });

  contract("a namespace that ends takes nothing new", async (api) => {
    const space = await makeNamespace(api, "ending");
    const name = space.split("/").at(-1) ?? "";
    // Something that holds it, where a controller empties namespaces.
    await done(api, "POST", `${space}/configmaps`, { metadata: { name: "a", finalizers: ["a.example/x"] } });
    const ending = await done(api, "DELETE", space);
    assert.deepEqual(
      [at(ending.body, "status", "phase"), at(ending.body, "spec", "finalizers")],
      ["Terminating", ["kubernetes"]],
    );
    assertRefused(await api.call("POST", `${space}/configmaps`, { body: { metadata: { name: "b" } } }), {
      code: 403,
      reason: "Forbidden",
      message: `configmaps "b" is forbidden: unable to create new content in namespace ${name} because it is being terminated`,
    });
    await done(api, "PATCH", `${space}/configmaps/a`, { metadata: { finalizers: null } }, MERGE);
  });

  contract("a namespace that cannot be deleted says so", async (api) => {
    assertRefused(await api.call("DELETE", "/api/v1/namespaces/kube-system"), {
      code: 403,
      reason: "Forbidden",
      message: /namespaces "kube-system" is forbidden: this namespace may not be deleted/,
    });
  });
}
