/** Puts the rendered components into the cluster, in order, and waits until each one serves. */

import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type KubernetesClient,
  type KubernetesObject,
  VALIDATING_WEBHOOKS,
} from "@meltemi/kubernetes";
import { type Clock, delay, MeshError } from "@meltemi/runtime";
import type { Manifest } from "../manifests/objects.ts";
import type { RenderedComponent } from "../manifests/render.ts";
import { describeDuration, type Terminal } from "../output/terminal.ts";
import { decideApply } from "./decide-apply.ts";
import { kindOf } from "./kinds.ts";
import { explainWorkload } from "./look-at-pods.ts";
import { type Readiness, readinessOf } from "./readiness.ts";

/** Who owns the fields that install sets, for server-side apply. */
export const FIELD_MANAGER = "istio-operator";

const LOOK_EVERY_MS = 200;
/** A healthy pod is ready before; a pod that is not has something to say by then. */
const EXPLAIN_AFTER_MS = 10_000;
const EXPLAIN_EVERY_MS = 3_000;

export interface InstallOptions {
  readonly readinessTimeoutMs: number;
}

export interface InstallDependencies {
  readonly client: KubernetesClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * One component after another, each when the one before serves: kinds before what is of them, the control plane before the node parts,
 * because ztunnel mounts the root certificate that it publishes. A version that does not start ends an upgrade there: no node loses its
 * agent to it.
 */
export async function installComponents(
  components: readonly RenderedComponent[],
  options: InstallOptions,
  deps: InstallDependencies,
): Promise<void> {
  const deadlineMs = deps.clock.monotonicMs() + options.readinessTimeoutMs;
  for (const component of components) {
    deps.terminal.progress(`- Processing resources for ${component.title}.`);
    for (const object of component.objects) await apply(object, deps);
    await waitFor(component, deadlineMs, options, deps);
    deps.terminal.line(`✔ ${component.title} installed ${component.icon}`);
  }
}

async function apply(object: Manifest, { client, signal }: InstallDependencies): Promise<void> {
  const type = kindOf(object);
  const found =
    type === CUSTOM_RESOURCE_DEFINITIONS || type === VALIDATING_WEBHOOKS
      ? await client.get(type, { name: object.metadata.name }, { signal })
      : undefined;
  // The plan has told of it.
  const decision = decideApply(object, found);
  if (decision.kind === "leave") return;
  // Fields are taken over: the installer is the owner of its manifests, as Istio's is.
  const options = { fieldManager: FIELD_MANAGER, force: true, signal };
  await client.apply(type, decision.object as KubernetesObject, options);
}

async function waitFor(
  component: RenderedComponent,
  deadlineMs: number,
  options: InstallOptions,
  deps: InstallDependencies,
): Promise<void> {
  for (const object of component.objects) {
    let explainAtMs = deps.clock.monotonicMs() + EXPLAIN_AFTER_MS;
    let why = "";
    for (;;) {
      const readiness = await look(object, deps);
      if (readiness.kind === "ready") break;
      if (readiness.kind === "stopped") throw stopped(component, object, readiness.why);
      const waiting = readiness.for;
      const nowMs = deps.clock.monotonicMs();
      if (nowMs > deadlineMs) throw await notReady(component, object, waiting, options, deps);
      if (nowMs > explainAtMs) {
        why = (await explainWorkload(object, deps.client, deps.signal)).map((text) => ` (${text})`)[0] ?? "";
        explainAtMs = nowMs + EXPLAIN_EVERY_MS;
      }
      const what = `${object.kind}/${object.metadata.name}: ${waiting}${why}`;
      deps.terminal.progress(`- Processing resources for ${component.title}. Waiting for ${what}`);
      await delay(deps.clock, LOOK_EVERY_MS, deps.signal);
    }
  }
}

async function look(object: Manifest, deps: InstallDependencies): Promise<Readiness> {
  const { name, namespace } = object.metadata;
  const type = kindOf(object);
  const ref = namespace === undefined ? { name } : { name, namespace };
  const found = await deps.client.get(type, ref, { signal: deps.signal });
  if (found === undefined) return { kind: "waiting", for: "it to exist" };
  return readinessOf({ ...found, kind: object.kind });
}

function stopped(component: RenderedComponent, object: Manifest, why: string): MeshError {
  return new MeshError(
    "UNAVAILABLE",
    `install ${component.title}: ${object.kind}/${object.metadata.name} has no pods and wants none, ${why}`,
  );
}

async function notReady(
  component: RenderedComponent,
  object: Manifest,
  waiting: string,
  options: InstallOptions,
  deps: InstallDependencies,
): Promise<MeshError> {
  const where = object.metadata.namespace === undefined ? "" : ` -n ${object.metadata.namespace}`;
  const lines = [
    `install ${component.title}: not ready within ${describeDuration(options.readinessTimeoutMs)}, ` +
      `still waiting for ${object.kind}/${object.metadata.name}: ${waiting}`,
    ...(await explainWorkload(object, deps.client, deps.signal)).map((text) => `  ${text}`),
    `  more: kubectl describe ${object.kind.toLowerCase()}${where} ${object.metadata.name}`,
  ];
  return new MeshError("TIMEOUT", lines.join("\n"));
}
