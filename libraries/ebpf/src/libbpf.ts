/**
 * Debian's libbpf1, one line a call. It reads the compiled objects, relocates them against the running kernel and makes kernel objects
 * of them. Loaded on first use: a machine without it falls back to nftables instead of failing to start.
 */

import { MeshError } from "@meltemi/runtime";
import koffi from "koffi";

/** Address of a structure that libbpf owns. */
export type Handle = bigint & { readonly __handle: never };

type Bytes = Uint8Array | null;

export interface Libbpf {
  openFile(path: string, options: Bytes): Handle | null;
  load(object: Handle): number;
  close(object: Handle): void;
  findProgram(object: Handle, name: string): Handle | null;
  setLogBuffer(program: Handle, buffer: Bytes, length: number): number;
  findMap(object: Handle, name: string): Handle | null;
  nextMap(object: Handle, map: Handle | null): Handle | null;
  setPinPath(map: Handle, path: string | null): number;
  mapFd(map: Handle): number;
  setInitialValue(map: Handle, value: Bytes, length: number): number;
  attachCgroup(program: Handle, cgroupFd: number): Handle | null;
  attachNetns(program: Handle, netnsFd: number): Handle | null;
  attachIterator(program: Handle, options: Bytes): Handle | null;
  linkOpen(path: string): Handle | null;
  linkPin(link: Handle, path: string): number;
  linkUpdate(link: Handle, program: Handle): number;
  linkDetach(link: Handle): number;
  linkDestroy(link: Handle): number;
  linkFd(link: Handle): number;
  iteratorCreate(linkFd: number): number;
  mapUpdate(fd: number, key: Bytes, value: Bytes, flags: number): number;
  mapLookup(fd: number, key: Bytes, value: Bytes): number;
  mapDelete(fd: number, key: Bytes): number;
  mapNextKey(fd: number, key: Bytes, next: Bytes): number;
  probeProgramType(type: number, options: Bytes): number;
  probeMapType(type: number, options: Bytes): number;
  probeHelper(programType: number, helper: number, options: Bytes): number;
}

const DECLARATIONS: Readonly<Record<keyof Libbpf, string>> = {
  openFile: "void *bpf_object__open_file(const char *path, void *options)",
  load: "int bpf_object__load(void *object)",
  close: "void bpf_object__close(void *object)",
  findProgram: "void *bpf_object__find_program_by_name(void *object, const char *name)",
  setLogBuffer: "int bpf_program__set_log_buf(void *program, void *buffer, size_t length)",
  findMap: "void *bpf_object__find_map_by_name(void *object, const char *name)",
  nextMap: "void *bpf_object__next_map(void *object, void *map)",
  setPinPath: "int bpf_map__set_pin_path(void *map, const char *path)",
  mapFd: "int bpf_map__fd(void *map)",
  setInitialValue: "int bpf_map__set_initial_value(void *map, void *value, size_t length)",
  attachCgroup: "void *bpf_program__attach_cgroup(void *program, int cgroupFd)",
  attachNetns: "void *bpf_program__attach_netns(void *program, int netnsFd)",
  attachIterator: "void *bpf_program__attach_iter(void *program, void *options)",
  linkOpen: "void *bpf_link__open(const char *path)",
  linkPin: "int bpf_link__pin(void *link, const char *path)",
  linkUpdate: "int bpf_link__update_program(void *link, void *program)",
  linkDetach: "int bpf_link__detach(void *link)",
  linkDestroy: "int bpf_link__destroy(void *link)",
  linkFd: "int bpf_link__fd(void *link)",
  iteratorCreate: "int bpf_iter_create(int linkFd)",
  mapUpdate: "int bpf_map_update_elem(int fd, void *key, void *value, uint64_t flags)",
  mapLookup: "int bpf_map_lookup_elem(int fd, void *key, void *value)",
  mapDelete: "int bpf_map_delete_elem(int fd, void *key)",
  mapNextKey: "int bpf_map_get_next_key(int fd, void *key, void *next)",
  probeProgramType: "int libbpf_probe_bpf_prog_type(int type, void *options)",
  probeMapType: "int libbpf_probe_bpf_map_type(int type, void *options)",
  probeHelper: "int libbpf_probe_bpf_helper(int programType, int helper, void *options)",
};

let loaded: Libbpf | undefined;

/** UNSUPPORTED when libbpf.so.1 is not installed. */
export function libbpf(): Libbpf {
  if (loaded !== undefined) return loaded;
  try {
    const library = koffi.load("libbpf.so.1");
    // Its own messages go to standard error, unstructured; what went wrong is told by errors here.
    library.func("void *libbpf_set_print(void *print)")(null);
    const calls = Object.entries(DECLARATIONS).map(([name, text]) => [name, library.func(text)]);
    loaded = Object.fromEntries(calls) as Libbpf;
    return loaded;
  } catch (cause) {
    throw new MeshError("UNSUPPORTED", "load libbpf.so.1: expected Debian's libbpf1 or its like, version 1", {
      cause,
    });
  }
}

/** errno of a libbpf call that returned null, positive. */
export function libbpfErrno(): number {
  return koffi.errno();
}
