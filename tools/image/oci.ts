/** An OCI image from layers (OCI image specification 1.1): configuration, manifest, and the archive that every tool can load. */

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { Layer } from "./contents.ts";
import { completeTree, type Entry, fileOf, textFile } from "./file-tree.ts";
import { writeTar } from "./tar.ts";

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify(gunzip);
/** Smaller ones are packed again as fast as they are read; those of our own code would fill the cache, one for each change. */
const KEPT_LAYER_BYTES = 32 * 1024 * 1024;
/** Level 9 makes the image 0.3 % smaller and takes twice as long. */
const GZIP_LEVEL = 6;

const MEDIA_TYPES = {
  config: "application/vnd.oci.image.config.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  manifest: "application/vnd.oci.image.manifest.v1+json",
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface ImageOptions {
  readonly architecture: string;
  readonly layers: readonly Layer[];
  /** RFC 3339. */
  readonly created: string;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Large layers of earlier builds, compressed, by the digest of what is in them. */
  readonly cacheFolder: string;
}

export interface Image {
  readonly architecture: string;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** Everything, by digest. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

export async function makeImage(options: ImageOptions): Promise<Image> {
  const blobs = new Map<string, Uint8Array>();
  const add = (mediaType: string, content: Uint8Array): Descriptor => {
    const digest = digestOf(content);
    blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  };
  const packed = await Promise.all(options.layers.map((layer) => packLayer(layer, options.cacheFolder)));
  const layers = packed.map(({ compressed }) => add(MEDIA_TYPES.layer, compressed));
  const config = add(
    MEDIA_TYPES.config,
    renderConfig(
      options,
      packed.map(({ diffId }) => diffId),
    ),
  );
  const manifest = add(
    MEDIA_TYPES.manifest,
    json({ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config, layers, annotations: options.labels }),
  );
  return { architecture: options.architecture, manifest, config, layers, blobs };
}

function renderConfig(options: ImageOptions, diffIds: readonly string[]): Uint8Array {
  return json({
    created: options.created,
    architecture: options.architecture,
    os: "linux",
    config: {
      User: options.user,
      Env: options.env,
      Entrypoint: options.entrypoint,
      WorkingDir: "/",
      Labels: options.labels,
    },
    rootfs: { type: "layers", diff_ids: diffIds },
    history: options.layers.map(({ name }) => ({
      created: options.created,
      created_by: "npm run image",
      comment: name,
    })),
  });
}

async function packLayer(
  layer: Layer,
  cacheFolder: string,
): Promise<{ readonly diffId: string; readonly compressed: Uint8Array }> {
  const tar = writeTar(layer.files);
  const diffId = digestOf(tar);
  if (tar.length < KEPT_LAYER_BYTES)
    return { diffId, compressed: await gzipAsync(tar, { level: GZIP_LEVEL }) };
  const kept = join(
    cacheFolder,
    `${diffId.slice("sha256:".length)}-${process.versions.zlib}-${GZIP_LEVEL}.tar.gz`,
  );
  const found = await readFile(kept).catch(() => undefined);
  if (found !== undefined && (await unpackedDigest(found)) === diffId) return { diffId, compressed: found };
  const compressed = await gzipAsync(tar, { level: GZIP_LEVEL });
  await mkdir(cacheFolder, { recursive: true });
  const temporary = `${kept}.${process.pid}`;
  await writeFile(temporary, compressed);
  await rename(temporary, kept);
  return { diffId, compressed };
}

async function unpackedDigest(compressed: Buffer): Promise<string | undefined> {
  return await gunzipAsync(compressed).then(digestOf, () => undefined);
}

/**
 * One tar that is both an OCI layout (containerd, podman, skopeo, docker from 25) and what `docker save` writes (every docker).
 * @param names full references, as `docker.io/meltemi/pilot:1.0`; all name the same image
 */
export function writeArchive(image: Image, names: readonly string[]): Buffer {
  const blobPath = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
  const platform = { architecture: image.architecture, os: "linux" };
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: names.map((name) => ({
      ...image.manifest,
      platform,
      annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name },
    })),
  };
  const docker = [
    {
      Config: blobPath(image.config.digest),
      RepoTags: names,
      Layers: image.layers.map(({ digest }) => blobPath(digest)),
    },
  ];
  const files = new Map<string, Entry>([
    ["oci-layout", textFile('{"imageLayoutVersion":"1.0.0"}')],
    ["index.json", fileOf(json(index))],
    ["manifest.json", fileOf(json(docker))],
  ]);
  for (const [digest, content] of image.blobs) files.set(blobPath(digest), fileOf(content));
  return writeTar(completeTree(files));
}

export interface Described extends Descriptor {
  readonly content: Uint8Array;
}

/** What a name in a registry means: the manifest of the only image, or an index of one for each platform. */
export function describePlatforms(images: readonly Image[]): Described {
  const [only] = images;
  if (only !== undefined && images.length === 1) {
    const content = only.blobs.get(only.manifest.digest);
    if (content !== undefined) return { ...only.manifest, content };
  }
  const content = json({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: images.map(({ manifest, architecture }) => ({
      ...manifest,
      platform: { architecture, os: "linux" },
    })),
  });
  return { mediaType: MEDIA_TYPES.index, digest: digestOf(content), size: content.length, content };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
