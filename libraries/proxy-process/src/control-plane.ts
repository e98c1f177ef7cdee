/** Clients of the control plane and its CA, as a proxy's settings ask for them. */

import { type CertificateManagerDeps, createCertificateClient, type TextSource } from "@meltemi/identity";
import { type Clock, MeshError } from "@meltemi/runtime";
import type { XdsClientDependencies, XdsClientOptions, XdsNode } from "@meltemi/xds";
import type { ControlPlaneConfig } from "./environment.ts";
import { readText, textSource } from "./text-source.ts";

export interface CertificateSettings {
  readonly ca: ControlPlaneConfig & { readonly certificateTtlMs: number };
  /** Path of the token file, or the token itself. */
  readonly authToken: string;
  readonly clusterId: string;
  /** Asks on behalf of others: a node's proxy for its pods. */
  readonly impersonate: boolean;
}

/** For a certificate manager. Without a CA every request is refused. */
export function certificateFetcher(
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

/** Options of an xDS client, and what it reads before each connection. `address` is that of the settings. */
export function xdsClientParts(
  { xds, authToken, clusterId, node }: XdsSettings,
  address: string,
): {
  readonly options: XdsClientOptions;
  readonly sources: Pick<XdsClientDependencies, "rootCertificates" | "token">;
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
    sources: {
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
