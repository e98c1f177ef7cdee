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
];
for (const { name, impersonate, want } of CASES)
  test(`impersonation: ${name}`, () =>
    assert.deepEqual(impersonationHeaders(impersonate === undefined ? {} : { impersonate }), want));

test("each group is a header of its own, and a kubeconfig may say whom to be", async () => {
  const groups: (readonly string[] | undefined)[] = [];
  const server = createServer((request, response) => {
    groups.push(request.headersDistinct["impersonate-group"]);
    response.end(JSON.stringify({ items: [], metadata: { resourceVersion: "1" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const access = loadKubeconfig(`
current-context: x
contexts: [{ name: x, context: { cluster: x, user: x } }]
clusters: [{ name: x, cluster: { server: "http://127.0.0.1:${port}" } }]
users: [{ name: x, user: { token: t, as: ann, as-groups: [a, b] } }]`);
  const client = createKubernetesClient(access, { clock: systemClock });
  await client.list(PODS);
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(groups, [["a", "b"]]);
});
