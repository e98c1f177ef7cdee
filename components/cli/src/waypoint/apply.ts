/** `waypoint apply`: the Gateway, and on request the wait for it and the labels that send traffic to it. */

import {
  type KubernetesObject,
  NAMESPACES,
  type ObjectRef,
  type ResourceType,
  SERVICES,
} from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import {
  applyGateway,
  awaitProgrammed,
  bindToWaypoint,
  type ClusterDependencies,
  findWaypoints,
} from "./cluster.ts";
import { type Purpose, USE_LABEL, waypointGateway } from "./gateway.ts";

export interface ApplyOptions {
  readonly name: string;
  readonly namespace: string;
  readonly purpose: Purpose;
  readonly revision: string | undefined;
  readonly highAvailability: boolean;
  readonly enrollNamespace: boolean;
  readonly overwrite: boolean;
  readonly wait: boolean;
  readonly timeoutMs: number;
}

/** What is to use the waypoint. */
interface Enrolment {
  readonly type: ResourceType;
  readonly ref: ObjectRef;
  /** `namespace apps`, `service apps/reviews`. */
  readonly title: string;
  readonly object: KubernetesObject;
}

export async function applyWaypoint(options: ApplyOptions, deps: ClusterDependencies): Promise<void> {
  const { terminal } = deps;
  const { name, namespace, purpose, revision, highAvailability } = options;
  const enrolments = await findEnrolments(options, deps);
  for (const { title, object } of enrolments) {
    const present = object.metadata?.labels?.[USE_LABEL];
    if (present === undefined || options.overwrite) continue;
    // The very label that is wanted is no obstacle for one service; of a namespace Istio says it in any case.
    if (object.kind !== "Namespace" && present === name) continue;
    terminal.line(enrolledText(title, namespace));
    return;
  }
  if (options.enrollNamespace) warnOfPlainNamespace(enrolments, options, deps);
  await applyGateway(
    waypointGateway({ name, namespace, trafficType: purpose.trafficType, revision, highAvailability }),
    deps,
  );
  terminal.line(`✅ waypoint ${namespace}/${name} applied`);
  if (options.wait) {
    const find = async () =>
      (await findWaypoints(namespace, deps)).filter(({ metadata }) => metadata?.name === name);
    await awaitProgrammed(find, options.timeoutMs, deps);
    terminal.line(`✅ waypoint ${namespace}/${name} is ready!`);
  }
  for (const { type, ref, title } of enrolments) {
    await bindToWaypoint(type, ref, name, deps);
    terminal.line(`✅ ${title} labeled with "${USE_LABEL}: ${name}"`);
  }
}

/** Throws NOT_FOUND before anything is changed when what is to be served is not there. */
async function findEnrolments(
  { namespace, purpose, enrollNamespace }: ApplyOptions,
  { client, signal }: ClusterDependencies,
): Promise<readonly Enrolment[]> {
  const wanted: { readonly type: ResourceType; readonly ref: ObjectRef; readonly title: string }[] = [];
  if (enrollNamespace)
    wanted.push({ type: NAMESPACES, ref: { name: namespace }, title: `namespace ${namespace}` });
  if (purpose.service !== undefined)
    wanted.push({
      type: SERVICES,
      ref: { namespace, name: purpose.service },
      title: `service ${namespace}/${purpose.service}`,
    });
  return await Promise.all(
    wanted.map(async (each) => {
      const object = await client.get(each.type, each.ref, { signal });
      if (object === undefined) throw new MeshError("NOT_FOUND", `${each.title} not found`);
      return { ...each, object: { ...object, kind: each.type.kind } };
    }),
  );
}

function enrolledText(title: string, namespace: string): string {
  const what = title.startsWith("namespace ") ? `namespace (${namespace})` : title;
  return `⚠️ Warning: ${what} already has an enrolled Waypoint. Consider adding the \`--overwrite\` flag to your apply command.`;
}

function warnOfPlainNamespace(
  enrolments: readonly Enrolment[],
  { namespace }: ApplyOptions,
  { terminal }: ClusterDependencies,
): void {
  const labels = enrolments.find(({ type }) => type === NAMESPACES)?.object.metadata?.labels;
  if (labels?.["istio.io/dataplane-mode"] === "ambient") return;
  terminal.line(
    `⚠️ Warning: namespace is not enrolled in ambient. Consider running\t\`kubectl label namespace ${namespace} istio.io/dataplane-mode=ambient\``,
  );
}
