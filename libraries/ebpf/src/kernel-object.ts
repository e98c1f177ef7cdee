/** From a compiled file to programs and maps in the kernel. The file is the same on every host; only here does the kernel have a say. */

import { constants } from "node:os";
import { MeshError } from "@meltemi/runtime";
import koffi from "koffi";
import { type Handle, libbpf, libbpfErrno } from "./libbpf.ts";

export interface KernelObjectOptions {
  /** A compiled `.o` file. */
  readonly path: string;
  /** Folder in a bpf file system where maps of the same name are found again, or pinned. Without one nothing outlives the object. */
  readonly pinFolder?: string;
  readonly programs: readonly string[];
  /** The one 64-bit constant some programs have, written before loading. */
  readonly constant?: bigint;
}

export interface KernelObject extends Disposable {
  program(name: string): Handle;
  mapFd(name: string): number;
  /** Lets go of the handles; what is pinned or attached through a pinned link stays. */
  close(): void;
}

/** Where `pin_root_path` lies in `struct bpf_object_open_opts`, and the structure's size up to it (libbpf 1.0 and later). */
const PIN_ROOT_OFFSET = 24;
const OPEN_OPTIONS_BYTES = 32;
/** Maps carry a path from the moment a file is opened; it is taken away again before they are made. */
const UNUSED_PIN_FOLDER = "/";
/** The verifier's last words are what matters. */
const VERIFIER_LOG_BYTES = 64 * 1024;
const VERIFIER_LOG_KEPT = 2000;

/** KERNEL when the kernel refuses a program; `details.verifier` has the end of the verifier's log. */
export function loadKernelObject(options: KernelObjectOptions): KernelObject {
  const bpf = libbpf();
  const pinFolder = Buffer.from(`${options.pinFolder ?? UNUSED_PIN_FOLDER}\0`);
  const openOptions = Buffer.alloc(OPEN_OPTIONS_BYTES);
  openOptions.writeBigUInt64LE(BigInt(OPEN_OPTIONS_BYTES), 0);
  openOptions.writeBigUInt64LE(koffi.address(pinFolder), PIN_ROOT_OFFSET);
  const object = bpf.openFile(options.path, openOptions);
  if (object === null) throw bpfError("open object", options.path, libbpfErrno());
  let open = true;
  const close = (): void => {
    if (open) bpf.close(object);
    open = false;
  };
  const program = (name: string): Handle =>
    required(bpf.findProgram(object, name), "program", name, options.path);
  const mapFd = (name: string): number =>
    bpf.mapFd(required(bpf.findMap(object, name), "map", name, options.path));
  try {
    const log = Buffer.alloc(VERIFIER_LOG_BYTES);
    for (const name of options.programs) bpf.setLogBuffer(program(name), log, log.length);
    if (options.pinFolder === undefined) unpinMaps(object);
    if (options.constant !== undefined) setConstant(object, options.constant, options.path);
    const result = bpf.load(object);
    if (result !== 0) throw bpfError("load object", options.path, -result, lastWords(log));
    // The buffer is ours: libbpf must not write to it once it may have been collected.
    for (const name of options.programs) bpf.setLogBuffer(program(name), null, 0);
  } catch (error) {
    close();
    throw error;
  }
  return { program, mapFd, close, [Symbol.dispose]: close };
}

function unpinMaps(object: Handle): void {
  const bpf = libbpf();
  for (let map = bpf.nextMap(object, null); map !== null; map = bpf.nextMap(object, map)) {
    const result = bpf.setPinPath(map, null);
    if (result !== 0) throw bpfError("unpin maps of", "an opened object", -result);
  }
}

function setConstant(object: Handle, value: bigint, path: string): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value, 0);
  const map = required(libbpf().findMap(object, ".rodata"), "map", ".rodata", path);
  const result = libbpf().setInitialValue(map, bytes, bytes.length);
  if (result !== 0) throw bpfError("set constant of", path, -result);
}

function required(found: Handle | null, what: string, name: string, path: string): Handle {
  if (found !== null) return found;
  throw new MeshError("NOT_FOUND", `find ${what} ${name} in ${path}: the file was built from other sources`);
}

function lastWords(log: Buffer): string {
  const end = log.indexOf(0);
  return log.toString("latin1", 0, end < 0 ? log.length : end).slice(-VERIFIER_LOG_KEPT);
}

const NAME_BY_ERRNO: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, errno]) => [errno, name]),
);

/** KERNEL error of a libbpf call; `errno` is positive. */
export function bpfError(operation: string, subject: string, errno: number, verifier = ""): MeshError {
  const name = NAME_BY_ERRNO.get(errno) ?? `errno ${errno}`;
  return new MeshError("KERNEL", `${operation} ${subject}: refused by the kernel (${name})`, {
    details: { operation, errno: name, ...(verifier === "" ? {} : { verifier }) },
  });
}
