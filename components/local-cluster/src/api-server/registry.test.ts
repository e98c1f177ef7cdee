import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "./registry.ts";
import { BUILT_IN_RESOURCES } from "./resources/catalogue.ts";
import type { Resource } from "./resources/resource.ts";

test("a kind of two custom groups is that of the group whose name comes first, whichever was defined first", () => {
  const [some] = BUILT_IN_RESOURCES;
  assert.ok(some);
  const gateway = (group: string): Resource => ({ ...some, group, kind: "Gateway", custom: true });
  const registry = createRegistry();
  registry.setCustom([gateway("networking.istio.io"), gateway("gateway.networking.k8s.io")]);
  const groups = registry.all().filter(({ kind }) => kind === "Gateway");
  assert.deepEqual(
    groups.map(({ group }) => group),
    ["gateway.networking.k8s.io", "networking.istio.io"],
  );
  assert.ok(registry.all().indexOf(some) < registry.all().findIndex(({ custom }) => custom));
});
