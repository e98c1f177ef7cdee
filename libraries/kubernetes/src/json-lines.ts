/** Splits a byte stream into JSON documents, one a line: the framing of a watch. */

import { MeshError } from "@meltemi/runtime";

/** An object is at most 1.5 MiB in etcd; JSON escapes and managed fields may swell it on the wire. */
const WATCH_LINE_LIMIT_BYTES: number = 8 * 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Yields each line parsed. A last line without newline is parsed too; blank lines are skipped.
 * Throws LIMIT_EXCEEDED for a line above `limitBytes`, PROTOCOL_VIOLATION for one that is not JSON.
 */
export async function* jsonLines(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number = WATCH_LINE_LIMIT_BYTES,
): AsyncGenerator<unknown, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = [...pending, chunk.subarray(start, end)];
      if (pendingBytes + end - start > limitBytes) throw tooLong(limitBytes);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      yield* parseLine(line);
    }
    pendingBytes += chunk.length - start;
    if (pendingBytes > limitBytes) throw tooLong(limitBytes);
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  yield* parseLine(pending);
}

function* parseLine(parts: readonly Uint8Array[]): Generator<unknown, void, undefined> {
  const text = Buffer.concat(parts).toString("utf8").trim();
  if (text === "") return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MeshError("PROTOCOL_VIOLATION", "read watch stream: a line is not JSON", { cause });
  }
  yield value;
}

function tooLong(limitBytes: number): MeshError {
  return new MeshError("LIMIT_EXCEEDED", `read watch stream: a line exceeds ${limitBytes} bytes`);
}
