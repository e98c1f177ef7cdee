/**
 * Capture by eBPF. Everything that matters lives in the kernel, pinned below one folder of a bpf file system: maps, the programs at
 * the cgroup root, and one sk_lookup link per pod. A restarted agent finds them, gives the links its own programs, and goes on.
 */

import { closeSync, mkdirSync, openSync, readSync, rmSync } from "node:fs";
import {
  ensureBpfFileSystem,
  findCgroup2Mount,
  type NetworkNamespace,
  netnsCookie,
  withNetworkNamespace,
} from "@meltemi/linux";
import { type Clock, describeError, type Logger, MeshError } from "@meltemi/runtime";
import type { CaptureBackend, CapturedPod } from "./capture.ts";
import { type CaptureMaps, captureMaps, type PodEntry } from "./capture-maps.ts";
import { CAPTURE_PROGRAMS, captureObject } from "./capture-programs.ts";
import { createDepartures } from "./departures.ts";
import { bpfError, type KernelObject, loadKernelObject } from "./kernel-object.ts";
import { type Handle, libbpf, libbpfErrno } from "./libbpf.ts";
import { attachPinned, detachPinned } from "./links.ts";
import { keepWaitingConnections, podAddresses, prepareReturnPath } from "./pod-network.ts";

export interface EbpfCaptureOptions {
  /** Folder in a bpf file system for this node's pins, e.g. /sys/fs/bpf/meltemi. Mounted when nothing is. */
  readonly pinFolder: string;
  /** The namespace kubelet probes from: connections opened there reach apps past ztunnel. */
  readonly nodeNetns: NetworkNamespace;
}

/** Changes with any layout in bpf/capture.h: pins of another layout cannot be taken over. */
const LAYOUT = "v1";

/** Loads and attaches; until a pod is enrolled nothing is captured. KERNEL or UNSUPPORTED when the machine cannot. */
export function createEbpfCapture(
  options: EbpfCaptureOptions,
  deps: { readonly log: Logger; readonly clock: Clock },
): CaptureBackend {
  const folder = `${options.pinFolder}/${LAYOUT}`;
  const mapFolder = `${folder}/maps`;
  ensureBpfFileSystem(options.pinFolder);
  for (const part of ["maps", "links", "pods"])
    mkdirSync(`${folder}/${part}`, { recursive: true, mode: 0o700 });
  const outbound = loadKernelObject({
    ...captureObject("outbound"),
    pinFolder: mapFolder,
    constant: netnsCookie(options.nodeNetns),
  });
  const maps = captureMaps({
    pods: outbound.mapFd("pods"),
    addresses: outbound.mapFd("addresses"),
    ownAddress: outbound.mapFd("own_address"),
    newestListener: outbound.mapFd("newest_listener"),
    listeners: outbound.mapFd("listeners"),
  });
  attachOutbound(outbound, `${folder}/links`);
  const finder = createListenerFinder(mapFolder, deps.log);
  const linkPath = (cookie: bigint): string => `${folder}/pods/${cookie}`;
  const departures = createDepartures(deps.clock);
  const remove = (cookie: bigint): void => {
    departures.cancel(cookie);
    detachPinned(linkPath(cookie));
    maps.removePod(cookie);
  };
  const leave = (entry: PodEntry): void => {
    detachPinned(linkPath(entry.netnsCookie));
    maps.putPod({ ...entry, leaving: true });
    departures.begin(entry.netnsCookie, () => endDeparture(maps, entry, deps.log));
  };
  for (const entry of maps.pods()) if (entry.leaving) leave(entry);
  const close = (): void => {
    departures.close();
    finder.close();
    outbound.close();
  };
  return {
    kind: "ebpf",
    async enrol(pod) {
      const cookie = netnsCookie(pod.netns);
      // A sandbox made anew has another namespace; what is left of the old one is of no pod.
      for (const other of maps.pods())
        if (other.uid === pod.uid && other.netnsCookie !== cookie) remove(other.netnsCookie);
      prepareReturnPath(pod.netns, true);
      keepWaitingConnections(pod.netns);
      maps.setAddresses(cookie, { own: podAddresses(pod.netns, pod.addresses), given: pod.addresses });
      maps.expectListeners(cookie);
      if (!maps.hasListener(cookie)) finder.find(pod.netns);
      departures.cancel(cookie);
      maps.putPod({ netnsCookie: cookie, ...pod, leaving: false });
      steerInbound(pod, cookie, mapFolder, linkPath(cookie));
    },
    async unenrol({ uid }) {
      for (const entry of maps.pods()) if (entry.uid === uid && !entry.leaving) leave(entry);
    },
    list: async () => podList(maps),
    close,
    [Symbol.dispose]: close,
  };
}

