/**
 * Container logs on disk, in the form that container runtimes use and log collectors read (CRI):
 * `<RFC 3339 time with nanoseconds> stdout F <text>`, `P` instead of `F` for a line that goes on in the next one. Pure.
 */

/** Longest text of one entry; longer lines are cut into partial ones, as other runtimes do. */
export const MAX_ENTRY_BYTES: number = 16 * 1024;

const NEWLINE = 0x0a;
/** `2026-11-22T08:00:00.123000000Z stdout F ` */
const TIME_LENGTH = 30;
const PREFIX_LENGTH = TIME_LENGTH + " stdout F ".length;

export interface Split {
  /** Whole entries, ready for the file. */
  readonly entries: Buffer;
  /** What has no newline yet. */
  readonly rest: Buffer;
}

/** Cuts output into entries. `flush` says that no more comes: the rest becomes an entry, too. */
export function splitOutput(rest: Buffer, chunk: Buffer, nowMs: number, flush = false): Split {
  const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  const time = new Date(nowMs).toISOString().replace("Z", "000000Z");
  const full = Buffer.from(`${time} stdout F `);
  const partial = Buffer.from(`${time} stdout P `);
  const newline = Buffer.from("\n");
  const parts: Buffer[] = [];
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, start);
    const length = (end < 0 ? bytes.length : end) - start;
    if (length > MAX_ENTRY_BYTES) {
      parts.push(partial, bytes.subarray(start, start + MAX_ENTRY_BYTES), newline);
      start += MAX_ENTRY_BYTES;
      continue;
    }
    if (end < 0) break;
    parts.push(full, bytes.subarray(start, end), newline);
    start = end + 1;
  }
  if (!flush || start === bytes.length) return { entries: Buffer.concat(parts), rest: bytes.subarray(start) };
  parts.push(full, bytes.subarray(start), newline);
  return { entries: Buffer.concat(parts), rest: Buffer.alloc(0) };
}

export interface Entry {
  readonly time: string;
  readonly atMs: number;
  /** With its newline, unless the entry is partial. */
  readonly text: Buffer;
}

/** One entry, without its newline. Undefined for a line that is none (a crash cut it). */
export function parseEntry(line: Buffer): Entry | undefined {
  if (line.length < PREFIX_LENGTH) return undefined;
  const time = line.toString("latin1", 0, TIME_LENGTH);
  const atMs = Date.parse(time);
  const tag = line.toString("latin1", PREFIX_LENGTH - 2, PREFIX_LENGTH - 1);
  if (Number.isNaN(atMs) || (tag !== "F" && tag !== "P")) return undefined;
  const text = line.subarray(PREFIX_LENGTH);
  return { time, atMs, text: tag === "F" ? Buffer.concat([text, Buffer.from("\n")]) : text };
}
