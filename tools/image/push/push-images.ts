/** Puts one image, or one for each platform, into a registry under all its names. */

import { describePlatforms, type Image } from "../oci.ts";
import { findCredentials } from "./credentials.ts";
import { parseReference } from "./reference.ts";
import { openRegistry, type Registry } from "./registry.ts";

/**
 * Blobs before manifests, manifests before tags: whoever pulls meanwhile gets the old image or the new one, whole.
 * @param names full references, as `registry.example/mesh/pilot:1.0`
 * @param dockerFolder where `docker login` keeps credentials
 * @returns digest of what the names now mean
 */
export async function pushImages(
  images: readonly Image[],
  names: readonly string[],
  dockerFolder: string,
  say: (text: string) => void,
): Promise<string> {
  const targets = names.map(parseReference);
  const top = describePlatforms(images);
  let before: string | undefined;
  for (const path of new Set(targets.map(({ repository }) => repository.path))) {
    const own = targets.filter(({ repository }) => repository.path === path);
    const [first] = own;
    if (first === undefined) continue;
    const { repository } = first;
    const registry = openRegistry(repository, await findCredentials(dockerFolder, repository.credentialsKey));
    for (const image of images) await pushBlobs(registry, image, before);
    for (const { tag } of own) {
      await registry.putManifest(tag, top.mediaType, top.content);
      say(`pushed ${repository.host}/${path}:${tag}`);
    }
    before = path;
  }
  return top.digest;
}

async function pushBlobs(registry: Registry, image: Image, from: string | undefined): Promise<void> {
  for (const { digest } of [...image.layers, image.config]) {
    const content = image.blobs.get(digest);
    if (content === undefined) throw new Error(`push: expected the image to have ${digest}`);
    if (!(await registry.hasBlob(digest))) await registry.putBlob(digest, content, from);
  }
  const manifest = image.blobs.get(image.manifest.digest);
  if (manifest === undefined) throw new Error(`push: expected the image to have ${image.manifest.digest}`);
  await registry.putManifest(image.manifest.digest, image.manifest.mediaType, manifest);
}
