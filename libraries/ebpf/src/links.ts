/** Attachments that outlive the process: a link pinned in the bpf file system keeps its program running, and can be given a newer one. */

import { existsSync, rmSync } from "node:fs";
import { bpfError } from "./kernel-object.ts";
import { type Handle, libbpf, libbpfErrno } from "./libbpf.ts";

/** Attaches with `attach` and pins at `path`; when a link is pinned there already, its program is exchanged in one step. */
export function attachPinned(path: string, program: Handle, attach: () => Handle | null): void {
  const bpf = libbpf();
  if (existsSync(path)) {
    const pinned = bpf.linkOpen(path);
    const result = pinned === null ? -libbpfErrno() : bpf.linkUpdate(pinned, program);
    if (pinned !== null) bpf.linkDestroy(pinned);
    if (result !== 0) throw bpfError("exchange program of link", path, -result);
    return;
  }
  const link = attach();
  if (link === null) throw bpfError("attach for link", path, libbpfErrno());
  const result = bpf.linkPin(link, path);
  // Lets go of the handle only: a pinned link stays.
  bpf.linkDestroy(link);
  if (result !== 0) throw bpfError("pin link", path, -result);
}

/** Detaches at once and removes the pin (removing the pin alone would detach some time later). No link there is no error. */
export function detachPinned(path: string): void {
  if (!existsSync(path)) return;
  const bpf = libbpf();
  const link = bpf.linkOpen(path);
  if (link !== null) {
    // Refused when the namespace is gone, and the attachment with it.
    bpf.linkDetach(link);
    bpf.linkDestroy(link);
  }
  rmSync(path, { force: true });
}
