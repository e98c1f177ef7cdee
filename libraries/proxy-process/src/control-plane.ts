/** Clients of the control plane and its CA, as a proxy's settings ask for them. */

import {
  type CertificateManager,
  type CertificateManagerDeps,
  createCertificateClient,
  createCertificateManager,
  type TextSource,
} from "@meltemi/identity";
import { type Clock, type Logger, MeshError } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import type { XdsClientDependencies, XdsClientOptions, XdsNode } from "@meltemi/xds";
import type { ControlPlaneConfig } from "./environment.ts";
import { readText, textSource } from "./text-source.ts";
import { createXdsMetrics } from "./xds-metrics.ts";

export interface CertificateSettings {
  readonly ca: ControlPlaneConfig & { readonly certificateTtlMs: number };
  /** Path of the token file, or the token itself. */
  readonly authToken: string;
  readonly clusterId: string;
  /** Asks on behalf of others: a node's proxy for its pods. */
  readonly impersonate: boolean;
}

export interface ControlPlaneDeps {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

export function createProxyCertificates(
  settings: CertificateSettings,
  { clock, random, logger }: ControlPlaneDeps,
): CertificateManager {
  const fetch = certificateFetcher(settings, { clock });
  return createCertificateManager({}, { clock, random, fetch, log: logger.scope("identity") });
}

/** Without a CA every request is refused. */
function certificateFetcher(
  { ca, authToken, clusterId, impersonate }: CertificateSettings,
  deps: { readonly clock: Clock },
): CertificateManagerDeps["fetch"] {
  const { address, alternateHostname, headers, certificateTtlMs } = ca;
  if (address === undefined)
    return () => Promise.reject(new MeshError("UNAVAILABLE", "fetch certificate: CA_ADDRESS is empty"));
  const roots = rootsOf(ca);
  const client = createCertificateClient(
    {
      address: withScheme(address),
      ...(roots && { roots }),
      ...(alternateHostname !== undefined && { serverName: alternateHostname }),
      token: textSource(authToken),
      clusterId,
      headers,
      ttlSeconds: Math.round(certificateTtlMs / 1000),
      impersonate,
    },
    deps,
  );
  return (identity, signal) => client.fetch(identity, signal);
}

export interface XdsSettings {
  readonly xds: ControlPlaneConfig;
  readonly authToken: string;
  readonly clusterId: string;
  readonly node: XdsNode;
}

/** Options of an xDS client, and all that it needs but somebody to tell. `address` is that of the settings. */
export function xdsClientParts(
  { xds, authToken, clusterId, node }: XdsSettings,
  address: string,
  { clock, random, logger, registry }: ControlPlaneDeps & { readonly registry: Registry },
): {
  readonly options: XdsClientOptions;
  readonly deps: Omit<XdsClientDependencies, "onUpdate">;
} {
  const { alternateHostname, headers } = xds;
  const roots = rootsOf(xds);
  const token = textSource(authToken);
  return {
    options: {
      address: withScheme(address),
      node,
      clusterId,
      headers,
      ...(alternateHostname !== undefined && { alternateHostname }),
    },
    deps: {
      clock,
      random,
      logger: logger.scope("xds"),
      metrics: createXdsMetrics(registry),
      rootCertificates: async () => (roots === undefined ? undefined : readText(roots)),
      token: async () => (await readText(token)).trim(),
    },
  };
}

/** `SYSTEM` means the machine's own roots. */
export function rootsOf({ rootCa }: Pick<ControlPlaneConfig, "rootCa">): TextSource | undefined {
  return rootCa === "SYSTEM" ? undefined : textSource(rootCa);
}

function withScheme(address: string): string {
  return address.includes("://") ? address : `https://${address}`;
}
