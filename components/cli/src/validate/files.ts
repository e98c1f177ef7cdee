/** Finds and reads what `validate -f` names: files, folders with all below them, `-` for standard input. */

import { lstat, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "@meltemi/runtime";
import { MAX_TEXT_CHARACTERS } from "./documents.ts";

/** More files than any repository of policies has: `-f /` ends here. */
const MAX_FILES = 10_000;
const MAX_FOLDER_DEPTH = 32;
/** A character of UTF-8 has at most four bytes. One more character than is accepted is read, so that the text is refused, not cut. */
const MAX_FILE_BYTES: number = 4 * (MAX_TEXT_CHARACTERS + 1);

export const STANDARD_INPUT = "-";

/** Files in the order of their names. A file that is named is taken whatever its name ends in. */
export async function filesOf(names: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const name of names) {
    if (name === STANDARD_INPUT) files.push(name);
    else if (!(await statOf(name)).isDirectory()) files.push(name);
    else await collect(name, 0, files);
  }
  return files;
}

async function statOf(path: string): ReturnType<typeof stat> {
  try {
    return await stat(path);
  } catch (cause) {
    throw new MeshError("INPUT_INVALID", `read ${path}: no such file or folder`, { cause });
  }
}

/** Links are not followed below a folder: they may lead around in circles. */
async function collect(folder: string, depth: number, files: string[]): Promise<void> {
  if (depth > MAX_FOLDER_DEPTH)
    throw new MeshError(
      "LIMIT_EXCEEDED",
      `read ${folder}: expected at most ${MAX_FOLDER_DEPTH} folders deep`,
    );
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const kind = await lstat(path);
    if (kind.isDirectory() && !name.startsWith(".") && name !== "node_modules")
      await collect(path, depth + 1, files);
    else if (kind.isFile() && /\.(ya?ml|json)$/.test(name)) files.push(path);
    if (files.length > MAX_FILES)
      throw new MeshError("LIMIT_EXCEEDED", `read ${folder}: expected at most ${MAX_FILES} files`);
  }
}

/** The text of a file; a named pipe serves as well, `-f <(helm template …)`. */
export async function readFileText(path: string): Promise<string> {
  try {
    await using file = await open(path, "r");
    return await readText(file.createReadStream({ autoClose: false }));
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError("INPUT_INVALID", `read ${path}: it may not be read`, { cause });
  }
}

/** Stops reading once the text is longer than will be accepted. */
export async function readText(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const part = Buffer.from(chunk);
    chunks.push(part);
    bytes += part.length;
    if (bytes > MAX_FILE_BYTES) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}
