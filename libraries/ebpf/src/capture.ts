/** What every kind of capture does, so that the agent need not know which one it has. */

import type { NetworkNamespace } from "@meltemi/linux";
import { MeshError } from "@meltemi/runtime";

/** ztunnel's ports and marks in a pod, Istio's own numbers (reference: protocol §6.1). */
export const CAPTURE_PORTS = {
  outbound: 15001,
  inboundPlaintext: 15006,
  inboundHbone: 15008,
  dns: 15053,
} as const;
export const ZTUNNEL_MARK = 0x539;
export const RETURN_MARK = 0x111;
export const MARK_MASK = 0xfff;

export interface CapturedPod {
  /** Kubernetes uid, at most 63 bytes. */
  readonly uid: string;
  readonly netns: NetworkNamespace;
  /** Those that the cluster gave the pod: the node reaches it there past ztunnel. */
  readonly addresses: readonly string[];
  /** Whether UDP and TCP to port 53 go to ztunnel's DNS proxy. */
  readonly captureDns: boolean;
  /** False for `ambient.istio.io/bypass-inbound-capture`: only what the pod sends is captured. */
  readonly captureInbound: boolean;
}

export interface EnrolledPod {
  readonly uid: string;
}

/**
 * Redirects the traffic of enrolled pods to the listeners ztunnel has in the pod's own namespace. Connections made before `enrol` or
 * before `unenrol` stay as they are, and ztunnel still connects what it was given before `unenrol`. An enrolled pod without a ztunnel is
 * refused, never let through.
 */
export interface CaptureBackend extends Disposable {
  readonly kind: "ebpf" | "nftables";
  /** Enrolling again changes what differs and repairs what is missing. */
  enrol(pod: CapturedPod): Promise<void>;
  /** `netns` when the pod still has one. A pod that is not enrolled is no error. */
  unenrol(pod: { readonly uid: string; readonly netns?: NetworkNamespace | undefined }): Promise<void>;
  /** Pods enrolled on this node, also by an earlier run of the agent. */
  list(): Promise<readonly EnrolledPod[]>;
  /** Lets go of this process's handles; capture goes on. */
  close(): void;
}

/** What the kernel's maps hold, closing NUL included; a Kubernetes uid has 36. */
export const MAX_UID_BYTES = 64;

/** INPUT_INVALID for a uid that could not be stored, or not be written into a rule. */
export function checkPodUid(uid: string): void {
  if (!/^[A-Za-z0-9._-]+$/.test(uid) || uid.length >= MAX_UID_BYTES)
    throw new MeshError(
      "INPUT_INVALID",
      `enrol pod ${JSON.stringify(uid)}: expected a uid of 1 to 63 letters, digits and dashes`,
    );
}
