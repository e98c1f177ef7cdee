/** Revisions of a daemon set or stateful set as ControllerRevisions: the history that `kubectl rollout history` and `undo` read. */

import {
  CONTROLLER_REVISIONS,
  type ControllerRevision,
  type DaemonSet,
  nameOf,
  namespaceOf,
  type Pod,
  type ResourceType,
  type StatefulSet,
} from "@meltemi/kubernetes";
import type { Action } from "./action.ts";
import { REVISION_HASH } from "./daemon-pod.ts";
import { controllerReference, isControlledBy } from "./ownership.ts";

export interface RevisionsView {
  readonly type: ResourceType;
  readonly set: DaemonSet | StatefulSet;
  /** Hash of the current template. */
  readonly hash: string;
  /** All revisions of its namespace. */
  readonly revisions: readonly ControllerRevision[];
  /** Pods of the set. */
  readonly pods: readonly Pod[];
}

/** The current template is the newest revision; old ones go beyond the history limit, but not while a pod runs them. */
export function decideRevisions(view: RevisionsView): readonly Action[] {
  const { type, set, hash } = view;
  const own = view.revisions
    .filter((each) => isControlledBy(each, set))
    .sort((a, b) => a.revision - b.revision);
  const current = own.find((each) => hashOf(each) === hash);
  const old = own.filter((each) => each !== current);
  const newest = Math.max(0, ...old.map((each) => each.revision));
  const actions: Action[] = [];
  if (current === undefined)
    actions.push({
      kind: "create",
      type: CONTROLLER_REVISIONS,
      object: newRevision(type, set, hash, newest + 1),
    });
  else if (current.revision <= newest) {
    // An old template came back.
    const body = { revision: newest + 1 };
    actions.push({ kind: "patch", type: CONTROLLER_REVISIONS, object: current, body, guarded: true });
  }
  const used = new Set(view.pods.map((pod) => pod.metadata?.labels?.[REVISION_HASH]));
  const unused = old.filter((each) => !used.has(hashOf(each)));
  const surplus = unused.slice(0, Math.max(0, unused.length - (set.spec?.revisionHistoryLimit ?? 10)));
  return [
    ...actions,
    ...surplus.map((object): Action => ({ kind: "delete", type: CONTROLLER_REVISIONS, object })),
  ];
}

function hashOf(revision: ControllerRevision): string {
  return revision.metadata?.labels?.[REVISION_HASH] ?? "";
}

/** `data` is the strategic merge patch that brings the template back; `$patch: replace` so that nothing of a later one stays. */
function newRevision(
  type: ResourceType,
  set: DaemonSet | StatefulSet,
  hash: string,
  revision: number,
): ControllerRevision {
  const template = { ...set.spec?.template, $patch: "replace" };
  return {
    metadata: {
      name: `${nameOf(set)}-${hash}`,
      namespace: namespaceOf(set),
      labels: { ...set.spec?.template.metadata?.labels, [REVISION_HASH]: hash },
      ...(set.metadata?.annotations === undefined ? {} : { annotations: set.metadata.annotations }),
      ownerReferences: [controllerReference(type, set)],
    },
    data: { spec: { template } },
    revision,
  };
}
