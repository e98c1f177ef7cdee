/** The last hop: to the application, with the client's own address where the kernel permits (reference: protocol §5.2). */

import type { Socket } from "node:net";
import { errnoName } from "@meltemi/linux";
import { type Identity, isIpv6, type SocketAddress } from "@meltemi/model";
import { encodeProxyHeader } from "@meltemi/proxy-process";
import { describeError } from "@meltemi/runtime";
import { CONNECT_TIMEOUT_MS, type PodContext } from "../pods/pod-context.ts";
import { sourceFor } from "../sockets/pod-sockets.ts";

export interface ApplicationTarget {
  readonly address: SocketAddress;
  readonly client: SocketAddress;
  readonly keepSourceAddress: boolean;
  readonly proxy?: { readonly destination: SocketAddress; readonly identity: Identity } | undefined;
}

export type ApplicationConnection =
  | { readonly kind: "connected"; readonly socket: Socket }
  | { readonly kind: "failed"; readonly error: string };

/** Never rejects. */
export async function connectApplication(
  context: PodContext,
  transparent: boolean,
  target: ApplicationTarget,
  signal: AbortSignal,
): Promise<ApplicationConnection> {
  try {
    const socket = await dialAs(context, transparent, target, signal);
    if (target.proxy !== undefined)
      socket.write(encodeProxyHeader(target.client, target.proxy.destination, target.proxy.identity));
    return { kind: "connected", socket };
  } catch (error) {
    return { kind: "failed", error: `connection failed: ${describeError(error)}` };
  }
}

async function dialAs(
  context: PodContext,
  transparent: boolean,
  target: ApplicationTarget,
  signal: AbortSignal,
): Promise<Socket> {
  const { address, client } = target;
  const common = { timeoutMs: CONNECT_TIMEOUT_MS, signal };
  const { originalSource, localIp } = context.options;
  const spoof =
    target.keepSourceAddress &&
    originalSource !== "off" &&
    (transparent || originalSource === "required") &&
    client.ip !== address.ip &&
    isIpv6(client.ip) === isIpv6(address.ip);
  if (spoof) {
    try {
      const source = { ip: client.ip, port: 0 };
      return await context.sockets.dial(address, { ...common, source, transparent: true });
    } catch (error) {
      // Best effort: an application reached under the wrong address is better than one not reached, unless it is required.
      if (originalSource === "required" || !isSpoofRefusal(error)) throw error;
    }
  }
  const source = localIp === undefined ? undefined : sourceFor(localIp, address);
  return context.sockets.dial(address, { ...common, source });
}

function isSpoofRefusal(error: unknown): boolean {
  return ["EPERM", "EACCES", "EADDRNOTAVAIL"].includes(errnoName(error) ?? "");
}
