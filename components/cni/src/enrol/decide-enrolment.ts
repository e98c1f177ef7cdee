/** Whether a pod is in the mesh, and how it is captured (reference: l7-and-cli §4.1, §4.2; protocol §6.6). Pure. */

/** What the decision depends on, of pod and namespace. */
export interface PodFacts {
  readonly namespace: string;
  readonly hostNetwork: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  /** Undefined: the node's own runtime. */
  readonly runtimeClass: string | undefined;
  /** Succeeded or Failed: its sandbox is gone or going. */
  readonly finished: boolean;
}

export interface EnrolmentRules {
  readonly excludeNamespaces: ReadonlySet<string>;
  readonly dnsCapture: boolean;
}

export type EnrolmentDecision =
  | { readonly kind: "enrol"; readonly captureDns: boolean; readonly captureInbound: boolean }
  | { readonly kind: "leave"; readonly why: LeaveReason };

type LeaveReason =
  | "not-labelled"
  | "opted-out"
  | "host-network"
  | "sidecar"
  | "excluded-namespace"
  | "ztunnel"
  | "sandboxed-runtime"
  | "finished";

export const DATAPLANE_MODE = "istio.io/dataplane-mode";
const AMBIENT = "ambient";
const NONE = "none";
const SIDECAR_STATUS = "sidecar.istio.io/status";
const BYPASS_INBOUND = "ambient.istio.io/bypass-inbound-capture";
const DNS_CAPTURE = "ambient.istio.io/dns-capture";

export function decideEnrolment(facts: PodFacts, rules: EnrolmentRules): EnrolmentDecision {
  const mode = facts.labels[DATAPLANE_MODE];
  if (facts.hostNetwork) return leave("host-network");
  if (facts.finished) return leave("finished");
  if (facts.labels["app"] === "ztunnel" && mode !== AMBIENT) return leave("ztunnel");
  if (rules.excludeNamespaces.has(facts.namespace)) return leave("excluded-namespace");
  if (facts.annotations[SIDECAR_STATUS] !== undefined) return leave("sidecar");
  if (mode === NONE) return leave("opted-out");
  if (mode !== AMBIENT && facts.namespaceLabels[DATAPLANE_MODE] !== AMBIENT) return leave("not-labelled");
  if (isSandboxed(facts.runtimeClass)) return leave("sandboxed-runtime");
  return {
    kind: "enrol",
    captureDns: flag(facts.annotations[DNS_CAPTURE], rules.dnsCapture),
    captureInbound: !flag(facts.annotations[BYPASS_INBOUND], false),
  };
}

/**
 * Kata's and gVisor's pods have a network of their own behind the pod's namespace: neither the kernel's sockets nor its rules see their
 * connections. Were such a pod announced, its peers would send it tunnels that nobody ends. Known by the names that their makers give
 * their RuntimeClasses; one of another name takes label `istio.io/dataplane-mode: none`.
 */
function isSandboxed(runtimeClass: string | undefined): boolean {
  return runtimeClass !== undefined && /^(kata|gvisor|runsc)\b/.test(runtimeClass);
}

/** Anything but the two words leaves the default: an annotation is free text written by users. */
function flag(text: string | undefined, fallback: boolean): boolean {
  if (text === "true") return true;
  return text === "false" ? false : fallback;
}

function leave(why: LeaveReason): EnrolmentDecision {
  return { kind: "leave", why };
}
