/** TLS that this waypoint begins towards an endpoint (DestinationRule `tls`, reference: l7-and-cli §2.5), inside whatever tunnel leads there. */

import { isIP } from "node:net";
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from "node:tls";
import { type ByteChannel, ChannelDuplex, streamChannel } from "@meltemi/l4";
import type { DialFailure, SpokenProtocol } from "@meltemi/l7";
import type { ClientTls, Cluster } from "@meltemi/model/l7";
import { describeError, MeshError, type OnInternalError } from "@meltemi/runtime";

type Secured = { readonly kind: "open"; readonly channel: ByteChannel } | DialFailure;

/** Takes over `beneath`, which was not opened. Neither what the peer does nor what the user configured makes it reject. */
export async function originateTls(
  beneath: ByteChannel,
  tls: ClientTls,
  { service }: Pick<Cluster, "service">,
  speaks: SpokenProtocol,
  signal: AbortSignal,
  onInternalError: OnInternalError,
): Promise<Secured> {
  let secureContext: SecureContext;
  try {
    secureContext = contextOf(tls);
  } catch (error) {
    beneath.abort("other-side-failed");
    const detail = `TLS settings of the DestinationRule: ${describeError(error)}`;
    return { kind: "failed", timedOut: false, detail };
  }
  const serverName = tls.sni ?? service.hostname;
  const socket = connectOver(beneath, secureContext, tls, serverName, ALPN[speaks]);
  return await new Promise((resolve) => {
    const fail = (detail: string): void => {
      signal.removeEventListener("abort", onAbort);
      socket.on("error", () => undefined).destroy();
      resolve({ kind: "failed", timedOut: false, detail: `TLS error: ${detail}` });
    };
    const onAbort = (): void => fail("handshake given up");
    const onError = (error: Error): void => fail(error.message);
    const onClose = (): void => fail("connection closed during the handshake");
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("close", onClose);
    socket.once("secureConnect", () => {
      socket.off("error", onError);
      socket.off("close", onClose);
      if (speaks === "HTTP/2" && socket.alpnProtocol !== "h2") return fail("server did not agree on ALPN h2");
      signal.removeEventListener("abort", onAbort);
      resolve({ kind: "open", channel: streamChannel(socket, onInternalError) });
    });
    if (signal.aborted) onAbort();
  });
}

function connectOver(
  beneath: ByteChannel,
  secureContext: SecureContext,
  tls: ClientTls,
  serverName: string,
  alpn: string | undefined,
): TLSSocket {
  return connect({
    socket: new ChannelDuplex(beneath),
    secureContext,
    // An address is no name (RFC 6066 §3).
    servername: isIP(serverName) === 0 ? serverName : "",
    rejectUnauthorized: !tls.skipVerify,
    checkServerIdentity: (_host, certificate) =>
      tls.skipVerify ? undefined : nameFault(tls, serverName, certificate),
    ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
  });
}

const ALPN: Readonly<Record<SpokenProtocol, string | undefined>> = {
  "HTTP/1.1": "http/1.1",
  "HTTP/2": "h2",
  tcp: undefined,
};

/** Any of the names that were asked for; without any, the one that was dialled. */
function nameFault(tls: ClientTls, serverName: string, certificate: PeerCertificate): Error | undefined {
  if (tls.subjectAltNames.length === 0) return checkServerIdentity(serverName, certificate);
  const names = (certificate.subjectaltname ?? "").split(", ");
  const holds = tls.subjectAltNames.some(
    (wanted) => names.includes(`URI:${wanted}`) || checkServerIdentity(wanted, certificate) === undefined,
  );
  if (holds) return undefined;
  const wanted = tls.subjectAltNames.join(", ");
  return new MeshError("IDENTITY_INVALID", `certificate names none of ${wanted}, but ${names.join(", ")}`);
}

/** Making one takes 2 ms; it lives as long as the configuration that it was made from. */
const contexts = new WeakMap<ClientTls, SecureContext>();

function contextOf(tls: ClientTls): SecureContext {
  const known = contexts.get(tls);
  if (known !== undefined) return known;
  const context = createSecureContext({
    ca: tls.caCertificates ?? machineRoots(),
    minVersion: "TLSv1.2",
    ...(tls.mode === "mutual" && { cert: tls.certificateChain, key: tls.privateKey }),
  });
  contexts.set(tls, context);
  return context;
}

function machineRoots(): string[] {
  const system = getCACertificates("system");
  return system.length > 0 ? system : getCACertificates("default");
}
