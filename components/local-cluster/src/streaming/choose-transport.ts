/**
 * How a client wants to speak to a pod: a WebSocket of channels, SPDY inside a WebSocket, or SPDY in place of HTTP. Decided from
 * the request's headers alone.
 */

import type { IncomingHttpHeaders } from "node:http";
import { EXEC_SUBPROTOCOLS } from "./channel-protocol.ts";

export type PodSubresource = "exec" | "attach" | "portforward";

export type AcceptedTransport =
  | { readonly kind: "channels"; readonly protocol: string }
  /** SPDY inside a WebSocket's binary messages. */
  | { readonly kind: "tunnel"; readonly protocol: string }
  /** `protocol` is empty for a client that names none. */
  | { readonly kind: "spdy"; readonly protocol: string };

export type Transport =
  | AcceptedTransport
  /** `status` as the kubelet answers it. */
  | { readonly kind: "refused"; readonly status: 400 | 403; readonly why: string };

const FORWARD = "portforward.k8s.io";
const FORWARD_TUNNEL = `SPDY/3.1+${FORWARD}`;
/** v5 differs by the frame that closes standard input; a SPDY stream has an end of its own. */
const EXEC_SPDY = "v4.channel.k8s.io";

export function chooseTransport(subresource: PodSubresource, headers: IncomingHttpHeaders): Transport {
  const upgrades = words(headers.upgrade).map((word) => word.toLowerCase());
  if (upgrades.includes("websocket")) return chooseSubprotocol(subresource, headers);
  if (upgrades.includes("spdy/3.1")) return chooseStreamProtocol(subresource, headers);
  return {
    kind: "refused",
    status: 400,
    why: `expected an upgrade to websocket or SPDY/3.1, got ${shown(headers.upgrade)}`,
  };
}

function chooseSubprotocol(subresource: PodSubresource, headers: IncomingHttpHeaders): Transport {
  const offered = words(headers["sec-websocket-protocol"]);
  if (subresource === "portforward" && offered.includes(FORWARD_TUNNEL))
    return { kind: "tunnel", protocol: FORWARD_TUNNEL };
  const known = subresource === "portforward" ? ["v4.channel.k8s.io"] : EXEC_SUBPROTOCOLS;
  const protocol = known.find((name) => offered.includes(name));
  if (protocol !== undefined) return { kind: "channels", protocol };
  const expected = subresource === "portforward" ? [FORWARD_TUNNEL, ...known] : known;
  const why = `expected a WebSocket of ${expected.join(" or ")}, got ${shown(headers["sec-websocket-protocol"])}`;
  return { kind: "refused", status: 400, why };
}

function chooseStreamProtocol(subresource: PodSubresource, headers: IncomingHttpHeaders): Transport {
  const header = headers["x-stream-protocol-version"];
  const offered = words(typeof header === "string" ? header : header?.join(","));
  const accepted = subresource === "portforward" ? FORWARD : EXEC_SPDY;
  if (offered.includes(accepted)) return { kind: "spdy", protocol: accepted };
  // The oldest clients of port-forward name nothing.
  if (offered.length === 0 && subresource === "portforward") return { kind: "spdy", protocol: "" };
  const why = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ").slice(0, 200)}], server accepts [${accepted}]`;
  return { kind: "refused", status: 403, why };
}

function words(header: string | undefined): string[] {
  return (header ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function shown(header: string | undefined): string {
  return JSON.stringify((header ?? "").slice(0, 200));
}
