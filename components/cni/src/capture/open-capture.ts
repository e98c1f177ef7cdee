/** Opens the kind of capture that this node can have. */

import {
  type CaptureBackend,
  createEbpfCapture,
  createNftablesCapture,
  probeFeatures,
  removeEbpfCapture,
  removeNftablesCapture,
} from "@meltemi/ebpf";
import type { NetworkNamespace } from "@meltemi/linux";
import { type Clock, type Logger, MeshError } from "@meltemi/runtime";
import type { CaptureConfig } from "../config.ts";
import { chooseBackend } from "./choose-backend.ts";

export interface OpenedCapture {
  readonly backend: CaptureBackend;
  /** Ends capture on this node for good. */
  readonly remove: () => Promise<void>;
}

interface CaptureDependencies {
  readonly log: Logger;
  readonly clock: Clock;
}

/** Throws UNSUPPORTED naming what the kernel lacks. */
export function openCapture(
  config: CaptureConfig,
  nodeNetns: NetworkNamespace,
  deps: CaptureDependencies,
): OpenedCapture {
  const choice = chooseBackend(config.backend, probeFeatures);
  if (choice.kind === "impossible") throw new MeshError("UNSUPPORTED", `open capture: ${choice.why}`);
  if (choice.kind === "nftables" && choice.warning !== undefined)
    deps.log.warn("capturing by nftables", { why: choice.warning });
  return openKind(choice.kind, config, nodeNetns, deps);
}

/** KERNEL or UNSUPPORTED when the machine cannot. */
export function openKind(
  kind: CaptureBackend["kind"],
  { pinFolder }: CaptureConfig,
  nodeNetns: NetworkNamespace,
  deps: CaptureDependencies,
): OpenedCapture {
  switch (kind) {
    case "ebpf":
      return {
        backend: createEbpfCapture({ pinFolder, nodeNetns }, deps),
        remove: async () => removeEbpfCapture(pinFolder),
      };
    case "nftables":
      return {
        backend: createNftablesCapture({ nodeNetns }),
        remove: () => removeNftablesCapture(nodeNetns),
      };
  }
}
