/** What the HTTP side answers: media types, sizes, paths, tables, credentials, discovery. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:tls";
import { assertRefused, at, type Contract, done, listAt, makeNamespace, textAt } from "./contract.ts";

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

export function edgeCases(contract: Contract): void {
  formCases(contract);
  boundCases(contract);
  credentialCases(contract);
}

function formCases({ case: contract }: Contract): void {
  contract("a list as a Table has columns, cells, and objects as asked", async (api) => {
    const maps = `${await makeNamespace(api, "tables")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" }, data: { x: "1" } });
    const { body } = await done(api, "GET", maps, undefined, { accept: TABLE });
    assert.deepEqual([at(body, "kind"), at(body, "apiVersion")], ["Table", "meta.k8s.io/v1"]);
    assert.deepEqual(
      listAt(body, "columnDefinitions").map(
        (column) => `${textAt(column, "name")} ${textAt(column, "type")}`,
      ),
      ["Name string", "Data string", "Age string"],
    );
    assert.deepEqual(listAt(body, "rows", 0, "cells").slice(0, 2).map(String), ["a", "1"]);
    assert.equal(at(body, "rows", 0, "object", "kind"), "PartialObjectMetadata");
    const whole = await done(api, "GET", `${maps}?includeObject=Object`, undefined, { accept: TABLE });
    assert.deepEqual(at(whole.body, "rows", 0, "object", "data"), { x: "1" });
    const none = await done(api, "GET", `${maps}?includeObject=None`, undefined, { accept: TABLE });
    assert.equal(at(none.body, "rows", 0, "object") ?? undefined, undefined);
  });

  contract("a list as metadata alone", async (api) => {
    const maps = `${await makeNamespace(api, "partial")}/configmaps`;
    await done(api, "POST", maps, { metadata: { name: "a" }, data: { x: "1" } });
    const accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    const { body } = await done(api, "GET", maps, undefined, { accept });
    assert.deepEqual(
      [at(body, "kind"), at(body, "items", 0, "metadata", "name"), at(body, "items", 0, "data")],
      ["PartialObjectMetadataList", "a", undefined],
    );
  });

  contract("an Accept that nobody serves is refused", async (api) => {
    const answer = await api.call("GET", "/api/v1/namespaces", { accept: "image/png" });
    assert.equal(answer.code, 406, answer.text);
    assert.match(
      textAt(answer.body, "message"),
      /^406: Not Acceptable$|only the following media types are accepted: application\/json/,
    );
  });

  contract("a body of a type that nobody reads is refused, YAML is read", async (api) => {
    const maps = `${await makeNamespace(api, "types")}/configmaps`;
    const answer = await api.call("POST", maps, { body: "x", type: "text/plain" });
    assertRefused(answer, {
      code: 415,
      reason: "UnsupportedMediaType",
      message:
        /the body of the request was in an unknown format - accepted media types include: application\/json/,
    });
    await done(api, "POST", maps, "metadata: {name: a}\napiVersion: v1\nkind: ConfigMap\n", {
      type: "application/yaml",
    });
  });

  const documents: readonly { readonly path: string; readonly check: (body: unknown) => void }[] = [
    { path: "/version", check: (body) => assert.match(textAt(body, "gitVersion"), /^v1\.\d+/) },
    {
      path: "/api",
      check: (body) => assert.deepEqual([at(body, "kind"), at(body, "versions")], ["APIVersions", ["v1"]]),
    },
    {
      path: "/apis",
      check(body) {
        const apps = listAt(body, "groups").find((group) => at(group, "name") === "apps");
        assert.deepEqual(
          [at(body, "kind"), at(apps, "preferredVersion")],
          ["APIGroupList", { groupVersion: "apps/v1", version: "v1" }],
        );
      },
    },
    {
      path: "/apis/apps",
      check: (body) => assert.deepEqual([at(body, "kind"), at(body, "name")], ["APIGroup", "apps"]),
    },
    {
      path: "/apis/apps/v1",
      check(body) {
        const found = listAt(body, "resources").find((resource) => at(resource, "name") === "deployments");
        assert.deepEqual(
          [
            at(body, "kind"),
            at(body, "groupVersion"),
            at(found, "kind"),
            at(found, "namespaced"),
            at(found, "shortNames"),
            at(found, "categories"),
          ],
          ["APIResourceList", "apps/v1", "Deployment", true, ["deploy"], ["all"]],
        );
        assert.deepEqual(listAt(found, "verbs").toSorted(), [
          "create",
          "delete",
          "deletecollection",
          "get",
          "list",
          "patch",
          "update",
          "watch",
        ]);
      },
    },
    {
      path: "/openapi/v2",
      check: (body) =>
        assert.ok(at(body, "definitions", "io.k8s.api.core.v1.Pod", "properties", "spec") !== undefined),
    },
    {
      path: "/openapi/v3",
      check: (body) => assert.ok(at(body, "paths", "api/v1", "serverRelativeURL") !== undefined),
    },
  ];
  for (const { path, check } of documents)
    contract(`discovery: ${path}`, async (api) => check((await done(api, "GET", path)).body));

  contract("discovery: all of it at once", async (api) => {
    const accept = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList";
    const { body } = await done(api, "GET", "/apis", undefined, { accept });
    assert.equal(at(body, "kind"), "APIGroupDiscoveryList");
  });
}

function boundCases({ case: contract }: Contract): void {
  contract("a body above 3 MiB is refused", async (api) => {
    const maps = `${await makeNamespace(api, "sizes")}/configmaps`;
    const answer = await api.call("POST", maps, {
      body: { metadata: { name: "a" }, data: { x: "x".repeat(3_200_000) } },
    });
    assertRefused(answer, {
      code: 413,
      reason: "RequestEntityTooLarge",
      message: "Request entity too large: limit is 3145728",
    });
  });

  contract("a ConfigMap of more than 1 MiB is refused", async (api) => {
    const maps = `${await makeNamespace(api, "large")}/configmaps`;
    const answer = await api.call("POST", maps, {
      body: { metadata: { name: "a" }, data: { x: "x".repeat(1_100_000) } },
    });
    assertRefused(answer, {
      code: 422,
      reason: "Invalid",
      message: /Too long: (must have at most|may not be more than) 1048576 (characters|bytes)/,
    });
  });

  const unknown = [
    "/api/v1/nothings",
    "/apis/nothing/v1/things",
    "/api/v1/namespaces/default/pods/a/nothing",
    "/nothing",
  ];
  for (const path of unknown)
    contract(`there is no ${path}`, async (api) => {
      const answer = await api.call("GET", path);
      assert.equal(answer.code, 404, answer.text);
    });

  contract("a method that a path has not", async (api) => {
    assertRefused(await api.call("PUT", "/api/v1/namespaces", { body: {} }), {
      code: 405,
      reason: "MethodNotAllowed",
      message: /the server does not allow this method on the requested resource/,
    });
  });
}

function credentialCases({ case: contract }: Contract): void {
  contract("HTTP/2 is spoken", async ({ access }) => {
    const { hostname, port } = new URL(access.url);
    const socket = connect({
      host: hostname,
      port: Number(port),
      ca: access.ca,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    await once(socket, "secureConnect");
    socket.destroy();
    assert.equal(socket.alpnProtocol, "h2");
  });

  contract("a wrong token is nobody, no token is anonymous", async (api) => {
    assertRefused(await api.call("GET", "/api/v1/namespaces", { token: "wrong" }), {
      code: 401,
      reason: "Unauthorized",
      message: "Unauthorized",
    });
    assertRefused(await api.call("GET", "/api/v1/namespaces", { token: "" }), {
      code: 403,
      reason: "Forbidden",
      message:
        'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope',
    });
    assert.equal((await api.call("GET", "/healthz", { token: "" })).text, "ok");
  });

  contract(
    "a service account's token: asked for, reviewed, used, and only what a role permits",
    async (api) => {
      const space = await makeNamespace(api, "tokens");
      const name = space.split("/").at(-1) ?? "";
      const asked = await done(api, "POST", `${space}/serviceaccounts/default/token`, {
        spec: { expirationSeconds: 600 },
      });
      const token = textAt(asked.body, "status", "token");
      const review = await done(api, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token },
      });
      const username = `system:serviceaccount:${name}:default`;
      assert.deepEqual(
        [at(review.body, "status", "authenticated"), at(review.body, "status", "user", "username")],
        [true, username],
      );
      assertRefused(await api.call("GET", `${space}/configmaps`, { token }), {
        code: 403,
        reason: "Forbidden",
        message: `configmaps is forbidden: User "${username}" cannot list resource "configmaps" in API group "" in the namespace "${name}"`,
      });
      const rbac = space.replace("/api/v1/", "/apis/rbac.authorization.k8s.io/v1/");
      await done(api, "POST", `${rbac}/roles`, {
        metadata: { name: "r" },
        rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }],
      });
      await done(api, "POST", `${rbac}/rolebindings`, {
        metadata: { name: "r" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" },
        subjects: [{ kind: "ServiceAccount", name: "default", namespace: name }],
      });
      // The real server's authorizer hears of roles a moment later.
      let code = 0;
      for (let attempt = 0; attempt < 100 && code !== 200; attempt++) {
        code = (await api.call("GET", `${space}/configmaps`, { token })).code;
        if (code !== 200) await done(api, "GET", `${space}/configmaps?watch=1&timeoutSeconds=1`);
      }
      assert.equal(code, 200);
      assert.equal((await api.call("GET", `${space}/configmaps/a`, { token })).code, 403);
    },
  );
}
