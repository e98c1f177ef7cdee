/** Settings that every proxy reads from its environment, under Istio's names (reference: protocol §8.3, §10). */

import type { EnvironmentReader, LogFormat } from "@meltemi/runtime";

/** Where configuration or certificates come from. */
export interface ControlPlaneConfig {
  /** `host:port` or a URL; undefined when there is none (local configuration, or no CA). */
  readonly address: string | undefined;
  /** Path, PEM text, or `SYSTEM`. */
  readonly rootCa: string;
  readonly alternateHostname: string | undefined;
  readonly headers: ReadonlyMap<string, string>;
}

export interface LogConfig {
  readonly format: LogFormat;
  /** Levels and `scope=level`, comma separated. */
  readonly filter: string;
}

export const DEFAULT_CONTROL_PLANE = "https://istiod.istio-system.svc:15012";
export const DEFAULT_TOKEN_PATH = "./var/run/secrets/tokens/istio-token";

/** An address that is set and empty means: none. One that is not set means the fallback. */
export function readControlPlane(
  reader: EnvironmentReader,
  prefix: "XDS" | "CA",
  fallback: string,
): ControlPlaneConfig {
  const address = reader.text(`${prefix}_ADDRESS`, fallback);
  return {
    address: address === "" ? undefined : address,
    rootCa: reader.optionalText(`${prefix}_ROOT_CA`) ?? "./var/run/secrets/istio/root-cert.pem",
    alternateHostname: reader.optionalText(`ALT_${prefix}_HOSTNAME`),
    headers: reader.withPrefix(`${prefix}_HEADER_`),
  };
}

/** `LOG_FORMAT` and `RUST_LOG`. */
export function readLogConfig(reader: EnvironmentReader, fallback: string): LogConfig {
  return {
    format: reader.oneOf("LOG_FORMAT", ["plain", "json"], "plain"),
    filter: reader.optionalText("RUST_LOG") ?? fallback,
  };
}

/** The explicit deadline, else the pod's grace period less what leaving takes, else `fallbackMs` (reference: protocol §10). */
export function readDrainDeadlineMs(reader: EnvironmentReader, fallbackMs: number): number {
  if (reader.optionalText("CONNECTION_TERMINATION_DEADLINE") !== undefined)
    return reader.durationMs("CONNECTION_TERMINATION_DEADLINE", fallbackMs);
  if (reader.optionalText("TERMINATION_GRACE_PERIOD_SECONDS") === undefined) return fallbackMs;
  const seconds = reader.integer("TERMINATION_GRACE_PERIOD_SECONDS", 10, 0, 86_400);
  return Math.max(1, seconds <= 10 ? seconds - 1 : seconds - 5) * 1000;
}

/** `ISTIO_META_*` without the prefix, `ISTIO_METAJSON_*` merged over it. */
export function readMetadata(reader: EnvironmentReader): Readonly<Record<string, unknown>> {
  const metadata: Record<string, unknown> = Object.fromEntries(reader.withPrefix("ISTIO_META_"));
  for (const [name, text] of reader.withPrefix("ISTIO_METAJSON_")) {
    try {
      metadata[name] = JSON.parse(text) as unknown;
    } catch {
      reader.problems.push(
        `ISTIO_METAJSON_${name}: expected JSON, got ${JSON.stringify(text.slice(0, 100))}`,
      );
    }
  }
  return metadata;
}
