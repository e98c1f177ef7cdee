/**
 * Runs a task that nobody waits for: the body of an event handler, a timer, a callback. What it throws or rejects with goes to
 * `onError`, once, where it would else end the process and with it everything that has nothing to do with the task.
 */
export function detach(task: () => unknown, onError: (error: unknown) => void): void {
  try {
    const result = task();
    if (result instanceof Promise) result.catch(onError);
  } catch (error) {
    onError(error);
  }
}
