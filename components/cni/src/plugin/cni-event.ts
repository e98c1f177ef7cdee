/** What the plugin tells the agent: `POST /cmdadd` (reference: protocol §6.6). Parsed once, here. */

import { isIP } from "node:net";

export interface CniEvent {
  /** Path of the namespace on the host. */
  readonly netns: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly addresses: readonly string[];
}

export type ParsedEvent =
  | { readonly kind: "ok"; readonly event: CniEvent }
  | { readonly kind: "bad"; readonly why: string };

/** Names of Kubernetes objects: anything else could not be asked of the API server. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
/** A pod has one or two addresses; more than this is noise. */
const MAX_ADDRESSES = 16;

export function parseCniEvent(text: string): ParsedEvent {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return bad("expected JSON");
  }
  if (typeof document !== "object" || document === null) return bad("expected an object");
  const { Netns, PodName, PodNamespace, IPs } = document as Readonly<Record<string, unknown>>;
  if (typeof Netns !== "string" || !Netns.startsWith("/") || Netns.includes("\0"))
    return bad("Netns: expected a path");
  if (typeof PodName !== "string" || !NAME.test(PodName)) return bad("PodName: expected the name of a pod");
  if (typeof PodNamespace !== "string" || !NAME.test(PodNamespace))
    return bad("PodNamespace: expected a namespace");
  const list: readonly unknown[] = Array.isArray(IPs) ? IPs : [];
  if (list.length > MAX_ADDRESSES) return bad(`IPs: expected at most ${MAX_ADDRESSES}, got ${list.length}`);
  const addresses: string[] = [];
  for (const entry of list) {
    const ip = (entry as { readonly Address?: { readonly IP?: unknown } } | null)?.Address?.IP;
    if (typeof ip !== "string" || isIP(ip) === 0) return bad("IPs: expected addresses");
    addresses.push(ip);
  }
  return { kind: "ok", event: { netns: Netns, podName: PodName, podNamespace: PodNamespace, addresses } };
}

function bad(why: string): ParsedEvent {
  return { kind: "bad", why };
}
