import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { fromFieldsV1, joinPath, shownPath, toFieldsV1 } from "./field-set.ts";
import { type Applied, applyConfiguration } from "./server-side-apply.ts";
import { trackUpdate } from "./track.ts";

const schema = { $ref: "io.k8s.api.apps.v1.Deployment" };
const now = "2026-01-01T00:00:00Z";

const deployment = (spec: JsonObject, labels: JsonObject = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", ...(Object.keys(labels).length === 0 ? {} : { labels }) },
  spec,
});

const manager = (name: string, operation: "Apply" | "Update" = "Apply") => ({
  name,
  operation,
  apiVersion: "apps/v1",
  subresource: "",
});

function apply(live: KubeObject | undefined, by: string, applied: KubeObject, force = false): Applied {
  return applyConfiguration({
    schema,
    live,
    applied,
    manager: manager(by),
    half: "without-status",
    force,
    now,
  });
}

function merged(live: KubeObject | undefined, by: string, applied: KubeObject, force = false): KubeObject {
  const result = apply(live, by, applied, force);
  assert.equal(result.kind, "merged", JSON.stringify(result));
  return result.kind === "merged" ? result.object : applied;
}

const pod = (...containers: Json[]): JsonObject => ({ template: { spec: { containers } } });

test("a field given up by its only owner goes, a shared one stays", () => {
  let live = merged(undefined, "a", deployment({ replicas: 2, paused: true }, { x: "1", y: "2" }));
  live = merged(live, "b", deployment({ replicas: 2 }));
  live = merged(live, "a", deployment({}, { x: "1" }));
  assert.deepEqual(live["spec"], { replicas: 2 });
  assert.deepEqual(live.metadata["labels"], { x: "1" });
});

test("elements of keyed lists are owned one by one", () => {
  let live = merged(
    undefined,
    "a",
    deployment(pod({ name: "main", image: "1", ports: [{ containerPort: 80 }] })),
  );
  live = merged(live, "b", deployment(pod({ name: "side", image: "1" })));
  live = merged(live, "a", deployment(pod({ name: "main", image: "2" })));
  assert.deepEqual(live["spec"], {
    template: {
      spec: {
        containers: [
          { name: "main", image: "2" },
          { name: "side", image: "1" },
        ],
      },
    },
  });
  live = merged(live, "b", deployment({}));
  assert.deepEqual(live["spec"], pod({ name: "main", image: "2" }));
});

test("another's field with another value is a conflict, unless it is forced", () => {
  const live = merged(undefined, "a", deployment({ replicas: 2 }));
  const result = apply(live, "b", deployment({ replicas: 3 }));
  assert.deepEqual(result.kind === "conflict" && result.causes, [
    { reason: "FieldManagerConflict", message: 'conflict with "a"', field: ".spec.replicas" },
  ]);
  const forced = merged(live, "b", deployment({ replicas: 3 }), true);
  assert.deepEqual(forced["spec"], { replicas: 3 });
  assert.deepEqual(
    (forced.metadata["managedFields"] as JsonObject[]).map((entry) => entry["manager"]),
    ["b"],
  );
});

test("an update takes a field from its applier, who then meets a conflict with the updater", () => {
  const live = merged(undefined, "a", deployment({ replicas: 2, paused: false }));
  const next = structuredClone(live);
  (next["spec"] as JsonObject)["replicas"] = 7;
  trackUpdate(
    { schema, manager: manager("kubectl-edit", "Update"), half: "without-status", now },
    live,
    next,
  );
  const result = apply(next, "a", deployment({ replicas: 2, paused: false }));
  assert.equal(
    result.kind === "conflict" && result.causes[0]?.message,
    'conflict with "kubectl-edit" using apps/v1',
  );
  assert.deepEqual(merged(next, "a", deployment({ paused: false }))["spec"], { replicas: 7, paused: false });
});

test("an atomic map is owned whole", () => {
  const selector = (labels: JsonObject): JsonObject => ({ selector: { matchLabels: labels } });
  const live = merged(undefined, "a", deployment(selector({ x: "1" })));
  const result = apply(live, "b", deployment(selector({ y: "1" })));
  assert.equal(result.kind === "conflict" && result.causes[0]?.field, ".spec.selector");
});

test("applying the same again changes nothing, not even the time", () => {
  const live = merged(undefined, "a", deployment({ replicas: 2 }));
  const again = applyConfiguration({
    schema,
    live,
    applied: deployment({ replicas: 2 }),
    manager: manager("a"),
    half: "without-status",
    force: false,
    now: "2027-01-01T00:00:00Z",
  });
  assert.deepEqual(again.kind === "merged" && again.object, live);
});

test("FieldsV1: what is written is read back, and hostile input is survived", () => {
  const element = fc.oneof(
    fc.string({ maxLength: 8 }).map((key) => `f:${key.replaceAll("\0", "")}`),
    fc.string({ maxLength: 8 }).map((key) => `k:${JSON.stringify({ name: key })}`),
    fc.integer().map((value) => `v:${value}`),
  );
  fc.assert(
    fc.property(fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), (paths) => {
      const leaves = paths.filter(
        (path) =>
          !paths.some(
            (other) => other.length > path.length && path.every((step, index) => other[index] === step),
          ),
      );
      const set = new Set(leaves.map((path) => path.join("\0")));
      const read = fromFieldsV1(JSON.parse(JSON.stringify(toFieldsV1(set))) as Json);
      for (const path of set) assert.ok(read?.has(path));
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => void fromFieldsV1(value as Json)),
    { numRuns: 300 },
  );
});

test("a path is shown as it is where its elements are none of ours", () => {
  const path = ["f:spec", 'k:{"name":"web"}', "f:image", 'v:"a"', "k:{", "k:7", "odd", ""].reduce(joinPath);
  assert.equal(shownPath(path), '.spec[name="web"].image[="a"][k:{][k:7][odd][]');
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void shownPath(text)));
});
