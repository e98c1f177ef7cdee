/** Why a pod is not ready, from its status and the events about it. Pure. */

import type { Event, Pod } from "@meltemi/kubernetes";

export interface PodTrouble {
  readonly pod: string;
  /** `container istio-proxy: CrashLoopBackOff, ended with exit code 1` */
  readonly problem: string;
  /** The container whose log says more; undefined when none has run. */
  readonly container: string | undefined;
}

/** Waiting of these kinds is a pod on its way; what holds it up is in the events. */
const ON_ITS_WAY: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing", ""]);

/** Undefined for a pod that is ready or on its way out. */
export function troubleOf(pod: Pod, events: readonly Event[]): PodTrouble | undefined {
  const { metadata, status } = pod;
  const conditions = status?.conditions ?? [];
  if (metadata?.deletionTimestamp !== undefined) return undefined;
  if (conditions.some((each) => each.type === "Ready" && each.status === "True")) return undefined;
  const where = pod.spec?.nodeName === undefined ? "" : ` on ${pod.spec.nodeName}`;
  const named = `pod ${metadata?.name ?? ""}${where}`;
  const unscheduled = conditions.find((each) => each.type === "PodScheduled" && each.status === "False");
  if (unscheduled !== undefined)
    return {
      pod: named,
      problem: `no node takes it: ${unscheduled.message ?? unscheduled.reason ?? ""}`,
      container: undefined,
    };
  const own = events.filter((event) => event.involvedObject.uid === metadata?.uid);
  for (const each of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const problem = containerProblem(each, own);
    if (problem === undefined) continue;
    const hasRun = each.restartCount > 0 || each.state?.waiting === undefined;
    return {
      pod: named,
      problem: `container ${each.name}: ${problem}`,
      container: hasRun ? each.name : undefined,
    };
  }
  return { pod: named, problem: newestOf(own) ?? "it has not been started yet", container: undefined };
}

type ContainerStatus = NonNullable<NonNullable<Pod["status"]>["containerStatuses"]>[number];

function containerProblem(status: ContainerStatus, events: readonly Event[]): string | undefined {
  const { waiting, terminated, running } = status.state ?? {};
  if (waiting !== undefined) {
    const reason = waiting.reason ?? "";
    if (ON_ITS_WAY.has(reason)) return newestOf(events) ?? "it is being started";
    const before = status.lastState?.terminated;
    if (before !== undefined) return `${reason}, ended with exit code ${before.exitCode}`;
    return waiting.message === undefined ? reason : `${reason}: ${waiting.message}`;
  }
  if (terminated !== undefined)
    return terminated.exitCode === 0 ? undefined : `ended with exit code ${terminated.exitCode}`;
  if (running === undefined || status.ready) return undefined;
  // What held its start up is over.
  return newestOf(events.filter(({ reason }) => reason === "Unhealthy")) ?? "it runs, and is not ready";
}

/** Why a workload makes no pods at all: the newest warning about it or about what it made in between. */
export function workloadWarning(workload: string, events: readonly Event[]): string | undefined {
  const about = events.filter(({ involvedObject: { kind, name } }) => {
    if (kind === "Pod" || name === undefined) return false;
    return name === workload || name.startsWith(`${workload}-`);
  });
  return newestOf(about);
}

function newestOf(events: readonly Event[]): string | undefined {
  const [newest] = events
    .filter((event) => event.type === "Warning")
    .sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1));
  return newest === undefined ? undefined : `${newest.reason}: ${newest.message}`;
}

/** RFC 3339 in UTC: the order of the texts is that of the times. */
function timeOf(event: Event): string {
  return String(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? "");
}
