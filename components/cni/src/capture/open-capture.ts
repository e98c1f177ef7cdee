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
import { type Logger, MeshError } from "@meltemi/runtime";
import type { CaptureConfig } from "../config.ts";
import { chooseBackend } from "./choose-backend.ts";

export interface OpenedCapture {
  readonly backend: CaptureBackend;
  /** Ends capture on this node for good. */
  readonly remove: () => Promise<void>;
}

/** Throws UNSUPPORTED naming what the kernel lacks. */
export function openCapture(config: CaptureConfig, nodeNetns: NetworkNamespace, log: Logger): OpenedCapture {
  const choice = chooseBackend(config.backend, probeFeatures);
  switch (choice.kind) {
    case "ebpf":
      return {
        backend: createEbpfCapture({ pinFolder: config.pinFolder, nodeNetns }, { log }),
        remove: async () => removeEbpfCapture(config.pinFolder),
      };
    case "nftables":
      if (choice.warning !== undefined) log.warn("capturing by nftables", { why: choice.warning });
      return {
        backend: createNftablesCapture({ nodeNetns }),
        remove: () => removeNftablesCapture(nodeNetns),
      };
    case "impossible":
      throw new MeshError("UNSUPPORTED", `open capture: ${choice.why}`);
  }
}
