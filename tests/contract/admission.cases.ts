/** Admission webhooks: asked, obeyed, and what happens when they do not answer. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { eventually } from "@meltemi/testkit";
import { startWebhookServer } from "../integration/admission-webhook.fixture.ts";
import type { ApiClient } from "./api-client.ts";
import { assertRefused, at, type Contract, done, MERGE, makeNamespace, textAt } from "./contract.ts";

type Server = Awaited<ReturnType<typeof startWebhookServer>>;

/** Config maps of a namespace of the case's own are shown to a webhook; `use` begins once it is asked. */
async function hooked(
  api: ApiClient,
  kind: "Validating" | "Mutating",
  more: object,
  use: (maps: string, server: Server, name: string) => Promise<void>,
): Promise<void> {
  const server = await startWebhookServer();
  const id = randomUUID().slice(0, 8);
  const name = `${id}.hook.example`;
  const configurations = `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}webhookconfigurations`;
  const space = await makeNamespace(api, "hooks");
  await done(api, "PATCH", space, { metadata: { labels: { hook: id } } }, MERGE);
  server.on("/", () => ({ allowed: true }));
  await done(api, "POST", configurations, {
    metadata: { name },
    webhooks: [
      {
        name,
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        clientConfig: { url: `https://127.0.0.1:${server.port}/`, caBundle: server.caBundle },
        namespaceSelector: { matchLabels: { hook: id } },
        rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
        ...more,
      },
    ],
  });
  try {
    // A real server hears of it a moment later.
    await eventually(
      async () => {
        await api.call("POST", `${space}/configmaps`, { body: { metadata: { generateName: "probe-" } } });
        return server.questions.length > 0;
      },
      { deadlineMs: 20_000, everyMs: 100 },
    );
    await use(`${space}/configmaps`, server, name);
  } finally {
    await done(api, "DELETE", `${configurations}/${name}`);
    await server.close();
  }
}

export function admissionCases({ case: contract }: Contract): void {
  contract("a webhook's no is the answer, in its words", (api) =>
    hooked(api, "Validating", {}, async (maps, server, name) => {
      server.on("/", () => ({
        allowed: false,
        status: { message: "no maps today", code: 403, reason: "Forbidden" },
      }));
      assertRefused(await api.call("POST", maps, { body: { metadata: { name: "a" } } }), {
        code: 403,
        reason: "Forbidden",
        message: `admission webhook "${name}" denied the request: no maps today`,
      });
      server.on("/", () => ({ allowed: false }));
      const plain = await api.call("POST", maps, { body: { metadata: { name: "a" } } });
      assert.equal(
        textAt(plain.body, "message"),
        `admission webhook "${name}" denied the request without explanation`,
      );
      assert.equal(plain.code, 400);
    }),
  );

  contract("a webhook is told who does what, and warns", (api) =>
    hooked(api, "Validating", {}, async (maps, server) => {
      server.on("/", () => ({ allowed: true, warnings: ["mind the map"] }));
      const made = await done(api, "POST", maps, { metadata: { name: "a" }, data: { x: "1" } });
      assert.match(String(made.headers["warning"] ?? ""), /^299 - "mind the map"$/);
      const { request } = server.questions.at(-1) ?? {};
      assert.deepEqual(
        [
          at(request, "operation"),
          at(request, "kind"),
          at(request, "name"),
          at(request, "object", "data"),
          at(request, "oldObject"),
        ],
        ["CREATE", { group: "", version: "v1", kind: "ConfigMap" }, "a", { x: "1" }, null],
      );
      assert.ok(textAt(request, "userInfo", "username") !== "");
    }),
  );

  contract("a dry run asks webhooks, and tells them that it is one", (api) =>
    hooked(api, "Mutating", { sideEffects: "NoneOnDryRun" }, async (maps, server) => {
      server.on("/", () => ({ patch: [{ op: "add", path: "/data", value: { added: "yes" } }] }));
      const tried = await done(api, "POST", `${maps}?dryRun=All`, { metadata: { name: "a" } });
      assert.deepEqual(at(tried.body, "data"), { added: "yes" });
      assert.equal(at(server.questions.at(-1)?.request, "dryRun"), true);
      assert.equal((await api.call("GET", `${maps}/a`)).code, 404);
      server.on("/", () => ({ allowed: false }));
      const refused = await api.call("POST", `${maps}?dryRun=All`, { body: { metadata: { name: "a" } } });
      assert.equal(refused.code, 400);
    }),
  );

  contract("a webhook's patch is what is stored", (api) =>
    hooked(api, "Mutating", {}, async (maps, server) => {
      server.on("/", () => ({ patch: [{ op: "add", path: "/data", value: { added: "yes" } }] }));
      const made = await done(api, "POST", maps, { metadata: { name: "a" } });
      assert.deepEqual(at(made.body, "data"), { added: "yes" });
      assert.deepEqual(at((await done(api, "GET", `${maps}/a`)).body, "data"), { added: "yes" });
    }),
  );

  for (const failurePolicy of ["Fail", "Ignore"])
    contract(`a webhook that is out of order, with failurePolicy ${failurePolicy}`, (api) =>
      hooked(api, "Validating", { failurePolicy }, async (maps, server, name) => {
        server.on("/", () => 500);
        const answer = await api.call("POST", maps, { body: { metadata: { name: "a" } } });
        if (failurePolicy === "Ignore") assert.equal(answer.code, 201, answer.text);
        else {
          assert.equal(`${answer.code} ${textAt(answer.body, "reason")}`, "500 InternalError");
          const start = `Internal error occurred: failed calling webhook "${name}":`;
          assert.ok(textAt(answer.body, "message").startsWith(start), answer.text);
        }
      }),
    );
}
