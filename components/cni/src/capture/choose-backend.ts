/** Which kind of capture this node gets. */

import {
  type CaptureBackend,
  createEbpfCapture,
  createNftablesCapture,
  type FeatureReport,
} from "@meltemi/ebpf";
import type { NetworkNamespace } from "@meltemi/linux";
import { type Logger, MeshError } from "@meltemi/runtime";
import type { CaptureConfig } from "../config.ts";

export type BackendChoice =
  | { readonly kind: "ebpf" }
  | { readonly kind: "nftables"; readonly why: string }
  | { readonly kind: "impossible"; readonly why: string };

/** eBPF wherever the kernel has what it takes, unless configured otherwise. Pure. */
export function chooseBackend(wanted: CaptureConfig["backend"], features: FeatureReport): BackendChoice {
  if (wanted === "nftables") return { kind: "nftables", why: "configured" };
  if (features.ebpf) return { kind: "ebpf" };
  if (wanted === "ebpf") return { kind: "impossible", why: features.summary };
  return { kind: "nftables", why: features.summary };
}

export function createBackend(
  choice: BackendChoice,
  config: CaptureConfig,
  nodeNetns: NetworkNamespace,
  log: Logger,
): CaptureBackend {
  switch (choice.kind) {
    case "ebpf":
      return createEbpfCapture({ pinFolder: config.pinFolder, nodeNetns }, { log });
    case "nftables":
      return createNftablesCapture({ nodeNetns });
    case "impossible":
      throw new MeshError("UNSUPPORTED", `capture by eBPF as configured: ${choice.why}`);
  }
}
