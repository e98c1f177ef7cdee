export {
  CAPTURE_PORTS,
  type CaptureBackend,
  type CapturedPod,
  type EnrolledPod,
  ZTUNNEL_MARK,
} from "./capture.ts";
export { createEbpfCapture, type EbpfCaptureOptions, removeEbpfCapture } from "./ebpf-backend.ts";
export { type FeatureReport, type KernelFeature, probeFeatures } from "./features.ts";
export {
  createNftablesCapture,
  type NftablesCaptureOptions,
  removeNftablesCapture,
} from "./nftables-backend.ts";
