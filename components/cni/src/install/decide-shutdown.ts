/** What the end of this process means for the node: a pause, or the end of the mesh on it. Pure. */

import type { DaemonSet } from "@meltemi/kubernetes";

/** What the API said of our DaemonSet. */
export type DaemonSetAnswer =
  | { readonly kind: "found"; readonly daemonSet: DaemonSet }
  | { readonly kind: "absent" }
  /** 401 or 403. */
  | { readonly kind: "forbidden" }
  | { readonly kind: "unknown"; readonly why: string };

export type ShutdownDecision =
  | { readonly kind: "leave-in-place"; readonly why: string }
  | { readonly kind: "uninstall"; readonly why: string };

/**
 * Only a DaemonSet that is gone or going ends the mesh on this node. Uninstalling also takes our rights away, perhaps first: an API that
 * refuses now what it allowed at the start says the same. Whatever else is unclear leaves capture in place: pods stay protected.
 */
export function decideShutdown(atStart: DaemonSetAnswer["kind"], now: DaemonSetAnswer): ShutdownDecision {
  switch (now.kind) {
    case "found":
      return now.daemonSet.metadata?.deletionTimestamp === undefined
        ? { kind: "leave-in-place", why: "restart or upgrade" }
        : { kind: "uninstall", why: "the DaemonSet is being deleted" };
    case "absent":
      return { kind: "uninstall", why: "the DaemonSet is gone" };
    case "forbidden":
      return atStart === "found"
        ? { kind: "uninstall", why: "the right to read the DaemonSet was taken away" }
        : { kind: "leave-in-place", why: "the DaemonSet may not be read" };
    case "unknown":
      return { kind: "leave-in-place", why: now.why };
  }
}