/** Ends capture on this node for good: every pin goes, and with the pins the programs. For uninstalling. */
export function removeEbpfCapture(pinFolder: string): void {
  rmSync(pinFolder, { recursive: true, force: true });
}

function podList(maps: CaptureMaps): readonly { readonly uid: string }[] {
  const enrolled = maps.pods().filter(({ leaving }) => !leaving);
  return [...new Set(enrolled.map((entry) => entry.uid))].map((uid) => ({ uid }));
}

/** What cannot be removed now is tried again by the next run of the agent; nothing is captured meanwhile. */
function endDeparture(maps: CaptureMaps, { netnsCookie, uid }: PodEntry, log: Logger): void {
  try {
    maps.removePod(netnsCookie);
  } catch (error) {
    log.warn("could not forget a pod that left", { uid, why: describeError(error) });
  }
}

function attachOutbound(outbound: KernelObject, folder: string): void {
  const root = findCgroup2Mount();
  if (root === undefined)
    throw new MeshError("UNSUPPORTED", "attach capture: expected a cgroup version 2 mount");
  const cgroup = openSync(root, "r");
  try {
    for (const name of CAPTURE_PROGRAMS.outbound) {
      const program = outbound.program(name);
      attachPinned(`${folder}/${name}`, program, () => libbpf().attachCgroup(program, cgroup));
    }
  } finally {
    closeSync(cgroup);
  }
}

function steerInbound(pod: CapturedPod, cookie: bigint, mapFolder: string, path: string): void {
  if (!pod.captureInbound) {
    detachPinned(path);
    return;
  }
  using object = loadKernelObject({
    ...captureObject("inbound"),
    pinFolder: mapFolder,
    constant: cookie,
  });
  const program = object.program("steer");
  attachPinned(path, program, () => libbpf().attachNetns(program, pod.netns.fd));
}

interface ListenerFinder {
  /** Remembers ztunnel listeners that were there before the pod was enrolled. */
  find(netns: NetworkNamespace): void;
  close(): void;
}

function createListenerFinder(mapFolder: string, log: Logger): ListenerFinder {
  let object: KernelObject;
  try {
    object = loadKernelObject({ ...captureObject("listeners"), pinFolder: mapFolder });
  } catch (error) {
    log.warn("ztunnel listeners older than their pod's enrolment will not be found", {
      why: describeError(error),
    });
    return { find: () => undefined, close: () => undefined };
  }
  const bpf = libbpf();
  const link: Handle | null = bpf.attachIterator(object.program("find_listeners"), null);
  if (link === null) {
    const error = bpfError("attach iterator", "find_listeners", libbpfErrno());
    object.close();
    throw error;
  }
  let open = true;
  return {
    find(netns) {
      // The iterator walks the namespace of the thread that opens it.
      const fd = withNetworkNamespace(netns, () => bpf.iteratorCreate(bpf.linkFd(link)));
      if (fd < 0) throw bpfError("open iterator", "find_listeners", -fd);
      const output = Buffer.alloc(64);
      while (readSync(fd, output) > 0);
      closeSync(fd);
    },
    close() {
      if (!open) return;
      open = false;
      bpf.linkDestroy(link);
      object.close();
    },
  };
}
