/** What the benchmark and the client in the pod say to each other: a line of JSON each. */

export interface Target {
  readonly address: string;
  readonly port: number;
  /** Of the `Host` field. */
  readonly host: string;
}

/** A new connection to every target, again and again; replaces what went on before. None: rest. */
export interface ProbeCommand {
  readonly targets: readonly Target[];
  /** From the beginning of one connection to a target to the next one's, when the first has ended by then. */
  readonly everyMs: number;
}

/** One connection, one request. Times are of the machine's monotonic clock, which all processes share. */
export interface Probe {
  /** Index in the command's targets. */
  readonly target: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly localPort: number;
  /** `200 <x-bench field>`, `closed` (before the answer was complete), or what failed. */
  readonly outcome: string;
}

export interface ProbeReport {
  /** Of the command that these belong to: counted from 1. */
  readonly command: number;
  readonly probes: readonly Probe[];
}

/** Monotonic time of the machine, not of the process. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
