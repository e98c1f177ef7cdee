/** Which versions of the mesh run in a cluster, from its pods. Pure. */

import { nameOf, namespaceOf, type Pod } from "@meltemi/kubernetes";
import { versionOf } from "../install/image-version.ts";

/** As `istioctl version -o json` prints it. */
export interface VersionReport {
  readonly clientVersion: { readonly version: string };
  readonly meshVersion?: readonly {
    readonly Component: string;
    readonly Info: { readonly version: string };
  }[];
  readonly dataPlaneVersion?: readonly { readonly ID: string; readonly IstioVersion: string }[];
}

export interface MeshPods {
  /** Pods of `istiod`. */
  readonly controlPlane: readonly Pod[];
  /** ztunnels, and whatever else proxies for the mesh. */
  readonly proxies: readonly Pod[];
}

/** `mesh` is undefined when no cluster was asked. */
export function reportVersions(client: string, mesh: MeshPods | undefined): VersionReport {
  const clientVersion = { version: client };
  if (mesh === undefined) return { clientVersion };
  return {
    clientVersion,
    meshVersion: running(mesh.controlPlane).map((pod) => ({
      Component: "pilot",
      Info: { version: versionOf(pod) },
    })),
    dataPlaneVersion: running(mesh.proxies).map((pod) => ({
      ID: `${nameOf(pod)}.${namespaceOf(pod)}`,
      IstioVersion: versionOf(pod),
    })),
  };
}

function running(pods: readonly Pod[]): readonly Pod[] {
  return pods.filter(
    (pod) => pod.status?.phase === "Running" && pod.metadata?.deletionTimestamp === undefined,
  );
}

/** Lines as `istioctl version` prints them. */
export function renderVersions(report: VersionReport): readonly string[] {
  const { clientVersion, meshVersion, dataPlaneVersion } = report;
  const lines = [`client version: ${clientVersion.version}`];
  if (meshVersion === undefined || dataPlaneVersion === undefined) return lines;
  if (meshVersion.length === 0 && dataPlaneVersion.length === 0)
    return [...lines, "Istio is not present in the cluster"];
  const control = counted(meshVersion.map(({ Info }) => Info.version));
  const data = counted(dataPlaneVersion.map(({ IstioVersion }) => IstioVersion));
  lines.push(`control plane version: ${[...control.keys()].join(", ") || "none"}`);
  const proxies = [...data].map(
    ([version, count]) => `${version} (${count} ${count === 1 ? "proxy" : "proxies"})`,
  );
  lines.push(`data plane version: ${proxies.join(", ") || "none"}`);
  return lines;
}

function counted(versions: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const version of [...versions].sort()) counts.set(version, (counts.get(version) ?? 0) + 1);
  return counts;
}
