/** From an accepted TCP connection to a verified peer, within one deadline that begins at accept. */
import type { Socket } from "node:net";
import type { TlsContexts } from "@meltemi/identity";
import { type Clock, describeError } from "@meltemi/runtime";
import { acceptTls, type HandshakeResult } from "./handshake.ts";

/** The socket is destroyed. */
export interface CertificateRefusal {
  readonly kind: "refused";
  readonly stage: "certificate";
  readonly detail: string;
}

/**
 * Waits for the certificate to serve and then for the client's handshake. The wait for a certificate counts against the same
 * deadline: while it is not there, connections that have proved nothing pile up just as well. Never rejects.
 */
export async function acceptHandshake(
  raw: Socket,
  certificate: () => TlsContexts | Promise<TlsContexts>,
  timeoutMs: number,
  clock: Clock,
): Promise<HandshakeResult | CertificateRefusal> {
  const deadline = { atMs: clock.monotonicMs() + timeoutMs, timeoutMs };
  // Until TLS has the socket, its errors have nobody else to tell; the close that follows them is looked at.
  raw.on("error", () => {});
  const ready = await waitForCertificate(raw, certificate, timeoutMs, clock);
  if (ready.kind === "ready") return await acceptTls(raw, ready.contexts, deadline, clock);
  raw.destroy();
  return ready;
}

function waitForCertificate(
  raw: Socket,
  certificate: () => TlsContexts | Promise<TlsContexts>,
  timeoutMs: number,
  clock: Clock,
): Promise<CertificateRefusal | { readonly kind: "ready"; readonly contexts: TlsContexts }> {
  return new Promise((resolve) => {
    const refuse = (detail: string): void => {
      timer.cancel();
      raw.off("close", onClose);
      resolve({ kind: "refused", stage: "certificate", detail });
    };
    const onClose = (): void => refuse("connection closed before there was a certificate to serve");
    const timer = clock.after(timeoutMs, () => refuse(`no certificate to serve after ${timeoutMs} ms`));
    raw.on("close", onClose);
    const asked = (async () => await certificate())();
    asked.then(
      (contexts) => {
        // TLS on top of a socket that a drain destroyed would hear of nothing any more.
        if (raw.destroyed) return onClose();
        timer.cancel();
        raw.off("close", onClose);
        resolve({ kind: "ready", contexts });
      },
      (error) => refuse(describeError(error)),
    );
  });
}
