/** Writing a file that others read at any moment: they see the old one or the new one, whole. */

import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** The temporary name begins with a dot and has its own ending: no reader of a configuration folder takes it. */
export async function writeAtomically(path: string, text: string, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.new`);
  try {
    const file = await open(temporary, "w", mode);
    try {
      await file.writeFile(text);
      // After a power cut an empty configuration would leave the node without a network.
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
