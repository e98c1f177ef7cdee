/** Puts the rendered components into the cluster, in order, and waits until each one serves. */

import type { KubernetesClient, KubernetesObject } from "@meltemi/kubernetes";
import { type Clock, delay, MeshError } from "@meltemi/runtime";
import type { Manifest } from "../manifests/objects.ts";
import type { RenderedComponent } from "../manifests/render.ts";
import type { Terminal } from "../output/terminal.ts";
import { kindOf } from "./kinds.ts";
import { readinessOf } from "./readiness.ts";

/** Who owns the fields that install sets, for server-side apply. */
const FIELD_MANAGER = "istio-operator";

const LOOK_EVERY_MS = 200;

export interface InstallOptions {
  readonly readinessTimeoutMs: number;
  readonly dryRun: boolean;
}

export interface InstallDependencies {
  readonly client: KubernetesClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
}

/**
 * Applies everything, then waits: base first, because the rest needs its kinds; the control plane before the node parts
 * are waited for, because ztunnel mounts the root certificate that the control plane publishes.
 */
export async function installComponents(
  components: readonly RenderedComponent[],
  options: InstallOptions,
  deps: InstallDependencies,
): Promise<void> {
  const deadlineMs = deps.clock.monotonicMs() + options.readinessTimeoutMs;
  for (const component of components) {
    deps.terminal.progress(`- Processing resources for ${component.title}.`);
    for (const object of component.objects) await applyObject(object, options, deps);
    if (component.name === "Base" && !options.dryRun) await waitFor(component, deadlineMs, deps);
  }
  for (const component of components) {
    if (!options.dryRun && component.name !== "Base") await waitFor(component, deadlineMs, deps);
    deps.terminal.line(`✔ ${component.title} installed ${component.icon}`);
  }
}

async function applyObject(
  object: Manifest,
  options: InstallOptions,
  deps: InstallDependencies,
): Promise<void> {
  // Fields are taken over: the installer is the owner of its manifests, as Istio's is.
  await deps.client.apply(kindOf(object), object as KubernetesObject, {
    fieldManager: FIELD_MANAGER,
    force: true,
    dryRun: options.dryRun,
  });
}

async function waitFor(
  component: RenderedComponent,
  deadlineMs: number,
  deps: InstallDependencies,
): Promise<void> {
  for (const object of component.objects) {
    for (;;) {
      const waiting = await look(object, deps);
      if (waiting === undefined) break;
      const what = `${object.kind}/${object.metadata.name}: ${waiting}`;
      if (deps.clock.monotonicMs() > deadlineMs) throw notReady(component, object, what);
      deps.terminal.progress(`- Processing resources for ${component.title}. Waiting for ${what}`);
      await delay(deps.clock, LOOK_EVERY_MS);
    }
  }
}

/** What the object still waits for; undefined when it is ready. */
async function look(object: Manifest, deps: InstallDependencies): Promise<string | undefined> {
  const { name, namespace } = object.metadata;
  const type = kindOf(object);
  const found = await deps.client.get(type, namespace === undefined ? { name } : { name, namespace });
  if (found === undefined) return "it to exist";
  const readiness = readinessOf({ ...found, kind: object.kind });
  return readiness.kind === "ready" ? undefined : readiness.for;
}

function notReady(component: RenderedComponent, object: Manifest, what: string): MeshError {
  const where = object.metadata.namespace === undefined ? "" : ` -n ${object.metadata.namespace}`;
  return new MeshError(
    "TIMEOUT",
    `install ${component.title}: not ready in time, still waiting for ${what}. ` +
      `See why with: kubectl describe ${object.kind.toLowerCase()}${where} ${object.metadata.name}`,
  );
}
