/** Folders that vanish with their test. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
  /** Path of a file or folder inside. */
  file(name: string): string;
}

/** `await using folder = await createTemporaryFolder()`. */
export async function createTemporaryFolder(name = "test"): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), `meltemi-${name}-`));
  return {
    path,
    file: (inside) => join(path, inside),
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}
