/** Metrics of the CA under Istio's names (`citadel_server_*`), and one of ours that says why. */

import type { Counter, Family, Gauge, Registry } from "@meltemi/telemetry";

export interface AuthorityMetrics {
  readonly requests: Counter;
  readonly issued: Counter;
  readonly authenticationFailures: Counter;
  readonly refusals: Family<"reason", Counter>;
  /** Seconds since the epoch. */
  readonly rootExpiry: Gauge;
  readonly chainExpiry: Gauge;
  /** 1 while the material in the Secret is refused and older material, or none, is in use. */
  readonly materialRefused: Gauge;
}

export function createAuthorityMetrics(registry: Registry): AuthorityMetrics {
  const counter = (name: string, help: string): Counter => registry.counter({ name, help }).labels();
  const gauge = (name: string, help: string): Gauge => registry.gauge({ name, help }).labels();
  return {
    requests: counter("citadel_server_csr_count", "The number of CSRs received by Citadel server."),
    issued: counter(
      "citadel_server_success_cert_issuance_count",
      "The number of certificates issuances that have succeeded.",
    ),
    authenticationFailures: counter(
      "citadel_server_authentication_failure_count",
      "The number of authentication failures.",
    ),
    refusals: registry.counter({
      name: "meltemi_certificate_refusals",
      help: "Certificate requests that were refused, by reason.",
      labels: ["reason"],
    }),
    rootExpiry: gauge(
      "citadel_server_root_cert_expiry_timestamp",
      "The unix timestamp, in seconds, when the root cert will expire.",
    ),
    chainExpiry: gauge(
      "citadel_server_cert_chain_expiry_timestamp",
      "The unix timestamp, in seconds, when the cert chain will expire.",
    ),
    materialRefused: gauge(
      "meltemi_certificate_authority_material_refused",
      "1 while the CA material in its Secret is refused.",
    ),
  };
}
