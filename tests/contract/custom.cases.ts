/** Custom resources: from the definition to defaults, pruning, validation, columns, conversion-free versions, subresources. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { eventually } from "@meltemi/testkit";
import type { ApiClient } from "./api-client.ts";
import {
  APPLY,
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

const SPEC_SCHEMA = {
  type: "object",
  required: ["sails"],
  properties: {
    sails: { type: "integer", minimum: 1, maximum: 10 },
    colour: { type: "string", enum: ["red", "blue"], default: "red" },
    name: { type: "string", pattern: "^[a-z]+$", maxLength: 5 },
    cargo: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    crew: {
      type: "array",
      maxItems: 2,
      items: {
        type: "object",
        required: ["name"],
        properties: { name: { type: "string" }, role: { type: "string" } },
      },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    },
  },
};

/** Apart, because kube-apiserver 1.20 builds no models for apply and explain from a schema with such a field. */
const WITH_PORT = {
  ...SPEC_SCHEMA,
  properties: { ...SPEC_SCHEMA.properties, port: { "x-kubernetes-int-or-string": true } },
};

const VALIDATIONS = [{ rule: "self.sails != 7", message: "seven sails bring bad luck" }];

/** A definition in a group of the case's own; resolves with the path of its objects once they are served. */
async function define(api: ApiClient, spec: object = SPEC_SCHEMA): Promise<string> {
  const group = `g${randomUUID().slice(0, 8)}.example`;
  const properties = { spec, status: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  await done(api, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    metadata: { name: `boats.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural: "boats", singular: "boat", kind: "Boat", shortNames: ["bt"] },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: { specReplicasPath: ".spec.sails", statusReplicasPath: ".status.sails" },
          },
          additionalPrinterColumns: [{ name: "Sails", type: "integer", jsonPath: ".spec.sails" }],
          schema: { openAPIV3Schema: { type: "object", required: ["spec"], properties } },
        },
      ],
    },
  });
  const namespace = (await makeNamespace(api, "boats")).split("/").at(-1) ?? "";
  const path = `/apis/${group}/v1/namespaces/${namespace}/boats`;
  // Served a moment after the definition is: a watch of it ends each wait.
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await api.call("GET", path)).code === 200) return path;
    await api.call(
      "GET",
      "/api/v1/namespaces?watch=1&timeoutSeconds=1&limit=1&fieldSelector=metadata.name%3Dnone",
    );
  }
  throw new Error(`${path} is not served`);
}

const boat = (path: string, spec: object, more: object = {}): object => ({
  apiVersion: path.split("/").slice(2, 4).join("/"),
  kind: "Boat",
  metadata: { name: "a" },
  spec,
  ...more,
});

export function customCases(contract: Contract): void {
  schemaCases(contract);
  servingCases(contract);
}

function schemaCases({ case: contract }: Contract): void {
  contract("a custom resource is defaulted and pruned, but for what is to be preserved", async (api) => {
    const path = await define(api, WITH_PORT);
    const spec = { sails: 2, surprise: 1, cargo: { any: { thing: 1 } }, port: "http" };
    const { body } = await done(api, "POST", path, boat(path, spec, { surprise: 2, status: { sails: 1 } }));
    assert.deepEqual(at(body, "spec"), {
      sails: 2,
      colour: "red",
      cargo: { any: { thing: 1 } },
      port: "http",
    });
    assert.deepEqual(
      [at(body, "surprise"), at(body, "status"), at(body, "metadata", "generation")],
      [undefined, undefined, 1],
    );
  });

  const faults = [
    { name: "a missing field", spec: {}, says: "spec.sails: Required value" },
    {
      name: "a number that is too small",
      spec: { sails: 0 },
      says: "spec.sails: Invalid value: 0: spec.sails in body should be greater than or equal to 1",
    },
    {
      name: "a number that is too large",
      spec: { sails: 11 },
      says: "spec.sails: Invalid value: 11: spec.sails in body should be less than or equal to 10",
    },
    {
      name: "a wrong type",
      spec: { sails: "two" },
      says: 'spec.sails: Invalid value: "string": spec.sails in body must be of type integer: "string"',
    },
    {
      name: "a value that is not among them",
      spec: { sails: 1, colour: "green" },
      says: 'spec.colour: Unsupported value: "green": supported values: "red", "blue"',
    },
    {
      name: "a text that does not match",
      spec: { sails: 1, name: "A" },
      says: "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'",
    },
    {
      name: "a text that is too long",
      spec: { sails: 1, name: "abcdef" },
      says: /spec\.name: (Too long: may not be (longer|more) than 5|Invalid value: .*should be at most 5 chars long)/,
    },
    {
      name: "too many items",
      spec: { sails: 1, crew: [{ name: "a" }, { name: "b" }, { name: "c" }] },
      says: /spec\.crew: (Too many: (3: )?must have at most 2 items|Invalid value: .*should have at most 2 items)/,
    },
    {
      name: "a key twice",
      spec: { sails: 1, crew: [{ name: "a" }, { name: "a" }] },
      says: /spec\.crew\[1\]: Duplicate value: (map\[string\]interface \{\}\{"name":"a"\}|\{"name":"a"\})/,
    },
    {
      name: "neither a number nor a text",
      spec: { sails: 1, port: true },
      says: /spec\.port: Invalid value: "boolean": spec\.port in body must be of type integer,string: "boolean"/,
    },
  ];
  for (const { name, spec, says } of faults)
    contract(`a custom resource with ${name} is refused`, async (api) => {
      const path = await define(api, WITH_PORT);
      const answer = await api.call("POST", path, { body: boat(path, spec) });
      const group = path.split("/")[2] ?? "";
      assert.equal(`${answer.code} ${textAt(answer.body, "reason")}`, "422 Invalid", answer.text);
      const message = textAt(answer.body, "message");
      assert.ok(message.startsWith(`Boat.${group} "a" is invalid: `), message);
      if (typeof says === "string") assert.ok(message.includes(says), message);
      else assert.match(message, says);
    });

  contract("a rule in CEL is held", async (api) => {
    const path = await define(api, { ...SPEC_SCHEMA, "x-kubernetes-validations": VALIDATIONS });
    await done(api, "POST", path, boat(path, { sails: 6 }));
    assertRefused(await api.call("PATCH", `${path}/a`, { body: { spec: { sails: 7 } }, ...MERGE }), {
      code: 422,
      reason: "Invalid",
      message: /spec: Invalid value: .*: seven sails bring bad luck$/,
    });
  });
}

function servingCases({ case: contract }: Contract): void {
  contract("a custom resource has a status, a scale, and columns of its own", async (api) => {
    const path = await define(api);
    await done(api, "POST", path, boat(path, { sails: 2 }));
    const patched = await done(
      api,
      "PATCH",
      `${path}/a/status`,
      { spec: { sails: 9 }, status: { sails: 3 } },
      MERGE,
    );
    assert.deepEqual([at(patched.body, "spec", "sails"), at(patched.body, "status", "sails")], [2, 3]);
    const scale = await done(api, "GET", `${path}/a/scale`);
    assert.deepEqual([at(scale.body, "spec", "replicas"), at(scale.body, "status", "replicas")], [2, 3]);
    await done(api, "PATCH", `${path}/a/scale`, { spec: { replicas: 5 } }, MERGE);
    const table = await done(api, "GET", path, undefined, {
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
    });
    assert.deepEqual(
      listAt(table.body, "columnDefinitions").map((column) => textAt(column, "name")),
      ["Name", "Sails"],
    );
    assert.deepEqual(at(table.body, "rows", 0, "cells"), ["a", 5]);
  });

  contract("a custom resource takes JSON patches, and no strategic ones", async (api) => {
    const path = await define(api);
    await done(api, "POST", path, boat(path, { sails: 2 }));
    await done(api, "PATCH", `${path}/a`, [{ op: "replace", path: "/spec/sails", value: 3 }], JSON_PATCH);
    const strategic = await api.call("PATCH", `${path}/a`, { body: { spec: { sails: 4 } }, ...STRATEGIC });
    assert.equal(
      `${strategic.code} ${textAt(strategic.body, "reason")}`,
      "415 UnsupportedMediaType",
      strategic.text,
    );
  });

  contract("a custom resource's list by key has an owner for each item", async (api) => {
    const path = await define(api);
    await done(api, "POST", path, boat(path, { sails: 3 }));
    const crew = (name: string): object => boat(path, { sails: 3, crew: [{ name }] });
    await done(api, "PATCH", `${path}/a?fieldManager=one&force=true`, crew("x"), APPLY);
    const both = await done(api, "PATCH", `${path}/a?fieldManager=two`, crew("y"), APPLY);
    assert.deepEqual(
      listAt(both.body, "spec", "crew").map((item) => textAt(item, "name")),
      ["x", "y"],
    );
  });

  contract("kubectl explains a custom resource", async (api) => {
    const path = await define(api);
    const [, , group = ""] = path.split("/");
    // A real server publishes schemas a moment later.
    await eventually(
      async () => {
        const { stdout } = await api.kubectl([
          "explain",
          "boats.spec",
          `--api-version=${group}/v1`,
          "--recursive",
        ]);
        return /sails\s+<integer>/.test(stdout) && /crew\s+<\[\]Object>/.test(stdout);
      },
      { deadlineMs: 30_000, everyMs: 250 },
    );
  });

  contract("a definition is in discovery and in OpenAPI, and gone with its objects", async (api) => {
    const path = await define(api);
    const [, , group = ""] = path.split("/");
    const list = await done(api, "GET", `/apis/${group}/v1`);
    const found = listAt(list.body, "resources").find((resource) => at(resource, "name") === "boats");
    assert.deepEqual(
      [at(found, "kind"), at(found, "shortNames"), at(found, "singularName")],
      ["Boat", ["bt"], "boat"],
    );
    const names = listAt(list.body, "resources").map((resource) => textAt(resource, "name"));
    assert.deepEqual(names.toSorted(), ["boats", "boats/scale", "boats/status"]);
    const definition = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/boats.${group}`;
    const shown = await done(api, "GET", definition);
    const conditions = listAt(shown.body, "status", "conditions").map(
      (condition) => `${textAt(condition, "type")}=${textAt(condition, "status")}`,
    );
    assert.deepEqual(conditions.toSorted(), ["Established=True", "NamesAccepted=True"]);
    await done(api, "DELETE", definition);
  });
}
