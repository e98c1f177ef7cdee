/** A config dump that was saved: a file, or standard input. */

import { createReadStream } from "node:fs";
import { MeshError } from "@meltemi/runtime";
import type { Json } from "../output/json.ts";
import { parseDump } from "./mesh-cluster.ts";

/** As much as is taken from a proxy itself. */
const DUMP_LIMIT_BYTES = 256 * 1024 * 1024;

/** `path` is `-` for standard input. Throws INPUT_INVALID or LIMIT_EXCEEDED, naming the file. */
export async function readDumpFile(path: string, stdin: NodeJS.ReadableStream): Promise<Json> {
  const what = path === "-" ? "read standard input" : `read ${path}`;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of path === "-" ? stdin : createReadStream(path)) {
      const part = Buffer.from(chunk as Buffer);
      bytes += part.length;
      if (bytes > DUMP_LIMIT_BYTES)
        throw new MeshError("LIMIT_EXCEEDED", `${what}: expected at most ${DUMP_LIMIT_BYTES} bytes`);
      chunks.push(part);
    }
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError("INPUT_INVALID", `${what}: it cannot be read`, { cause });
  }
  return parseDump(Buffer.concat(chunks).toString("utf8"), what);
}
