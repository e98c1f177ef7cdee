/** What the files of a configMap, secret, downwardAPI or projected volume are. Pure: objects in, files or what is missing out. */

import type { Volume } from "../container/types.ts";
import type { PublishedFile } from "./atomic-folder.ts";

/** Data of a ConfigMap or Secret as bytes; undefined when the object does not exist. */
type KeyedData = ReadonlyMap<string, Buffer> | undefined;

export interface ContentSources {
  configMap(name: string): KeyedData;
  secret(name: string): KeyedData;
  field(path: string): string | undefined;
  resource(container: string, resource: string, divisor: string): string | undefined;
  /** The current token for a projected serviceAccountToken source. */
  token(source: TokenSource): Buffer | undefined;
}

export interface TokenSource {
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
}

export type Contents =
  | { readonly kind: "ok"; readonly files: ReadonlyMap<string, PublishedFile> }
  /** The kubelet's FailedMount: the pod waits. */
  | { readonly kind: "missing"; readonly message: string }
  /** Not one of the kinds that are made of files. */
  | { readonly kind: "other" };

const DEFAULT_MODE = 0o644;
/** Kubernetes' own default of TokenRequest projections. */
const DEFAULT_TOKEN_SECONDS = 3600;

interface KeyItem {
  readonly key: string;
  readonly path: string;
  readonly mode?: number;
}

class Missing extends Error {}

export function volumeContents(volume: Volume, sources: ContentSources): Contents {
  const files = new Map<string, PublishedFile>();
  try {
    if (volume.configMap !== undefined) {
      const { name = "", items, defaultMode, optional } = volume.configMap;
      addKeys(files, {
        kind: "configmap",
        name,
        data: sources.configMap(name),
        items,
        mode: defaultMode,
        optional,
      });
    } else if (volume.secret !== undefined) {
      const { secretName = "", items, defaultMode, optional } = volume.secret;
      addKeys(files, {
        kind: "secret",
        name: secretName,
        data: sources.secret(secretName),
        items,
        mode: defaultMode,
        optional,
      });
    } else if (volume.downwardAPI !== undefined) {
      addDownward(files, volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode, sources);
    } else if (volume.projected !== undefined) {
      addProjected(files, volume.projected, sources);
    } else return { kind: "other" };
  } catch (error) {
    if (error instanceof Missing) return { kind: "missing", message: error.message };
    throw error;
  }
  return { kind: "ok", files };
}

/** The token sources of a volume, for whoever fetches them. */
export function tokenSources(volume: Volume): readonly TokenSource[] {
  return (volume.projected?.sources ?? []).flatMap((source) =>
    source.serviceAccountToken === undefined ? [] : [tokenSource(source.serviceAccountToken)],
  );
}

function tokenSource(projection: {
  readonly audience?: string;
  readonly expirationSeconds?: number;
}): TokenSource {
  return {
    audience: projection.audience || undefined,
    expirationSeconds: projection.expirationSeconds ?? DEFAULT_TOKEN_SECONDS,
  };
}

interface KeyedSource {
  readonly kind: string;
  readonly name: string;
  readonly data: KeyedData;
  readonly items: readonly KeyItem[] | undefined;
  readonly mode: number | undefined;
  readonly optional: boolean | undefined;
}

function addKeys(files: Map<string, PublishedFile>, source: KeyedSource): void {
  const { data, name, kind } = source;
  if (data === undefined) {
    if (source.optional === true) return;
    throw new Missing(`${kind} "${name}" not found`);
  }
  const mode = source.mode ?? DEFAULT_MODE;
  if (source.items === undefined) {
    for (const [key, content] of data) files.set(key, { content, mode });
    return;
  }
  for (const item of source.items) {
    const content = data.get(item.key);
    if (content !== undefined) files.set(item.path, { content, mode: item.mode ?? mode });
    else if (source.optional !== true)
      throw new Missing(`${kind} "${name}": references non-existent key ${item.key}`);
  }
}

type DownwardItems = NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>;

function addDownward(
  files: Map<string, PublishedFile>,
  items: DownwardItems,
  defaultMode: number | undefined,
  sources: ContentSources,
): void {
  for (const item of items) {
    const { fieldRef, resourceFieldRef } = item;
    const value =
      fieldRef !== undefined
        ? sources.field(fieldRef.fieldPath)
        : sources.resource(
            resourceFieldRef?.containerName ?? "",
            resourceFieldRef?.resource ?? "",
            resourceFieldRef?.divisor ?? "0",
          );
    if (value === undefined) throw new Missing(`downwardAPI: ${item.path}: the field is not supported`);
    files.set(item.path, { content: Buffer.from(value), mode: item.mode ?? defaultMode ?? DEFAULT_MODE });
  }
}

function addProjected(
  files: Map<string, PublishedFile>,
  projected: NonNullable<Volume["projected"]>,
  sources: ContentSources,
): void {
  const mode = projected.defaultMode;
  for (const source of projected.sources ?? []) {
    if (source.configMap !== undefined) {
      const { name = "", items, optional } = source.configMap;
      addKeys(files, { kind: "configmap", name, data: sources.configMap(name), items, mode, optional });
    }
    if (source.secret !== undefined) {
      const { name = "", items, optional } = source.secret;
      addKeys(files, { kind: "secret", name, data: sources.secret(name), items, mode, optional });
    }
    if (source.downwardAPI !== undefined) addDownward(files, source.downwardAPI.items ?? [], mode, sources);
    if (source.serviceAccountToken !== undefined) {
      const content = sources.token(tokenSource(source.serviceAccountToken));
      if (content === undefined) throw new Missing("service account token is not there yet");
      files.set(source.serviceAccountToken.path, { content, mode: mode ?? DEFAULT_MODE });
    }
  }
}
