/** `/config_dump` (reference: protocol §8.2). No private key and no token is in it. */

import type { CertificateManager } from "@meltemi/identity";
import { dumpMesh, dumpPolicy, dumpService, dumpWorkload, type MeshStore } from "@meltemi/proxy-process";
import type { ZtunnelConfig } from "./config.ts";
import type { ServedPod } from "./pods/node-agent.ts";
import type { StaticConfig } from "./static-config.ts";

export interface DumpSources {
  readonly mesh: MeshStore;
  readonly certificates: CertificateManager;
  readonly pods: readonly ServedPod[];
  readonly staticConfig: StaticConfig | undefined;
}

export function dumpConfig(config: ZtunnelConfig, sources: DumpSources): unknown {
  const snapshot = sources.mesh.current;
  const { workloads, services, policies } = sources.staticConfig ?? {
    workloads: [],
    services: [],
    policies: [],
  };
  return {
    ...dumpMesh(snapshot),
    staticConfig: {
      workloads: workloads.map(dumpWorkload),
      services: services.map((service) => dumpService(snapshot, service)),
      policies: policies.map(dumpPolicy),
    },
    version: {
      version: config.log.buildTag,
      gitRevision: "unknown",
      rustVersion: "",
      buildProfile: "node",
      buildStatus: "",
      istioVersion: config.log.buildTag,
      cryptoProvider: "openssl",
    },
    config: redacted(config),
    certificates: sources.certificates.states(),
    workloadState: Object.fromEntries(
      sources.pods.map(({ uid, name, state, connections }) => [uid, { state, connections, info: name }]),
    ),
  };
}

function redacted(config: ZtunnelConfig): unknown {
  return {
    ...config,
    // A path is shown, a token never.
    authToken: config.authToken.includes("/") ? config.authToken : "redacted",
    xds: { ...config.xds, headers: [...config.xds.headers.keys()] },
    ca: { ...config.ca, headers: [...config.ca.headers.keys()] },
    localXds: config.localXds?.kind,
  };
}
