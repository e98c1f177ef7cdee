/** What the plugin tells the agent of a new sandbox (reference: protocol §6.6), read from outside bytes. Pure. */

import { isIP } from "node:net";

export interface PodEvent {
  readonly podName: string;
  readonly podNamespace: string;
  /** Runtimes tell it; Istio's plugin does not pass it on. */
  readonly podUid: string | undefined;
  /** Path of the namespace as the host sees it. */
  readonly netnsPath: string;
  readonly addresses: readonly string[];
}

export type PodEventResult =
  | { readonly kind: "event"; readonly event: PodEvent }
  | { readonly kind: "bad"; readonly why: string };

/** A pod has an address or two; this leaves room for many networks. */
const MAX_ADDRESSES = 32;
const MAX_PATH_CHARACTERS = 4096;
const POD_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function parsePodEvent(text: string): PodEventResult {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return bad("body: expected JSON");
  }
  if (!isRecord(document)) return bad("body: expected an object");
  const { Netns: netnsPath, PodName: podName, PodNamespace: podNamespace, PodUID: podUid } = document;
  if (typeof podName !== "string" || !POD_NAME.test(podName)) return bad("PodName: expected a pod's name");
  if (typeof podNamespace !== "string" || !NAMESPACE.test(podNamespace))
    return bad("PodNamespace: expected a namespace's name");
  if (typeof netnsPath !== "string" || !netnsPath.startsWith("/") || netnsPath.length > MAX_PATH_CHARACTERS)
    return bad("Netns: expected an absolute path");
  if (podUid !== undefined && (typeof podUid !== "string" || !/^[0-9a-f-]{1,63}$/.test(podUid)))
    return bad("PodUID: expected a uid");
  const addresses = parseAddresses(document["IPs"]);
  if (typeof addresses === "string") return bad(addresses);
  return { kind: "event", event: { podName, podNamespace, podUid, netnsPath, addresses } };
}

/** `[{"Address": {"IP": "10.0.0.1", "Mask": …}, …}]`; a string says what is wrong. */
function parseAddresses(value: unknown): readonly string[] | string {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_ADDRESSES)
    return `IPs: expected a list of at most ${MAX_ADDRESSES}`;
  const addresses: string[] = [];
  for (const entry of value) {
    const address: unknown = isRecord(entry) ? entry["Address"] : undefined;
    const ip: unknown = isRecord(address) ? address["IP"] : undefined;
    if (typeof ip !== "string" || isIP(ip) === 0) return "IPs: expected every Address.IP to be an address";
    addresses.push(ip);
  }
  return addresses;
}

/**
 * Where the agent finds a namespace that the host calls `path`: the runtime's folder and the host's /proc are mounted. Undefined for
 * any other form.
 */
export function mountedNamespacePath(
  path: string,
  mounts: { readonly netnsFolder: string; readonly hostProc: string },
): string | undefined {
  const ofProcess = /^\/proc\/(\d{1,10})\/(task\/\d{1,10}\/)?ns\/net$/.exec(path);
  if (ofProcess !== null) return `${mounts.hostProc}${path.slice("/proc".length)}`;
  const name = /\/netns\/([A-Za-z0-9_][A-Za-z0-9._-]*)$/.exec(path)?.[1];
  return name === undefined ? undefined : `${mounts.netnsFolder}/${name}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(why: string): PodEventResult {
  return { kind: "bad", why };
}
