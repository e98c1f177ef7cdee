/** TLS of HBONE on a connected TCP socket, with a deadline (reference: protocol §1.1). */
import { Socket } from "node:net";
import { connect, TLSSocket } from "node:tls";
import {
  authenticateClient,
  authenticateServer,
  type HandshakeVerdict,
  type TlsContexts,
} from "@meltemi/identity";
import type { Identity } from "@meltemi/model";
import type { Clock } from "@meltemi/runtime";
import type { SecuredSocket } from "./connection.ts";
import { type HbonePeer, peerOf } from "./peer.ts";

export type HandshakeResult =
  | ({ readonly kind: "ok"; readonly peer: HbonePeer } & SecuredSocket)
  /** The socket is destroyed. `identity`: TLS held, the SPIFFE check did not. */
  | { readonly kind: "refused"; readonly stage: "tls" | "identity" | "revoked"; readonly detail: string };

/** When a handshake must be over, and what was given for it. */
export interface HandshakeDeadline {
  /** By the monotonic clock. */
  readonly atMs: number;
  readonly timeoutMs: number;
}

/** Answers a client. The client must present a certificate of the trust domain of the one we serve. */
export function acceptTls(
  raw: Socket,
  contexts: TlsContexts,
  deadline: HandshakeDeadline,
  clock: Clock,
): Promise<HandshakeResult> {
  raw.setNoDelay(true);
  const socket = new TLSSocket(raw, contexts.server);
  return handshake(socket, !(raw instanceof Socket), "secure", deadline, clock, () =>
    authenticateClient(socket, contexts),
  );
}

/** Calls a server, which must be one of `expected`. */
export function connectTls(
  raw: Socket,
  contexts: TlsContexts,
  expected: readonly Identity[],
  timeoutMs: number,
  clock: Clock,
): Promise<HandshakeResult> {
  raw.setNoDelay(true);
  const socket = connect({
    socket: raw,
    secureContext: contexts.secureContext,
    rejectUnauthorized: true,
    ALPNProtocols: ["h2"],
    // There is no host name to check; `authenticateServer` below judges the SPIFFE identity, without which nothing is sent.
    checkServerIdentity: () => undefined,
  });
  // Node decodes the whole chain to hand it to `checkServerIdentity`, which takes half of a client's handshake time.
  socket.getPeerCertificate = noCertificateObject;
  const deadline = { atMs: clock.monotonicMs() + timeoutMs, timeoutMs };
  return handshake(socket, !(raw instanceof Socket), "secureConnect", deadline, clock, () =>
    authenticateServer(socket, contexts, expected),
  );
}

const noCertificateObject = (() => ({})) as unknown as TLSSocket["getPeerCertificate"];

function handshake(
  socket: TLSSocket,
  nested: boolean,
  event: "secure" | "secureConnect",
  { atMs, timeoutMs }: HandshakeDeadline,
  clock: Clock,
  authenticate: () => HandshakeVerdict,
): Promise<HandshakeResult> {
  return new Promise((resolve) => {
    const finish = (result: HandshakeResult): void => {
      deadline.cancel();
      socket.off(event, onSecure);
      socket.off("error", onError);
      socket.off("end", onClose);
      socket.off("close", onClose);
      if (result.kind === "refused") {
        // Late errors of a socket that is given up have nobody to tell.
        socket.on("error", () => {});
        socket.destroy();
      }
      resolve(result);
    };
    const refuse = (stage: "tls" | "identity" | "revoked", detail: string): void =>
      finish({ kind: "refused", stage, detail });
    const onSecure = (): void => {
      const verdict = authenticate();
      if (verdict.kind === "refused") refuse(verdict.stage, verdict.reason);
      else if (socket.alpnProtocol !== "h2") refuse("tls", "peer did not agree on ALPN h2");
      else finish({ kind: "ok", socket, nested, peer: peerOf(socket, verdict) });
    };
    const onError = (error: Error): void => refuse("tls", `TLS handshake: ${error.message}`);
    const onClose = (): void => refuse("tls", "TLS handshake: connection closed by the peer");
    const deadline = clock.after(Math.max(0, atMs - clock.monotonicMs()), () =>
      refuse("tls", `TLS handshake: not finished after ${timeoutMs} ms`),
    );
    socket.on(event, onSecure);
    socket.on("error", onError);
    // The socket beneath is half-open capable, so an end alone closes nothing.
    socket.on("end", onClose);
    socket.on("close", onClose);
  });
}
