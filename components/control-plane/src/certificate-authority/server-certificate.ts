/** The control plane's own server certificate, signed by the CA it keeps, renewed at half life and with every new CA. */

import { experimental, type ServerCredentials } from "@grpc/grpc-js";
import { certificatePem, createLeafKey, issueLeaf, type RandomBytes, writePem } from "@meltemi/identity";
import { type Clock, describeError, type Logger, type Timer } from "@meltemi/runtime";
import type { SigningAuthority } from "./authority-material.ts";

export interface ServerCertificateOptions {
  /** `istiod.istio-system.svc` and its other names. */
  readonly dnsNames: readonly string[];
  readonly ttlMs: number;
}

/** PEM pair. Holds a private key: never log it. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
  readonly notAfterMs: number;
}

export interface ServerCertificate extends Disposable {
  /** Undefined until there is a CA. */
  readonly current: KeyPair | undefined;
  /** Called with every pair, the present one at once. Returns how to stop it. */
  onChange(listener: (pair: KeyPair) => void): () => void;
}

const SKEW_MS = 2 * 60_000;
/** Timers stand still while a machine sleeps; dates do not. */
const MAX_SLEEP_MS = 60_000;

export function createServerCertificate(
  options: ServerCertificateOptions,
  deps: {
    readonly clock: Clock;
    readonly randomBytes: RandomBytes;
    readonly log: Logger;
    readonly onAuthority: (listener: (authority: SigningAuthority) => void) => () => void;
  },
): ServerCertificate {
  const listeners = new Set<(pair: KeyPair) => void>();
  let current: KeyPair | undefined;
  let timer: Timer | undefined;
  const renew = (authority: SigningAuthority): void => {
    const nowMs = deps.clock.nowMs();
    try {
      current = issuePair(authority, options, nowMs, deps.randomBytes);
    } catch (error) {
      // An expired CA. The old pair stays, and a new CA calls here again.
      deps.log.error("server certificate not renewed", { error: describeError(error) });
      sleep(authority, nowMs + MAX_SLEEP_MS);
      return;
    }
    for (const listener of [...listeners]) listener(current);
    sleep(authority, nowMs + (current.notAfterMs - nowMs) / 2);
  };
  const sleep = (authority: SigningAuthority, untilMs: number): void => {
    timer?.cancel();
    const leftMs = Math.max(1000, untilMs - deps.clock.nowMs());
    timer = deps.clock.after(Math.min(MAX_SLEEP_MS, leftMs), () => {
      if (deps.clock.nowMs() < untilMs) sleep(authority, untilMs);
      else renew(authority);
    });
  };
  const unsubscribe = deps.onAuthority(renew);
  return {
    get current() {
      return current;
    },
    onChange(listener) {
      const own = (pair: KeyPair): void => listener(pair);
      listeners.add(own);
      if (current !== undefined) own(current);
      return () => void listeners.delete(own);
    },
    [Symbol.dispose]() {
      unsubscribe();
      timer?.cancel();
      listeners.clear();
    },
  };
}

/** gRPC server credentials that follow the certificate; handshakes fail until there is one. Client certificates are not asked for. */
export function createRotatingCredentials(
  certificate: Pick<ServerCertificate, "onChange">,
): ServerCredentials {
  const subscriptions = new Map<unknown, () => void>();
  const provider = {
    addCaCertificateListener(): void {},
    removeCaCertificateListener(): void {},
    addIdentityCertificateListener(
      listener: (update: { certificate: Buffer; privateKey: Buffer } | null) => void,
    ): void {
      const tell = (pair: KeyPair): void =>
        listener({ certificate: Buffer.from(pair.certificate), privateKey: Buffer.from(pair.privateKey) });
      // Not before this call returns: the library hears only what comes after it has subscribed.
      const stop = certificate.onChange((pair) => queueMicrotask(() => tell(pair)));
      subscriptions.set(listener, stop);
    },
    removeIdentityCertificateListener(listener: unknown): void {
      subscriptions.get(listener)?.();
      subscriptions.delete(listener);
    },
  };
  // The library's declaration names the first argument after the CA; it is the identity, and the CA is optional.
  return experimental.createCertificateProviderServerCredentials(provider, null, false);
}

function issuePair(
  authority: SigningAuthority,
  options: ServerCertificateOptions,
  nowMs: number,
  randomBytes: RandomBytes,
): KeyPair {
  const { privateKey, publicKeySpki } = createLeafKey();
  const validity = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + options.ttlMs };
  const names = { dnsNames: options.dnsNames };
  const der = issueLeaf(
    authority.issuer,
    { publicKeySpki, names, uses: ["serverAuth"], ...validity },
    randomBytes,
  );
  return {
    certificate: writePem(der, "CERTIFICATE") + authority.intermediates.map(certificatePem).join(""),
    privateKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    notAfterMs: Math.min(validity.notAfterMs, authority.issuer.certificate.notAfterMs),
  };
}
