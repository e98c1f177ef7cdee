/** Names of hosts as Istio takes them: RFC 1123 labels, a wildcard in front where it is one. Pure. */

import { parseIp } from "@meltemi/model";

const LABELS = /^[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?)*\.?$/;
const MAX_HOST_CHARACTERS = 255;
const MAX_LABEL_CHARACTERS = 63;

/** `reviews`, `reviews.shop.svc.cluster.local`; an IP address is none. */
export function isHostname(text: string): boolean {
  return (
    text.length <= MAX_HOST_CHARACTERS &&
    LABELS.test(text) &&
    text.split(".").every((label) => label.length <= MAX_LABEL_CHARACTERS)
  );
}

/** As {@link isHostname}, or `*`, or `*.` before one. */
function isHostPattern(text: string): boolean {
  return text === "*" || isHostname(text.startsWith("*.") ? text.slice(2) : text);
}

export function isHostPatternOrAddress(text: string): boolean {
  return isHostPattern(text) || parseIp(text) !== undefined;
}
