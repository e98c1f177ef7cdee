import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kube-object.ts";
import { Refusal } from "../refusal.ts";
import { createRegistry } from "../registry.ts";
import { createHearing } from "./hearing.ts";
import type { Asking, Stages } from "./stages.ts";

const served = createRegistry().find("", "v1", "configmaps");
assert.ok(served);
const attributes = { operation: "CREATE", served, subresource: "", namespace: "shop", name: "x" } as const;

function asking(object: KubeObject): Asking {
  return {
    attributes: { ...attributes, object, oldObject: undefined },
    user: { username: "ann", uid: "", groups: [], extra: {} },
    dryRun: false,
    options: {},
    warn: () => {},
    deadlineMs: 0,
    decode: () => object,
  };
}

const map = (value: string): KubeObject => ({ metadata: { name: "x" }, data: { value } });

/** Webhooks that say which objects they were asked about. */
function stagesOf(behaviour: Partial<Stages> = {}): Stages & { readonly asked: string[] } {
  const asked: string[] = [];
  const note = ({ attributes: { object } }: Asking): void =>
    void asked.push(JSON.stringify(object?.["data"]));
  return {
    asked,
    concerns: () => true,
    mutate(question) {
      note(question);
      return Promise.resolve(map("mutated"));
    },
    validate(question) {
      note(question);
      return Promise.resolve();
    },
    ...behaviour,
  };
}

test("hearing: a write is tried until both stages were heard, and commits once", async () => {
  const stages = stagesOf();
  const hearing = createHearing(stages);
  let tries = 0;
  let commits = 0;
  const result = await hearing.settle(() => {
    tries++;
    const object = hearing.hear("mutating", asking(map("mine")));
    hearing.hear("validating", asking(object ?? map("none")));
    commits++;
    return object;
  });
  assert.deepEqual(result, map("mutated"));
  assert.deepEqual(
    { tries, commits, asked: stages.asked },
    { tries: 3, commits: 1, asked: ['{"value":"mine"}', '{"value":"mutated"}'] },
  );
});

test("hearing: nobody concerned, nothing waited for", async () => {
  const stages = stagesOf({ concerns: () => false });
  const hearing = createHearing(stages);
  assert.deepEqual(await hearing.settle(() => hearing.hear("mutating", asking(map("mine")))), map("mine"));
  assert.deepEqual(stages.asked, []);
});

test("hearing: an object that changed is asked about again; one that never rests is a conflict", async () => {
  const stages = stagesOf();
  const hearing = createHearing(stages);
  let tries = 0;
  await hearing.settle(() => void hearing.hear("validating", asking(map(String(Math.min(tries++, 2))))));
  assert.deepEqual(stages.asked, ['{"value":"0"}', '{"value":"1"}', '{"value":"2"}']);
  await assert.rejects(
    hearing.settle(() => void hearing.hear("validating", asking(map(String(tries++))))),
    (error) => error instanceof Refusal && error.httpCode === 409,
  );
});

test("hearing: a denial and a fault of the write end it; what is chosen at random is chosen once", async () => {
  const denial = new Refusal(400, "", "no");
  const denied = createHearing(stagesOf({ validate: () => Promise.reject(denial) }));
  await assert.rejects(
    denied.settle(() => void denied.hear("validating", asking(map("x")))),
    denial,
  );
  const fault = new Refusal(404, "NotFound", "gone");
  const hearing = createHearing(stagesOf());
  await assert.rejects(
    hearing.settle(() => {
      throw fault;
    }),
    fault,
  );
  const seen: string[] = [];
  let next = 0;
  await hearing.settle(() => {
    const name = hearing.remember("suffix", () => String(next++));
    seen.push(name);
    hearing.hear("validating", asking(map(name)));
  });
  assert.deepEqual(seen, ["0", "0"]);
});
