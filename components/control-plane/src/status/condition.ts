/** Conditions as Kubernetes keeps them: what is stored, what is wanted, and what to write. Pure. */

/** A condition without the time of its last change. */
export interface ConditionContent {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  /** Gateway API writes it as a number; the JSON of Istio's API writes a 64-bit number as text. Kinds without generations have none. */
  readonly observedGeneration?: number | string;
}

export interface StoredCondition extends ConditionContent {
  readonly lastTransitionTime: string;
}

/** Kubernetes' bound for the message of a condition. */
const MAX_MESSAGE_CHARACTERS = 32_768;

/**
 * What to store, or undefined when what is stored says it all. `owned`: types that are this writer's; those that are not wanted
 * any more go, others are left to whoever wrote them. The time changes with the status alone.
 */
export function mergeConditions(
  stored: readonly StoredCondition[],
  wanted: readonly ConditionContent[],
  owned: readonly string[],
  now: string,
): readonly StoredCondition[] | undefined {
  const merged = wanted.map((content) =>
    mergeCondition(
      stored.find(({ type }) => type === content.type),
      content,
      now,
    ),
  );
  const isWanted = (type: string): boolean => wanted.some((content) => content.type === type);
  const hasStale = stored.some(({ type }) => owned.includes(type) && !isWanted(type));
  return hasStale || merged.some((condition) => !stored.includes(condition)) ? merged : undefined;
}

/** The stored one when it says what is wanted. */
export function mergeCondition(
  stored: StoredCondition | undefined,
  wanted: ConditionContent,
  now: string,
): StoredCondition {
  const message = wanted.message.slice(0, MAX_MESSAGE_CHARACTERS);
  const isSame =
    stored !== undefined &&
    stored.status === wanted.status &&
    stored.reason === wanted.reason &&
    stored.message === message &&
    String(stored.observedGeneration ?? "") === String(wanted.observedGeneration ?? "");
  if (isSame) return stored;
  const lastTransitionTime = stored?.status === wanted.status ? stored.lastTransitionTime : now;
  return { ...wanted, message, lastTransitionTime };
}

/** Conditions of an object's status, as far as they are such. */
export function conditionsOf(status: unknown): readonly StoredCondition[] {
  const { conditions } = (status ?? {}) as { readonly conditions?: unknown };
  if (!Array.isArray(conditions)) return [];
  return conditions.filter(
    (condition): condition is StoredCondition =>
      typeof condition === "object" && condition !== null && typeof condition.type === "string",
  );
}

/** RFC 3339 to the second, as `metav1.Time`. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
