/** What the kernel refused, as a MeshError: the operation, what it was done to, and the errno's name. */

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { MeshError } from "@meltemi/runtime";
import { lastErrno, libc } from "./libc.ts";

const NAME_BY_ERRNO: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, errno]) => [errno, name]),
);

export const ERRNO: typeof constants.errno = constants.errno;

/** KERNEL error with `details.errno` (the name, e.g. `EADDRINUSE`) and `details.operation`. */
export function kernelError(operation: string, errno: number, subject = ""): MeshError {
  const name = NAME_BY_ERRNO.get(errno) ?? `errno ${errno}`;
  const text = getSystemErrorMap().get(-errno)?.[1] ?? "refused by the kernel";
  const of = subject === "" ? "" : ` ${subject}`;
  return new MeshError("KERNEL", `${operation}${of}: ${text} (${name})`, {
    details: { operation, errno: name },
  });
}

/** The result of a system call when it is not -1; otherwise the KERNEL error of its errno. */
export function checked(operation: string, result: number, subject = ""): number {
  if (result < 0) throw kernelError(operation, lastErrno(), subject);
  return result;
}

/** The errno's name of a KERNEL error of this room, undefined for any other thing thrown. */
export function errnoName(error: unknown): string | undefined {
  if (!(error instanceof MeshError) || error.code !== "KERNEL") return undefined;
  const name = error.details["errno"];
  return typeof name === "string" ? name : undefined;
}

/** Runs `work` for a descriptor that nobody owns yet; when it throws, the descriptor is closed. */
export function closingOnFailure<T>(fd: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
