/** Compares what is rendered with what runs: each object is applied as a trial (dry run), and the answer is held against what is there. */

import {
  apiVersionOf,
  CUSTOM_RESOURCE_DEFINITIONS,
  isConflict,
  isNotFound,
  type KubernetesObject,
  NAMESPACES,
  nameOf,
  type ResourceType,
} from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import { declaredPart, differencesOf } from "../diff/differences.ts";
import { withoutSecrets } from "../diff/render-differences.ts";
import type { Manifest } from "../manifests/objects.ts";
import type { RenderedComponent } from "../manifests/render.ts";
import type { Json } from "../output/json.ts";
import { FIELD_MANAGER, type InstallDependencies } from "./apply.ts";
import { readConflicts, type TakenOver } from "./conflicts.ts";
import { decideApply } from "./decide-apply.ts";
import { choosePruned, type Installation } from "./decide-prune.ts";
import { INSTALLED_KINDS, kindOf } from "./kinds.ts";
import type { Change, Plan, PlannedObject } from "./plan.ts";
import type { TypeOf } from "./served-kinds.ts";

type PlanDependencies = Pick<InstallDependencies, "client" | "signal" | "terminal">;
type Asking = Omit<PlanDependencies, "terminal">;

/** Throws as an apply would: what the API server refuses is refused before anything is changed. */
export async function makePlan(
  components: readonly RenderedComponent[],
  installation: Installation,
  deps: PlanDependencies,
): Promise<Plan> {
  deps.terminal.progress("- Comparing with what runs.");
  const plan = [
    ...(await planObjects(
      components.flatMap(({ objects }) => objects),
      deps,
    )),
  ];
  deps.terminal.progressEnd();
  for (const object of await findPruned(components, installation, deps))
    plan.push({ kind: "prune", object: plannedOf(object) });
  return plan;
}

/** Of some objects, whoever they belong to. */
export async function planObjects(
  objects: readonly Manifest[],
  deps: Asking,
  typeOf: TypeOf = kindOf,
): Promise<Plan> {
  const absent = await absentNamespaces(objects, deps);
  const plan: Change[] = [];
  for (const object of objects) plan.push(await planObject(object, typeOf(object), absent, deps));
  return plan;
}

/** What a trial cannot make cannot hold what is in it. */
async function absentNamespaces(
  objects: readonly Manifest[],
  { client, signal }: Asking,
): Promise<ReadonlySet<string>> {
  const named = objects.flatMap(({ metadata }) => metadata.namespace ?? []);
  const absent = new Set<string>();
  for (const name of new Set(named))
    if ((await client.get(NAMESPACES, { name }, { signal })) === undefined) absent.add(name);
  return absent;
}

async function planObject(
  manifest: Manifest,
  type: ResourceType,
  absent: ReadonlySet<string>,
  deps: Asking,
): Promise<Change> {
  const { name, namespace } = manifest.metadata;
  const object = plannedOf(manifest);
  if (namespace !== undefined && absent.has(namespace)) {
    // Tried where a namespace is, so that what is wrong with it is found all the same.
    await tryApply(type, { ...manifest, metadata: { ...manifest.metadata, namespace: "default" } }, deps);
    return { kind: "create", object };
  }
  const ref = namespace === undefined ? { name } : { name, namespace };
  const found = await deps.client.get(type, ref, { signal: deps.signal });
  const decision = decideApply(manifest, found);
  if (decision.kind === "leave") return { kind: "leave", object, why: decision.why };
  const { applied, takenOver } = await tryApply(type, decision.object, deps);
  if (found === undefined) return { kind: "create", object };
  const differences = differencesOf(declaredPart(found as Json), declaredPart(applied as Json));
  if (differences.length === 0 && takenOver.length === 0) return { kind: "keep", object };
  const release = found.metadata?.annotations?.["meta.helm.sh/release-name"];
  return {
    kind: "change",
    object,
    differences: withoutSecrets(manifest.kind, differences),
    takenOver,
    ...(release !== undefined && { release }),
  };
}

/** First without force, so that it is known whose fields are taken over. */
async function tryApply(
  type: ResourceType,
  manifest: Manifest,
  { client, signal }: Asking,
): Promise<{ readonly applied: KubernetesObject; readonly takenOver: readonly TakenOver[] }> {
  const options = { fieldManager: FIELD_MANAGER, dryRun: true, signal };
  const object = manifest as KubernetesObject;
  try {
    return { applied: await client.apply(type, object, options), takenOver: [] };
  } catch (error) {
    if (!isConflict(error)) throw error;
    const takenOver = readConflicts(describeError(error));
    return { applied: await client.apply(type, object, { ...options, force: true }), takenOver };
  }
}

/** Objects of this installation that are not rendered any more, in the order in which they are removed. */
export async function findPruned(
  components: readonly RenderedComponent[],
  installation: Installation,
  { client, signal }: Asking,
): Promise<readonly KubernetesObject[]> {
  const rendered = new Set(
    components.flatMap(({ objects }) => objects.map((one) => keyOfObject(plannedOf(one)))),
  );
  const unrendered: KubernetesObject[] = [];
  for (const type of INSTALLED_KINDS) {
    if (type === CUSTOM_RESOURCE_DEFINITIONS) continue;
    for (const found of await listOrNone(type, { client, signal })) {
      const object: KubernetesObject = { ...found, apiVersion: apiVersionOf(type), kind: type.kind };
      if (!rendered.has(keyOfObject(plannedOf(object)))) unrendered.push(object);
    }
  }
  return choosePruned(unrendered, installation);
}

const OWNED = "install.operator.istio.io/owning-resource=installed-state";

/** A kind that this API server does not serve has no objects. */
async function listOrNone(
  type: ResourceType<KubernetesObject>,
  { client, signal }: Asking,
): Promise<readonly KubernetesObject[]> {
  try {
    return (await client.list(type, { labelSelector: OWNED, signal })).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function plannedOf(object: KubernetesObject | Manifest): PlannedObject {
  const { namespace } = object.metadata ?? {};
  return {
    kind: object.kind ?? "",
    name: nameOf(object as KubernetesObject),
    ...(namespace !== undefined && { namespace }),
  };
}

function keyOfObject({ kind, namespace = "", name }: PlannedObject): string {
  return `${kind} ${namespace}/${name}`;
}
