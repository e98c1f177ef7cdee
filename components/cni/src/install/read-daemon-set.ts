/** Asks the API for our own DaemonSet. */

import { DAEMON_SETS, type KubernetesClient, statusOf } from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import type { DaemonSetAnswer } from "./decide-shutdown.ts";

/** The process is given 30 s to end, and has work to do after this. */
const TIMEOUT_MS = 3_000;

/** Never rejects. */
export async function readDaemonSet(
  client: Pick<KubernetesClient, "get">,
  ref: { readonly name: string; readonly namespace: string },
): Promise<DaemonSetAnswer> {
  try {
    const daemonSet = await client.get(DAEMON_SETS, ref, { timeoutMs: TIMEOUT_MS });
    return daemonSet === undefined ? { kind: "absent" } : { kind: "found", daemonSet };
  } catch (error) {
    const code = statusOf(error)?.code;
    return code === 401 || code === 403
      ? { kind: "forbidden" }
      : { kind: "unknown", why: describeError(error) };
  }
}
