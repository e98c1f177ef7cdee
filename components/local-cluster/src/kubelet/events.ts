/** Events of pods, as `kubectl describe` shows them: equal ones are counted, not repeated. */

import { EVENTS, type KubernetesClient, type Pod } from "@meltemi/kubernetes";
import { type Clock, describeError, type Logger } from "@meltemi/runtime";
import { timestamp } from "../timestamp.ts";

export interface EventRecorder {
  /** Never fails: an event that cannot be stored is logged and dropped. `container` is its name, if it is about one. */
  record(pod: Pod, kind: "Normal" | "Warning", reason: string, message: string, container?: string): void;
}

export interface EventRecorderOptions {
  readonly component: string;
  readonly host: string;
}

/** Distinct events remembered for counting; the oldest are forgotten and simply become new events. */
const MAX_REMEMBERED = 2000;
/** Events on their way to the API; more are dropped, since a flood of them says nothing new. */
const MAX_PENDING = 100;
const MESSAGE_LIMIT = 1024;

export function createEventRecorder(
  options: EventRecorderOptions,
  deps: {
    readonly client: Pick<KubernetesClient, "create" | "patch">;
    readonly clock: Clock;
    readonly log: Logger;
  },
): EventRecorder {
  const remembered = new Map<string, { readonly name: string; count: number }>();
  let pending = 0;
  /** One after the other: a count must not overtake the event it belongs to. */
  let last: Promise<void> = Promise.resolve();

  async function send(pod: Pod, event: PodEvent): Promise<void> {
    const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
    const key = [uid, event.container, event.reason, event.message].join("\n");
    const now = timestamp(deps.clock.nowMs());
    const known = remembered.get(key);
    if (known !== undefined) {
      known.count += 1;
      const body = { count: known.count, lastTimestamp: now };
      await deps.client.patch(EVENTS, { namespace, name: known.name }, { kind: "merge", body });
      return;
    }
    const eventName = `${name}.${BigInt(Math.round(deps.clock.nowMs() * 1e6)).toString(16)}${remembered.size.toString(16)}`;
    await deps.client.create(EVENTS, {
      metadata: { name: eventName, namespace },
      involvedObject: {
        apiVersion: "v1",
        kind: "Pod",
        namespace,
        name,
        uid,
        ...(event.container === undefined ? {} : { fieldPath: `spec.containers{${event.container}}` }),
      },
      type: event.kind,
      reason: event.reason,
      message: event.message,
      source: { component: options.component, host: options.host },
      reportingComponent: options.component,
      reportingInstance: options.host,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    });
    remembered.set(key, { name: eventName, count: 1 });
    const [oldest] = remembered.keys();
    if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
  }

  return {
    record(pod, kind, reason, message, container) {
      deps.log.info(`event: ${reason}`, { pod: pod.metadata?.name, message, container });
      if (pending >= MAX_PENDING) return;
      pending += 1;
      const event = { kind, reason, message: message.slice(0, MESSAGE_LIMIT), container };
      last = last
        .then(() => send(pod, event))
        .catch((error) => deps.log.debug("event not stored", { reason, error: describeError(error) }))
        .finally(() => {
          pending -= 1;
        });
    },
  };
}

interface PodEvent {
  readonly kind: string;
  readonly reason: string;
  readonly message: string;
  readonly container: string | undefined;
}
