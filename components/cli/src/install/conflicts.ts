/** Whose fields an apply would take over, from the API server's refusal of it (server-side apply, conflicts). Pure. */

export interface TakenOver {
  /** Who set them: `kubectl-edit`, `helm`, … */
  readonly manager: string;
  /** `.spec.replicas` */
  readonly fields: readonly string[];
}

/** A refusal names as many as it likes; a person reads this many. */
const MAX_FIELDS = 20;

/**
 * `Apply failed with 2 conflicts: conflicts with "kubectl-edit" using apps/v1:` and a line `- .spec.replicas` for each, or
 * `conflict with "helm" using v1: .data.mesh`. Empty for what is no such refusal.
 */
export function readConflicts(message: string): readonly TakenOver[] {
  const found = new Map<string, string[]>();
  let fields: string[] | undefined;
  let count = 0;
  for (const line of message.split("\n")) {
    const manager = /conflicts? with "([^"]+)"/.exec(line)?.[1];
    if (manager !== undefined) {
      fields = found.get(manager) ?? [];
      found.set(manager, fields);
    }
    // The time of the other's write, which may stand between, has colons without a space behind them.
    const field = /(?:: |^- )(\.\S.*)$/.exec(line)?.[1];
    if (field !== undefined && fields !== undefined && count++ < MAX_FIELDS) fields.push(field.trim());
  }
  return [...found].map(([manager, named]) => ({ manager, fields: named }));
}
