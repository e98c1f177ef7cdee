/** Asks the cluster why a workload's pods are not ready. */

import {
  DAEMON_SETS,
  type DaemonSet,
  DEPLOYMENTS,
  type Deployment,
  EVENTS,
  type KubernetesClient,
  type Pod,
  type ResourceType,
} from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import type { Manifest } from "../manifests/objects.ts";
import { troubleOf, workloadWarning } from "./explain-pods.ts";
import { kindOf } from "./kinds.ts";
import { podsOf } from "./pods-of.ts";

/** One pod's trouble is mostly every pod's. */
const MAX_TROUBLES = 2;
/** Enough for the last line of a program that failed, with the braces that its runtime may print behind it. */
const LOG_LINES = 5;
const MAX_LOG_CHARACTERS = 300;

/** Sentences, none when nothing is known. A cluster that does not answer this is no reason to fail. */
export async function explainWorkload(
  object: Manifest,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { name, namespace } = object.metadata;
  const type: ResourceType = kindOf(object);
  if ((type !== DAEMON_SETS && type !== DEPLOYMENTS) || namespace === undefined) return [];
  try {
    const workload = await client.get(type, { name, namespace }, { signal });
    if (workload === undefined) return [];
    const pods = await podsOf(workload as DaemonSet | Deployment, client, signal);
    const events = (await client.list(EVENTS, { namespace, fieldSelector: "type=Warning", signal })).items;
    if (pods.length === 0) return [workloadWarning(name, events) ?? "it has no pods"];
    const troubles: string[] = [];
    for (const pod of pods) {
      const trouble = troubleOf(pod, events);
      if (trouble === undefined || troubles.length === MAX_TROUBLES) continue;
      const said =
        trouble.container === undefined ? "" : await lastWords(pod, trouble.container, client, signal);
      troubles.push(`${trouble.pod}: ${trouble.problem}${said === "" ? "" : `; its log ends: ${said}`}`);
    }
    return troubles;
  } catch (error) {
    return [`(why is not known: ${describeError(error)})`];
  }
}

/** The last line of the container's log, of the run before when this one has said nothing. */
async function lastWords(
  pod: Pod,
  container: string,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<string> {
  const ref = { name: pod.metadata?.name ?? "", namespace: pod.metadata?.namespace };
  for (const previous of [false, true]) {
    let text = "";
    try {
      for await (const chunk of client.logs(ref, { container, previous, tailLines: LOG_LINES, signal }))
        text = (text + Buffer.from(chunk).toString("utf8")).slice(-4 * MAX_LOG_CHARACTERS);
    } catch {
      // There is no log of that run; the status has said what there is to say.
      continue;
    }
    const line = text.split("\n").findLast((each) => /\w/.test(each));
    if (line !== undefined) return line.trim().slice(0, MAX_LOG_CHARACTERS);
  }
  return "";
}
