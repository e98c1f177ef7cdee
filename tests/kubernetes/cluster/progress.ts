/** Lines of progress, each with how long its step took. */

export interface Progress {
  /** Runs `work`, and says so before and after. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
  say(text: string): void;
}

export function createProgress(write: (text: string) => void, nowMs: () => number): Progress {
  const say = (text: string): void => write(`kubernetes: ${text}\n`);
  return {
    say,
    async step(name, work) {
      say(`${name} …`);
      const startMs = nowMs();
      const result = await work();
      say(`${name}: ${((nowMs() - startMs) / 1000).toFixed(1)} s`);
      return result;
    },
  };
}
