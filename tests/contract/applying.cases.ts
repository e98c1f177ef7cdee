/** Server-side apply: who owns a field, what happens when two want it, what goes when it is no longer said. */

import assert from "node:assert/strict";
import type { Answer, ApiClient } from "./api-client.ts";
import {
  APPLY,
  assertRefused,
  at,
  type Contract,
  done,
  listAt,
  MERGE,
  makeNamespace,
  textAt,
} from "./contract.ts";

const configMap = (data: object, more: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", ...more },
  data,
});

function apply(api: ApiClient, path: string, manager: string, body: object, query = ""): Promise<Answer> {
  return api.call("PATCH", `${path}?fieldManager=${manager}${query}`, { body, ...APPLY });
}

async function applied(...words: Parameters<typeof apply>): Promise<unknown> {
  const answer = await apply(...words);
  assert.ok(answer.code < 300, answer.text);
  return answer.body;
}

export function applyingCases({ case: contract }: Contract): void {
  contract("apply creates, owns what it says, and drops what it no longer says", async (api) => {
    const path = `${await makeNamespace(api, "apply")}/configmaps/a`;
    const made = await apply(api, path, "one", configMap({ x: "1", y: "2" }));
    assert.equal(made.code, 201);
    const [entry] = listAt(made.body, "metadata", "managedFields");
    assert.deepEqual(
      [
        at(entry, "manager"),
        at(entry, "operation"),
        at(entry, "apiVersion"),
        at(entry, "fieldsType"),
        at(entry, "fieldsV1"),
      ],
      ["one", "Apply", "v1", "FieldsV1", { "f:data": { "f:x": {}, "f:y": {} } }],
    );
    const less = await applied(api, path, "one", configMap({ x: "1" }));
    assert.deepEqual(at(less, "data"), { x: "1" });
  });

  contract(
    "apply: two managers with the same value share a field, which stays until both let go",
    async (api) => {
      const path = `${await makeNamespace(api, "shared")}/configmaps/a`;
      await applied(api, path, "one", configMap({ x: "1" }));
      await applied(api, path, "two", configMap({ x: "1", y: "2" }));
      assert.deepEqual(at(await applied(api, path, "one", configMap({})), "data"), { x: "1", y: "2" });
      assert.deepEqual(at(await applied(api, path, "two", configMap({ y: "2" })), "data"), { y: "2" });
    },
  );

  contract("apply: another's field is a conflict, told exactly; force takes it", async (api) => {
    const path = `${await makeNamespace(api, "conflict")}/configmaps/a`;
    await applied(api, path, "one", configMap({ x: "1", y: "1" }));
    const refused = await apply(api, path, "two", configMap({ x: "2", z: "1" }));
    assertRefused(refused, {
      code: 409,
      reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "one": .data.x',
    });
    assert.deepEqual(at(refused.body, "details", "causes"), [
      { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.x" },
    ]);
    assertRefused(await apply(api, path, "two", configMap({ x: "2", y: "2" })), {
      code: 409,
      reason: "Conflict",
      message: 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y',
    });
    const forced = await applied(api, path, "two", configMap({ x: "2" }), "&force=true");
    assert.equal(at(forced, "data", "x"), "2");
    assert.deepEqual(at(await applied(api, path, "one", configMap({ y: "1" })), "data"), { x: "2", y: "1" });
  });

  contract("apply: what an update wrote is a conflict with it", async (api) => {
    const maps = `${await makeNamespace(api, "updated")}/configmaps`;
    await done(api, "POST", `${maps}?fieldManager=writer`, configMap({ x: "1" }));
    assertRefused(await apply(api, `${maps}/a`, "one", configMap({ x: "2" })), {
      code: 409,
      reason: "Conflict",
      message: /^Apply failed with 1 conflict: conflict with "writer" using v1(: | at .*: )\.data\.x$/,
    });
    await done(api, "PATCH", `${maps}/a?fieldManager=writer`, { data: { x: "3" } }, MERGE);
  });

  contract("apply: items of a list with keys have owners of their own", async (api) => {
    const path = `${await makeNamespace(api, "keys")}/services/a`;
    const service = (...ports: readonly object[]): object => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "a" },
      spec: { ports },
    });
    const port = (name: string, number: number): object => ({ name, port: number, protocol: "TCP" });
    await applied(api, path, "one", service(port("a", 80)));
    const both = await applied(api, path, "two", service(port("b", 81)));
    assert.deepEqual(
      listAt(both, "spec", "ports").map((item) => textAt(item, "name")),
      ["a", "b"],
    );
    const owned = listAt(both, "metadata", "managedFields").find((entry) => at(entry, "manager") === "two");
    assert.ok(at(owned, "fieldsV1", "f:spec", "f:ports", 'k:{"port":81,"protocol":"TCP"}') !== undefined);
    assert.deepEqual(
      listAt(await applied(api, path, "two", service()), "spec", "ports").map((item) => at(item, "port")),
      [80],
    );
  });

  contract("apply: finalizers are a set", async (api) => {
    const path = `${await makeNamespace(api, "set")}/configmaps/a`;
    await applied(api, path, "one", configMap({}, { finalizers: ["a.example/x"] }));
    const both = await applied(api, path, "two", configMap({}, { finalizers: ["a.example/y"] }));
    assert.deepEqual(listAt(both, "metadata", "finalizers").toSorted(), ["a.example/x", "a.example/y"]);
    assert.deepEqual(at(await applied(api, path, "one", configMap({})), "metadata", "finalizers"), [
      "a.example/y",
    ]);
    await applied(api, path, "two", configMap({}));
  });

  contract("apply: the status has owners of its own", async (api) => {
    const space = await makeNamespace(api, "status");
    await done(api, "POST", `${space}/services`, {
      metadata: { name: "a" },
      spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
    });
    const body = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "a" },
      status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } },
    };
    const whole = await applied(api, `${space}/services/a`, "one", body);
    assert.equal(at(whole, "status", "loadBalancer", "ingress"), undefined);
    const status = await applied(api, `${space}/services/a/status`, "one", body);
    assert.equal(at(status, "status", "loadBalancer", "ingress", 0, "ip"), "1.2.3.4");
  });

  const refused = [
    {
      name: "without a manager",
      path: "",
      query: "force=true",
      body: configMap({}),
      code: 422,
      says: /fieldManager: Required value: is required for apply patch/,
    },
    {
      name: "with managedFields",
      path: "",
      query: "fieldManager=a",
      body: configMap({}, { managedFields: [] }),
      code: 400,
      says: /metadata\.managedFields must be nil/,
    },
    {
      name: "without a kind",
      path: "",
      query: "fieldManager=a",
      body: { metadata: { name: "a" } },
      code: 400,
      says: /kind|version/i,
    },
    {
      name: "of another name",
      path: "",
      query: "fieldManager=a",
      body: configMap({}, { name: "b" }),
      code: 400,
      says: /the name of the object \(b\) does not match the name on the URL \(a\)/,
    },
  ];
  for (const { name, query, body, code, says } of refused)
    contract(`apply ${name} is refused`, async (api) => {
      const path = `${await makeNamespace(api, "refused-apply")}/configmaps/a?${query}`;
      const answer = await api.call("PATCH", path, { body, ...APPLY });
      assert.equal(answer.code, code, answer.text);
      assert.match(textAt(answer.body, "message"), says);
    });
}
