/** Reads and proves the file of revocation lists (reference: protocol §1.2). */

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import {
  type Certificate,
  MAX_REVOCATION_FILE_BYTES,
  type RevocationList,
  readRevocationFile,
  revocationListFault,
} from "@meltemi/identity";
import { describeError, MeshError } from "@meltemi/runtime";

export type CrlReading =
  | { readonly kind: "lists"; readonly lists: readonly RevocationList[] }
  /** No file, or an empty one, which Istio's control plane publishes where its CA has no list. */
  | { readonly kind: "absent" }
  | { readonly kind: "refused"; readonly why: string };

/** Never rejects. */
export async function readCrlFile(
  path: string,
  authorities: () => Promise<readonly Certificate[]>,
): Promise<CrlReading> {
  try {
    const bytes = await readBounded(path);
    if (bytes === undefined || isBlank(bytes)) return { kind: "absent" };
    const read = readRevocationFile(bytes);
    if (read.kind === "bad") return { kind: "refused", why: read.why };
    const fault = revocationListFault(read.value, await authorities());
    return fault === undefined ? { kind: "lists", lists: read.value } : { kind: "refused", why: fault };
  } catch (error) {
    return { kind: "refused", why: describeError(error) };
  }
}

/** Undefined when there is no such file. */
async function readBounded(path: string): Promise<Uint8Array | undefined> {
  try {
    // Without O_NONBLOCK a named pipe would hold a thread of the pool until somebody writes.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw new MeshError("INPUT_INVALID", "expected a regular file");
    if (found.size > MAX_REVOCATION_FILE_BYTES)
      throw new MeshError(
        "INPUT_INVALID",
        `${found.size} bytes, at most ${MAX_REVOCATION_FILE_BYTES} expected`,
      );
    return await file.readFile();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A DER list never is: it begins with a byte that is no space. */
function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
}
