/** Reads a container's log as `kubectl logs` asks for it. */

import { type FileHandle, open } from "node:fs/promises";
import type { ContainerLog } from "./container-log.ts";
import { type Entry, parseEntry } from "./line.ts";

export interface LogOptions {
  readonly follow?: boolean | undefined;
  /** Newest entries only; 0 is none of the old ones. */
  readonly tailLines?: number | undefined;
  readonly sinceSeconds?: number | undefined;
  /** RFC 3339 */
  readonly sinceTime?: string | undefined;
  readonly previous?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LogSource {
  /** The files that exist, oldest first, the one being written last. */
  readonly path: string;
  /** The writer, while the container runs. */
  readonly live: ContainerLog | undefined;
}

const READ_BYTES = 64 * 1024;

/** Bytes for the client, at its pace: files are read as it takes them, and nothing is queued. */
export async function* readLog(
  source: LogSource,
  options: LogOptions,
  nowMs: number,
): AsyncGenerator<Buffer> {
  const sinceMs = earliestMs(options, nowMs);
  const wanted = (entry: Entry): boolean => entry.atMs >= sinceMs;
  const format = (entry: Entry): Buffer =>
    options.timestamps === true ? Buffer.concat([Buffer.from(`${entry.time} `), entry.text]) : entry.text;
  const { live } = source;
  const generation = live?.generation ?? 0;
  const old = await openIfThere(`${source.path}.1`);
  const current = await openIfThere(source.path);
  const cursor = { position: 0 };
  try {
    const past = pastEntries(old, current, cursor, wanted);
    if (options.tailLines === undefined) for await (const entry of past) yield format(entry);
    else for (const entry of await lastOf(past, options.tailLines)) yield format(entry);
    if (options.follow !== true || live === undefined || current === undefined) return;
    yield* mapEach(
      followFrom(source.path, live, current, cursor, generation, options.signal),
      wanted,
      format,
    );
  } finally {
    await old?.close();
    await current?.close();
  }
}

function earliestMs(options: LogOptions, nowMs: number): number {
  if (options.sinceSeconds !== undefined) return nowMs - options.sinceSeconds * 1000;
  const atMs = options.sinceTime === undefined ? Number.NaN : Date.parse(options.sinceTime);
  return Number.isNaN(atMs) ? Number.NEGATIVE_INFINITY : atMs;
}

async function* pastEntries(
  old: FileHandle | undefined,
  current: FileHandle | undefined,
  cursor: Cursor,
  wanted: (entry: Entry) => boolean,
): AsyncGenerator<Entry> {
  for (const file of [old, current]) {
    if (file === undefined) continue;
    cursor.position = 0;
    for await (const entry of entriesFrom(file, cursor)) if (wanted(entry)) yield entry;
  }
}

async function* mapEach(
  entries: AsyncGenerator<Entry>,
  wanted: (entry: Entry) => boolean,
  format: (entry: Entry) => Buffer,
): AsyncGenerator<Buffer> {
  for await (const entry of entries) if (wanted(entry)) yield format(entry);
}

interface Cursor {
  position: number;
}

/** What the writer adds from `cursor` on, across rotations, until it ends or the signal fires. */
async function* followFrom(
  path: string,
  live: ContainerLog,
  first: FileHandle,
  cursor: Cursor,
  firstGeneration: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Entry> {
  let file = first;
  let generation = firstGeneration;
  const aborted = new Promise<void>((resolve) =>
    signal?.addEventListener("abort", () => resolve(), { once: true }),
  );
  try {
    for (;;) {
      const change = live.changed();
      const { ended } = live;
      const rotated = live.generation !== generation;
      for await (const entry of entriesFrom(file, cursor)) yield entry;
      if (rotated) {
        if (file !== first) await file.close();
        file = await open(path, "r");
        generation = live.generation;
        cursor.position = 0;
        continue;
      }
      if (ended || signal?.aborted === true) return;
      await Promise.race([change, aborted]);
    }
  } finally {
    if (file !== first) await file.close();
  }
}

/** Whole entries from the cursor to the end of the file; the cursor stays before an entry that is not complete yet. */
async function* entriesFrom(file: FileHandle, cursor: Cursor): AsyncGenerator<Entry> {
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, cursor.position + rest.length);
    if (bytesRead === 0) return;
    const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      const entry = parseEntry(bytes.subarray(start, end));
      cursor.position += end + 1 - start;
      start = end + 1;
      if (entry !== undefined) yield entry;
    }
    rest = bytes.subarray(start);
  }
}

async function lastOf(entries: AsyncGenerator<Entry>, count: number): Promise<readonly Entry[]> {
  const kept: Entry[] = [];
  for await (const entry of entries) {
    kept.push(entry);
    // Trim rarely: shifting at every entry would be quadratic.
    if (kept.length >= 2 * count + 1000) kept.splice(0, kept.length - count);
  }
  return count === 0 ? [] : kept.slice(-count);
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return open(path, "r").catch(() => undefined);
}
