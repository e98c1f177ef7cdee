import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubernetesClient, ResourceType } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { describeGaps } from "./describe-gaps.ts";
import { loadCluster } from "./load-cluster.ts";

const signal = new AbortController().signal;
const refused = (): MeshError =>
  new MeshError("FORBIDDEN", "list: HTTP 403 Forbidden", { details: { status: 403, reason: "Forbidden" } });

/** A user who may read these namespaces and no more. */
function clientOf(readable: readonly string[]): KubernetesClient {
  const may = (namespace: string | undefined): boolean =>
    namespace !== undefined && readable.includes(namespace);
  return {
    list: async (type: ResourceType, { namespace }: { namespace?: string }) => {
      if (!type.namespaced || !may(namespace)) throw refused();
      return { items: type.kind === "Service" ? [{ metadata: { name: "reviews", namespace } }] : [] };
    },
    get: async (_type: ResourceType, { name }: { name: string }) => {
      if (!may(name)) throw refused();
      return { metadata: { name } };
    },
  } as unknown as KubernetesClient;
}

test("with rights in one namespace its objects are read, and what is not is told", async () => {
  const loaded = await loadCluster({ client: clientOf(["shop"]), signal }, ["shop", "istio-system"]);
  assert.ok(loaded.objects.get("Service", "shop", "reviews"));
  assert.ok(loaded.objects.get("Namespace", "", "shop"));
  assert.deepEqual(loaded.forbidden, ["GatewayClass"]);
  assert.ok(loaded.partial.includes("Service") && loaded.partial.includes("Namespace"));
});

test("rights in the mesh's namespace alone say nothing of the one that is asked for", async () => {
  const loaded = await loadCluster({ client: clientOf(["istio-system"]), signal }, ["shop", "istio-system"]);
  assert.ok(loaded.forbidden.includes("Service"));
  assert.deepEqual(loaded.partial, []);
});

test("another fault than a refusal is one", async () => {
  const client = { list: async () => Promise.reject(new MeshError("UNAVAILABLE", "gone")) };
  await assert.rejects(
    loadCluster({ client: client as unknown as KubernetesClient, signal }, ["shop"]),
    /gone/,
  );
});

test("gaps in sentences", () => {
  assert.deepEqual(describeGaps({ forbidden: [], partial: [] }, "shop"), []);
  assert.deepEqual(describeGaps({ forbidden: ["GatewayClass"], partial: ["Pod"] }, "shop"), [
    "you may not list GatewayClass: nothing about them is known",
    "outside namespace shop you may not list Pod: what other namespaces hold may look missing here",
  ]);
});
