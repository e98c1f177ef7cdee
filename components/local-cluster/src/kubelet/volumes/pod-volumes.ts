/** Makes a pod's volumes before its containers start, and keeps those that are made of API objects up to date. */

import { chmod, chown, mkdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Pod, ServiceAccountToken } from "@meltemi/kubernetes";
import { type Clock, MeshError } from "@meltemi/runtime";
import type { Volume } from "../container/types.ts";
import { publishFiles } from "./atomic-folder.ts";
import { type ContentSources, type TokenSource, tokenSources, volumeContents } from "./contents.ts";
import { machinePath, type NodeFolders, prepareHostPath } from "./host-path.ts";

export interface PodVolumesDependencies {
  readonly clock: Clock;
  readonly requestToken: (pod: Pod, source: TokenSource) => Promise<ServiceAccountToken>;
}

export interface PodVolumesOptions {
  /** Holds a folder per volume. */
  readonly folder: string;
  readonly node: NodeFolders;
}

export interface PreparedVolume {
  /** Path on the machine. */
  readonly source: string;
  readonly kind: "folder" | "file";
}

export interface PodVolumes {
  /** Makes or renews everything. Throws NOT_FOUND with the kubelet's words when something is missing. */
  prepare(pod: Pod, sources: Omit<ContentSources, "token">): Promise<ReadonlyMap<string, PreparedVolume>>;
  /** When a token must be renewed, on the wall clock; undefined without tokens. */
  readonly renewAtMs: number | undefined;
}

/** Reference: Kubernetes, "the kubelet requests a new token when it is older than 80 percent of its time to live". */
const RENEW_AT_FRACTION = 0.8;

export function createPodVolumes(options: PodVolumesOptions, deps: PodVolumesDependencies): PodVolumes {
  const tokens = new Map<string, { readonly content: Buffer; readonly renewAtMs: number }>();

  async function renewTokens(pod: Pod, volume: Volume): Promise<void> {
    for (const source of tokenSources(volume)) {
      const nowMs = deps.clock.nowMs();
      const held = tokens.get(keyOf(source));
      if (held !== undefined && nowMs < held.renewAtMs) continue;
      const { token, expiresAtMs } = await deps.requestToken(pod, source);
      const renewAtMs = nowMs + (expiresAtMs - nowMs) * RENEW_AT_FRACTION;
      tokens.set(keyOf(source), { content: Buffer.from(token), renewAtMs });
    }
  }

  async function prepareOne(
    pod: Pod,
    volume: Volume,
    sources: Omit<ContentSources, "token">,
  ): Promise<PreparedVolume> {
    const folder = join(options.folder, volume.name);
    if (volume.hostPath !== undefined) {
      const path = machinePath(options.node, volume.hostPath.path);
      await prepareHostPath(path, volume.hostPath.type ?? "");
      const source = await realpath(path);
      return { source, kind: (await stat(source)).isDirectory() ? "folder" : "file" };
    }
    if (volume.emptyDir !== undefined) {
      await makeEmptyFolder(folder, pod.spec?.securityContext?.fsGroup);
      return { source: folder, kind: "folder" };
    }
    await renewTokens(pod, volume);
    const contents = volumeContents(volume, {
      ...sources,
      token: (source) => tokens.get(keyOf(source))?.content,
    });
    if (contents.kind === "missing")
      throw new MeshError("NOT_FOUND", `volume "${volume.name}": ${contents.message}`);
    if (contents.kind === "other")
      throw new MeshError(
        "UNSUPPORTED",
        `volume "${volume.name}": expected emptyDir, hostPath, configMap, secret, downwardAPI or projected`,
      );
    await publishFiles(folder, contents.files, pod.spec?.securityContext?.fsGroup);
    return { source: folder, kind: "folder" };
  }

  return {
    async prepare(pod, sources) {
      const prepared = new Map<string, PreparedVolume>();
      for (const volume of pod.spec?.volumes ?? [])
        prepared.set(volume.name, await prepareOne(pod, volume, sources));
      return prepared;
    },
    get renewAtMs() {
      const times = [...tokens.values()].map((token) => token.renewAtMs);
      return times.length === 0 ? undefined : Math.min(...times);
    },
  };
}

/** Anyone in the pod may write there, as with the kubelet; with a group, that group. */
async function makeEmptyFolder(folder: string, groupId: number | undefined): Promise<void> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, groupId === undefined ? 0o777 : 0o2777);
  if (groupId !== undefined) await chown(folder, 0, groupId);
}

function keyOf(source: TokenSource): string {
  return `${source.audience ?? ""} ${source.expirationSeconds}`;
}
