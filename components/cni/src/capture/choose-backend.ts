/** Which kind of capture this node gets. Pure. */

import type { FeatureReport } from "@meltemi/ebpf";
import type { CaptureConfig } from "../config.ts";

export type BackendChoice =
  | { readonly kind: "ebpf" }
  | { readonly kind: "nftables"; readonly warning: string | undefined }
  | { readonly kind: "impossible"; readonly why: string };

/** `report` is asked for only when it matters: it takes some milliseconds. */
export function chooseBackend(
  wanted: CaptureConfig["backend"],
  report: () => Pick<FeatureReport, "ebpf" | "summary">,
): BackendChoice {
  if (wanted === "nftables") return { kind: "nftables", warning: undefined };
  const { ebpf, summary } = report();
  if (ebpf) return { kind: "ebpf" };
  if (wanted === "ebpf") return { kind: "impossible", why: `CAPTURE_BACKEND=ebpf: ${summary}` };
  return { kind: "nftables", warning: summary };
}
