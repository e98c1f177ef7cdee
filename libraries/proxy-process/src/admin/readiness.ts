/** What has to be done before this proxy is ready (reference: protocol §8.1). */

export interface Readiness {
  /** Names a task that is pending until it is done; a task may become pending again. */
  task(name: string): { done(): void; pending(): void };
  /** Names of the tasks that are pending. */
  pending(): readonly string[];
}

export function createReadiness(): Readiness {
  const waiting = new Set<string>();
  return {
    task(name) {
      waiting.add(name);
      return { done: () => void waiting.delete(name), pending: () => void waiting.add(name) };
    },
    pending: () => [...waiting].sort(),
  };
}

/** Answer of `GET /healthz/ready`. */
export function readinessAnswer(pending: readonly string[]): {
  readonly status: number;
  readonly body: string;
} {
  return pending.length === 0
    ? { status: 200, body: "ready\n" }
    : { status: 500, body: `not ready, pending: ${pending.join(", ")}\n` };
}
