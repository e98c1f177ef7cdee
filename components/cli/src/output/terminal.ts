/** Where a command writes: plain lines to standard output, progress to standard error, colours only for people. */

export interface Terminal {
  /** A line of the result. */
  line(text: string): void;
  /** A line beside the result: warnings, what to do next. */
  aside(text: string): void;
  /** What is going on right now; on a terminal the line is overwritten by the next one. */
  progress(text: string): void;
  progressEnd(): void;
  bold(text: string): string;
  faint(text: string): string;
  green(text: string): string;
  red(text: string): string;
}

export interface TerminalStreams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  /** False when NO_COLOR is set (no-color.org). */
  readonly colour: boolean;
}

export function createTerminal(streams: TerminalStreams): Terminal {
  const colour = streams.colour && streams.stdout.isTTY === true;
  const paint =
    (code: number) =>
    (text: string): string =>
      colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  let shown = "";
  const clear = (): void => {
    if (shown !== "" && streams.stderr.isTTY === true) streams.stderr.write("\r\u001b[K");
    shown = "";
  };
  return {
    line(text) {
      clear();
      streams.stdout.write(`${text}\n`);
    },
    aside(text) {
      clear();
      streams.stderr.write(`${text}\n`);
    },
    progress(text) {
      if (text === shown) return;
      clear();
      // Without a terminal nothing can be overwritten: each new state is a line of its own.
      streams.stderr.write(streams.stderr.isTTY === true ? `${text} ` : `${text}\n`);
      shown = text;
    },
    progressEnd: clear,
    bold: paint(1),
    faint: paint(2),
    green: paint(32),
    red: paint(31),
  };
}

/** `870ms`, `4.2s`, `1m12s`. */
export function describeDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  return `${Math.floor(ms / 60_000)}m${Math.round((ms % 60_000) / 1000)}s`;
}
