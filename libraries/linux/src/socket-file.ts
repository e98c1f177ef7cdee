/**
 * The file of a listening unix socket, and whose it is: during an upgrade the new process binds the path while the old one still
 * runs. An old one that removed the file as it ended would leave the new one listening where nobody can find it.
 */

import { lstatSync, rmSync } from "node:fs";

export interface SocketFile {
  /**
   * Removes the file unless another process has put its own there. Must be called while the socket is open: the socket holds
   * its inode, so that no later file can have the same number. A second call does nothing.
   */
  remove(): void;
}

/** Remembers the file that is at `path` now, which the caller has just bound. ENOENT as Node throws it when there is none. */
export function ownSocketFile(path: string): SocketFile {
  const own = lstatSync(path, { bigint: true });
  let ours = true;
  return {
    remove() {
      if (!ours) return;
      ours = false;
      const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (found?.ino === own.ino && found.dev === own.dev) rmSync(path, { force: true });
    },
  };
}
