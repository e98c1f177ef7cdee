/** The compiled objects of bpf/, and the programs in each. */

import { fileURLToPath } from "node:url";

export const PROGRAM_FOLDER: string = fileURLToPath(new URL("../bpf", import.meta.url));

export type CaptureObject = "outbound" | "inbound" | "listeners";

export const CAPTURE_PROGRAMS: Readonly<Record<CaptureObject, readonly string[]>> = {
  outbound: [
    // Those that answer and remember come before those that redirect.
    "original_destination",
    "tcp_events",
    "getpeername_v4",
    "getpeername_v6",
    "recvmsg_v4",
    "recvmsg_v6",
    "sendmsg_v4",
    "sendmsg_v6",
    "connect_v4",
    "connect_v6",
  ],
  inbound: ["steer"],
  listeners: ["find_listeners"],
};

/** What {@link loadKernelObject} needs to know of an object. */
export function captureObject(
  name: CaptureObject,
  folder: string = PROGRAM_FOLDER,
): { readonly path: string; readonly programs: readonly string[] } {
  return { path: `${folder}/${name}.bpf.o`, programs: CAPTURE_PROGRAMS[name] };
}
