/**
 * What the charts render with the real helm and what `install` renders are the same objects, for one installation after another. Only what
 * says who installed them differs, and that is listed here.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { meshDefinitions } from "../../components/cli/src/manifests/definitions.ts";
import {
  type ClusterFacts,
  CURRENT_CLUSTER,
  factsOfMinor,
} from "../../components/cli/src/manifests/facts.ts";
import type { Manifest } from "../../components/cli/src/manifests/objects.ts";
import { renderComponents } from "../../components/cli/src/manifests/render.ts";
import { sameJson, type Tree } from "../../components/cli/src/manifests/tree.ts";
import { readAskedCharts, readInstallValues } from "../../components/cli/src/manifests/values.ts";
import { type HelmCluster, helmTemplate } from "./helm.fixture.ts";
import { INSTALLATIONS } from "./helm-installations.fixture.ts";

const OWNERSHIP_LABELS = [
  "app.kubernetes.io/instance",
  "app.kubernetes.io/managed-by",
  "app.kubernetes.io/version",
  "helm.sh/chart",
  "install.operator.istio.io/owning-resource",
  "operator.istio.io/managed",
  "operator.istio.io/version",
];
/** Whether helm leaves an object behind; install asks before it removes one. */
const OWNERSHIP_ANNOTATIONS = ["helm.sh/resource-policy"];
/** Texts of ConfigMaps that are YAML: what they say is compared, not how it is written. */
const YAML_KEYS = ["mesh", "meshNetworks", "deployment", "service", "horizontalPodAutoscaler"];

const CURRENT: HelmCluster = { version: "1.35.0", apis: [...CURRENT_CLUSTER.served] };
const OLD: HelmCluster = { version: "1.20.2", apis: ["discovery.k8s.io/v1beta1", "policy/v1beta1"] };
const OLD_FACTS: ClusterFacts = factsOfMinor(20);

const keyOf = ({ kind, metadata }: Manifest): string =>
  `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;

function without(map: Readonly<Record<string, string>> | undefined, keys: readonly string[]): Tree {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !keys.includes(key)));
}

/** An object without whose it is, in one spelling. */
function comparable(object: Manifest): Tree {
  const { labels, annotations, ...metadata } = object.metadata;
  const data = object["data"] as Readonly<Record<string, string>> | undefined;
  const read = Object.entries(data ?? {}).map(([key, text]) => [
    key,
    YAML_KEYS.includes(key) ? parse(text) : text,
  ]);
  const copy = {
    ...object,
    metadata: {
      ...metadata,
      labels: without(labels, OWNERSHIP_LABELS),
      annotations: without(annotations, OWNERSHIP_ANNOTATIONS),
    },
    ...(data !== undefined && { data: Object.fromEntries(read) }),
  };
  return JSON.parse(JSON.stringify(copy)) as Tree;
}

function nativeObjects(layer: Tree, facts: ClusterFacts): ReadonlyMap<string, Tree> {
  const read = readInstallValues([layer]);
  assert.equal(read.kind, "ok", JSON.stringify(read));
  if (read.kind !== "ok") return new Map();
  const objects = renderComponents(read.values, meshDefinitions(), facts).flatMap((each) => each.objects);
  // Namespaces are made by install, and by helm's --create-namespace.
  return byKey(objects.filter(({ kind }) => kind !== "Namespace"));
}

async function helmObjects(layer: Tree, cluster: HelmCluster): Promise<ReadonlyMap<string, Tree>> {
  const asked = readAskedCharts([layer]);
  assert.equal(asked.kind, "ok");
  if (asked.kind !== "ok") return new Map();
  const enabled = asked.charts.filter(({ isEnabled }) => isEnabled);
  const rendered = enabled.map(({ chart, namespace, values }) =>
    helmTemplate(chart, chart, namespace, values, cluster),
  );
  return byKey((await Promise.all(rendered)).flat());
}

function byKey(objects: readonly Manifest[]): ReadonlyMap<string, Tree> {
  const map = new Map(objects.map((object) => [keyOf(object), comparable(object)]));
  assert.equal(map.size, objects.length, "an object is rendered twice");
  return map;
}

for (const { name, spec, old } of INSTALLATIONS) {
  test(`helm and install render the same: ${name}`, async () => {
    const native = nativeObjects(spec, old === true ? OLD_FACTS : CURRENT_CLUSTER);
    const charts = await helmObjects(spec, old === true ? OLD : CURRENT);
    assert.deepEqual([...native.keys()].sort(), [...charts.keys()].sort());
    for (const [key, object] of native)
      if (!sameJson(object, charts.get(key))) assert.deepEqual(object, charts.get(key), key);
  });
}

test("the umbrella renders the ambient profile, as one release", async () => {
  const native = nativeObjects({ profile: "ambient" }, CURRENT_CLUSTER);
  const umbrella = byKey(await helmTemplate("ambient", "ambient", "istio-system", {}, CURRENT));
  assert.deepEqual([...umbrella.keys()].sort(), [...native.keys()].sort());
  for (const [key, object] of native)
    if (!sameJson(object, umbrella.get(key))) assert.deepEqual(object, umbrella.get(key), key);
});
