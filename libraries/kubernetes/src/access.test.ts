import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "@meltemi/runtime";
import { impersonationHeaders } from "./access.ts";
import { createKubernetesClient } from "./client.ts";
import { PODS } from "./kinds.ts";
import { loadKubeconfig } from "./kubeconfig.ts";

const CASES = [
  { name: "nobody else", impersonate: undefined, want: {} },
  {
    name: "a user",
    impersonate: { user: "ann", groups: [], uid: "" },
    want: { "impersonate-user": "ann" },
  },
  {
    name: "a user with groups and a uid",
    impersonate: { user: "ann", groups: ["a", "b"], uid: "7" },
    want: { "impersonate-user": "ann", "impersonate-group": ["a", "b"], "impersonate-uid": "7" },
  },
  {
    name: "a user with extras, of which one has a slash in its name",
    impersonate: {
      user: "ann",
      groups: [],
      uid: "",
      extra: { "example.com/team": ["a", "b"], scopes: ["x"] },
    },
    want: {
      "impersonate-user": "ann",
      "impersonate-extra-example.com%2Fteam": ["a", "b"],
      "impersonate-extra-scopes": ["x"],
    },
  },
];
for (const { name, impersonate, want } of CASES)
  test(`impersonation: ${name}`, () =>
    assert.deepEqual(impersonationHeaders(impersonate === undefined ? {} : { impersonate }), want));

test("each group is a header of its own, and a kubeconfig may say whom to be", async () => {
  const seen: (readonly string[] | undefined)[] = [];
  const server = createServer((request, response) => {
    const { headersDistinct: headers } = request;
    seen.push(headers["impersonate-group"], headers["impersonate-extra-a%2fb"]);
    response.end(JSON.stringify({ items: [], metadata: { resourceVersion: "1" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const access = loadKubeconfig(`
current-context: x
contexts: [{ name: x, context: { cluster: x, user: x } }]
clusters: [{ name: x, cluster: { server: "http://127.0.0.1:${port}" } }]
users: [{ name: x, user: { token: t, as: ann, as-groups: [a, b], as-user-extra: { a/b: [c] } } }]`);
  const client = createKubernetesClient(access, { clock: systemClock });
  await client.list(PODS);
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(seen, [["a", "b"], ["c"]]);
});

const REFUSED = [
  { name: "groups of nobody", user: "as-groups: [a]", want: /expected as, the user whom as-groups/ },
  { name: "a uid of nobody", user: "as-uid: '7'", want: /expected as, the user whom/ },
  { name: "extras of nobody", user: "as-user-extra: { a: [b] }", want: /expected as, the user whom/ },
  { name: "one text as groups", user: "as: ann, as-groups: a", want: /as-groups is not a list of texts/ },
  { name: "one text as extra", user: "as: ann, as-user-extra: { a: b }", want: /as-user-extra is not a map/ },
];
for (const { name, user, want } of REFUSED)
  test(`a kubeconfig is refused: ${name}`, () =>
    assert.throws(
      () =>
        loadKubeconfig(`
current-context: x
contexts: [{ name: x, context: { cluster: x, user: x } }]
clusters: [{ name: x, cluster: { server: "https://h" } }]
users: [{ name: x, user: { token: t, ${user} } }]`),
      want,
    ));
