/** Creating and replacing: names, preconditions, dry runs, field validation, what may not change. */

import assert from "node:assert/strict";
import { assertRefused, at, type Contract, done, listAt, MERGE, makeNamespace, textAt } from "./contract.ts";

const POD = { containers: [{ name: "c", image: "i" }] };

export function writingCases({ case: contract }: Contract): void {
  contract("create: the server writes uid, time, version and managers", async (api) => {
    const maps = `${await makeNamespace(api, "create")}/configmaps`;
    const { code, body } = await done(api, "POST", maps, {
      metadata: { generateName: "made-" },
      data: { a: "b" },
    });
    assert.equal(code, 201);
    assert.match(textAt(body, "metadata", "name"), /^made-[a-z0-9]{5}$/);
    assert.match(textAt(body, "metadata", "uid"), /^[0-9a-f-]{36}$/);
    assert.match(textAt(body, "metadata", "creationTimestamp"), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(at(body, "metadata", "managedFields", 0, "fieldsV1"), {
      "f:data": { ".": {}, "f:a": {} },
      ...(at(body, "metadata", "managedFields", 0, "fieldsV1", "f:metadata") === undefined
        ? {}
        : { "f:metadata": { "f:generateName": {} } }),
    });
  });

  contract("create: the same again is there already", async (api) => {
    const maps = `${await makeNamespace(api, "again")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" } });
    const answer = await api.call("POST", maps, { body: { metadata: { name: "a" } } });
    assertRefused(answer, { code: 409, reason: "AlreadyExists", message: 'configmaps "a" already exists' });
    assert.deepEqual(at(answer.body, "details"), { name: "a", kind: "configmaps" });
  });

  contract("create: in a namespace that is not there", async (api) => {
    const answer = await api.call("POST", "/api/v1/namespaces/nowhere/configmaps", {
      body: { metadata: { name: "a" } },
    });
    assertRefused(answer, { code: 404, reason: "NotFound", message: 'namespaces "nowhere" not found' });
  });

  contract("replace: a stale version is a conflict, none is none, another uid is refused", async (api) => {
    const maps = `${await makeNamespace(api, "stale")}/configmaps`;
    const made = await done(api, "POST", maps, { metadata: { name: "a" } });
    const resourceVersion = textAt(made.body, "metadata", "resourceVersion");
    await done(api, "PUT", `${maps}/a`, { metadata: { name: "a", resourceVersion }, data: { a: "1" } });
    assertRefused(
      await api.call("PUT", `${maps}/a`, {
        body: { metadata: { name: "a", resourceVersion }, data: { a: "2" } },
      }),
      {
        code: 409,
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      },
    );
    await done(api, "PUT", `${maps}/a`, { metadata: { name: "a" }, data: { a: "3" } });
    assertRefused(await api.call("PUT", `${maps}/a`, { body: { metadata: { name: "a", uid: "other" } } }), {
      code: 409,
      reason: "Conflict",
      message: /Precondition failed: UID in precondition: other, UID in object meta: /,
    });
    assertRefused(await api.call("PUT", `${maps}/a`, { body: { metadata: { name: "b" } } }), {
      code: 400,
      reason: "BadRequest",
      message: "the name of the object (b) does not match the name on the URL (a)",
    });
  });

  contract("replace: the same again writes nothing", async (api) => {
    const maps = `${await makeNamespace(api, "same")}/configmaps`;
    const made = await done(api, "POST", maps, { metadata: { name: "a" }, data: { a: "1" } });
    const again = await done(api, "PUT", `${maps}/a`, { metadata: { name: "a" }, data: { a: "1" } });
    assert.equal(
      textAt(again.body, "metadata", "resourceVersion"),
      textAt(made.body, "metadata", "resourceVersion"),
    );
  });

  contract("dryRun=All answers as if, and writes nothing; another dryRun is refused", async (api) => {
    const maps = `${await makeNamespace(api, "dry")}/configmaps`;
    const dry = await done(api, "POST", `${maps}?dryRun=All`, { metadata: { name: "a" } });
    assert.equal(dry.code, 201);
    assert.notEqual(textAt(dry.body, "metadata", "uid"), "");
    assert.equal((await api.call("GET", `${maps}/a`)).code, 404);
    await done(api, "POST", maps, { metadata: { name: "a" }, data: { a: "1" } });
    await done(api, "PATCH", `${maps}/a?dryRun=All`, { data: { a: "2" } }, MERGE);
    await done(api, "DELETE", `${maps}/a?dryRun=All`);
    assert.equal(textAt((await done(api, "GET", `${maps}/a`)).body, "data", "a"), "1");
    assertRefused(await api.call("POST", `${maps}?dryRun=Some`, { body: { metadata: { name: "b" } } }), {
      code: 422,
      reason: "Invalid",
      message: /dryRun: Unsupported value: (\[\]string\{)?.*"Some".*: supported values: "All"/,
    });
  });

  const validations = [
    {
      query: "fieldValidation=Strict",
      code: 400,
      says: /strict decoding error: unknown field "spec\.surprise"/,
    },
    { query: "fieldValidation=Warn", code: 201, says: /unknown field \\?"spec\.surprise/ },
    { query: "fieldValidation=Ignore", code: 201, says: undefined },
  ];
  for (const { query, code, says } of validations)
    contract(`an unknown field with ?${query}`, async (api) => {
      const services = `${await makeNamespace(api, "unknown")}/services`;
      const spec = { surprise: 1, ports: [{ port: 80, protocol: "TCP" }] };
      const answer = await api.call("POST", `${services}?${query}`, {
        body: { metadata: { name: "a" }, spec },
      });
      assert.equal(answer.code, code, answer.text);
      assert.equal(at(answer.body, "spec", "surprise"), undefined);
      const said = code === 400 ? textAt(answer.body, "message") : String(answer.headers["warning"] ?? "");
      if (says === undefined) assert.equal(said, "");
      else assert.match(said, says);
    });

  contract("an immutable ConfigMap and Secret stay as they are", async (api) => {
    const space = await makeNamespace(api, "immutable");
    for (const plural of ["configmaps", "secrets"]) {
      await done(api, "POST", `${space}/${plural}`, {
        metadata: { name: "a" },
        immutable: true,
        data: { a: "YQ==" },
      });
      const changed = await api.call("PATCH", `${space}/${plural}/a`, {
        body: { data: { a: "Yg==" } },
        ...MERGE,
      });
      assertRefused(changed, {
        code: 422,
        reason: "Invalid",
        message: /data: Forbidden: field is immutable when `immutable` is set/,
      });
      const opened = await api.call("PATCH", `${space}/${plural}/a`, {
        body: { immutable: false },
        ...MERGE,
      });
      assertRefused(opened, {
        code: 422,
        reason: "Invalid",
        message: /immutable: Forbidden: field is immutable when `immutable` is set/,
      });
    }
  });

  contract("a Service has an address, keeps it, and gives it to no other", async (api) => {
    const services = `${await makeNamespace(api, "services")}/services`;
    const spec = { ports: [{ port: 80, protocol: "TCP" }] };
    const made = await done(api, "POST", services, { metadata: { name: "a" }, spec });
    const clusterIP = textAt(made.body, "spec", "clusterIP");
    assert.match(clusterIP, /^10\.96\.\d+\.\d+$/);
    assert.equal(textAt(made.body, "spec", "type"), "ClusterIP");
    assert.equal(textAt(made.body, "spec", "sessionAffinity"), "None");
    assert.equal(at(made.body, "spec", "ports", 0, "targetPort"), 80);
    assertRefused(
      await api.call("POST", services, { body: { metadata: { name: "b" }, spec: { ...spec, clusterIP } } }),
      {
        code: 422,
        reason: "Invalid",
        message: /provided IP is already allocated|failed to allocate IP/,
      },
    );
    assertRefused(
      await api.call("PATCH", `${services}/a`, { body: { spec: { clusterIP: "10.96.77.77" } }, ...MERGE }),
      {
        code: 422,
        reason: "Invalid",
        message: /spec\.clusterIPs?(\[0\])?: Invalid value: .*(field is immutable|may not change once set)/,
      },
    );
    const headless = await done(api, "POST", services, {
      metadata: { name: "c" },
      spec: { ...spec, clusterIP: "None" },
    });
    assert.equal(textAt(headless.body, "spec", "clusterIP"), "None");
  });

  contract("status and scale are written on their own", async (api) => {
    const space = (await makeNamespace(api, "halves")).replace("/api/v1/", "/apis/apps/v1/");
    const template = { metadata: { labels: { a: "b" } }, spec: POD };
    const spec = { replicas: 1, selector: { matchLabels: { a: "b" } }, template };
    const path = `${space}/deployments/a`;
    const made = await done(api, "POST", `${space}/deployments`, {
      metadata: { name: "a" },
      spec,
      status: { observedGeneration: 7 },
    });
    assert.equal(at(made.body, "status", "observedGeneration"), undefined);
    assert.equal(at(made.body, "metadata", "generation"), 1);
    const patch = { spec: { replicas: 9 }, status: { observedGeneration: 3 } };
    const status = await done(api, "PATCH", `${path}/status`, patch, MERGE);
    assert.deepEqual(
      [
        at(status.body, "spec", "replicas"),
        at(status.body, "status", "observedGeneration"),
        at(status.body, "metadata", "generation"),
      ],
      [1, 3, 1],
    );
    const scaled = await done(api, "PATCH", `${path}/scale`, { spec: { replicas: 4 } }, MERGE);
    assert.deepEqual(
      [at(scaled.body, "kind"), at(scaled.body, "apiVersion"), at(scaled.body, "spec", "replicas")],
      ["Scale", "autoscaling/v1", 4],
    );
    assert.equal(textAt(scaled.body, "status", "selector"), "a=b");
    const whole = await done(api, "GET", path);
    assert.deepEqual([at(whole.body, "spec", "replicas"), at(whole.body, "metadata", "generation")], [4, 2]);
    assert.deepEqual(listAt(whole.body, "metadata", "finalizers"), []);
    assertRefused(
      await api.call("PATCH", path, { body: { spec: { selector: { matchLabels: { a: "c" } } } }, ...MERGE }),
      {
        code: 422,
        reason: "Invalid",
        message:
          /spec\.selector: Invalid value: .*field is immutable|`selector` does not match template `labels`/,
      },
    );
  });
}
