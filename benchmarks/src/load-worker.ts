/** A load generator as a process: obeys one command at a time, and says what it cost. */

export interface MeasuredLoad {
  readonly correct: boolean;
  readonly fault?: string | undefined;
  /** Of this process, for the command. */
  readonly cpuSeconds: number;
}

/** `failed`: what is answered when a command throws. */
export function obeyCommands<Command, Reply extends MeasuredLoad>(
  obey: (command: Command) => Promise<Omit<Reply, "cpuSeconds">>,
  failed: (fault: string) => Omit<Reply, "cpuSeconds">,
): void {
  process.on("message", async (command: Command) => {
    const before = process.cpuUsage();
    const result = await obey(command).catch((error: unknown) => failed(String(error)));
    const used = process.cpuUsage(before);
    process.send?.({ ...result, cpuSeconds: (used.user + used.system) / 1e6 });
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ kind: "ready" });
}
