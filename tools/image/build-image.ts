/** From the project's files to an image in memory. */

import { join } from "node:path";
import { PROXY_ID } from "./account-files.ts";
import { HOME } from "./bundle.ts";
import { makeContents, NODE } from "./contents.ts";
import { type Image, makeImage } from "./oci.ts";
import { PLATFORMS } from "./platform.ts";

export interface BuildOptions {
  readonly projectFolder: string;
  /** Packages and compressed layers of earlier builds. */
  readonly cacheFolder: string;
  /** As `linux/amd64`. */
  readonly platform: string;
  readonly version: string;
  readonly revision: string | undefined;
  readonly createdSeconds: number;
  readonly fromSnapshot: boolean;
}

export interface BuiltImage {
  readonly image: Image;
  /** SPDX, as it also lies in the image. */
  readonly sbom: string;
}

export async function buildImage(options: BuildOptions, say: (text: string) => void): Promise<BuiltImage> {
  const platform = PLATFORMS[options.platform];
  if (platform === undefined)
    throw new Error(`build image: expected a known platform, got ${options.platform}`);
  const created = `${new Date(options.createdSeconds * 1000).toISOString().slice(0, 19)}Z`;
  const { layers, sbom } = await makeContents({ ...options, platform, created }, say);
  const image = await makeImage({
    architecture: platform.architecture,
    layers,
    created,
    // Pods that need more say so.
    user: `${PROXY_ID}:${PROXY_ID}`,
    entrypoint: [`/${NODE}`, "--disable-warning=ExperimentalWarning", `/${HOME}/main.mjs`],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    labels: {
      "org.opencontainers.image.title": "Meltemi",
      "org.opencontainers.image.description":
        "An ambient service mesh: control plane, node proxy, waypoint and node agent",
      "org.opencontainers.image.version": options.version,
      "org.opencontainers.image.created": created,
      "org.opencontainers.image.licenses": "Apache-2.0",
      ...(options.revision !== undefined && { "org.opencontainers.image.revision": options.revision }),
    },
    cacheFolder: join(options.cacheFolder, "layers"),
  });
  return { image, sbom };
}
