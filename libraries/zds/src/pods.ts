/** The agent's pods as the ZDS server sees them. */

import type { ZdsRequest, ZdsWorkload } from "./codec.ts";

export interface ZdsPod {
  readonly uid: string;
  readonly workload: ZdsWorkload;
  /** Descriptor of the pod's network namespace; undefined when the agent has lost it: the pod is then kept, not added. */
  readonly netnsFd: number | undefined;
}

/**
 * The agent's pods, read at the moment a request is written: a descriptor closed meanwhile could already be another file.
 */
export interface ZdsPods {
  uids(): readonly string[];
  find(uid: string): ZdsPod | undefined;
}

/** Requests as the server queues them: a pod's details are looked up when its turn comes. */
export type QueuedRequest =
  | Exclude<ZdsRequest, { kind: "add" }>
  | { readonly kind: "add"; readonly uid: string };
