/**
 * The door of webhooks. It outlives the mesh configuration under which it was opened: while all else starts anew, the API server would
 * refuse every policy (`failurePolicy: Fail`) for want of an answer. A review depends on nothing of the mesh.
 */

import type { Clock, Logger } from "@meltemi/runtime";
import type { CertificateAuthority } from "../certificate-authority/certificate-authority.ts";
import type { KeyPair } from "../certificate-authority/server-certificate.ts";
import type { ValidationMetrics } from "./validation-metrics.ts";
import { listenValidation, type ValidationServer } from "./validation-server.ts";

export interface WebhookDoor extends AsyncDisposable {
  /**
   * Shows this authority's certificate and counts here from now on; the first call opens the door. Returns its port, or undefined
   * without an address. The authority is ready. Rejects with UNAVAILABLE when the address cannot be bound.
   */
  serveFor(
    authority: Pick<CertificateAuthority, "onServerCertificate">,
    metrics: ValidationMetrics,
  ): Promise<number | undefined>;
}

/** `address`: `host:port`, `:port`, or empty: the door stays shut. */
export function createWebhookDoor(
  address: string,
  deps: { readonly clock: Clock; readonly log: Logger },
): WebhookDoor {
  let server: ValidationServer | undefined;
  let current: ValidationMetrics;
  let show: (pair: KeyPair) => void;
  let unfollow = (): void => undefined;
  return {
    async serveFor(authority, metrics) {
      if (address === "") return undefined;
      current = metrics;
      const follow = (): void => {
        unfollow();
        unfollow = authority.onServerCertificate(show);
      };
      if (server !== undefined) {
        follow();
        return server.port;
      }
      server = await listenValidation(address, {
        ...deps,
        get metrics() {
          return current;
        },
        onCertificate: (listener) => {
          show = listener;
          follow();
          return () => unfollow();
        },
      });
      return server.port;
    },
    async [Symbol.asyncDispose]() {
      await server?.[Symbol.asyncDispose]();
    },
  };
}
