/**
 * What an image reference means on a machine without a container engine: a program of the project (by its catalogue), the
 * machine's own file system (`host`), or a folder (an absolute path). Pure.
 */

import { isAbsolute } from "node:path";
import { MeshError } from "@meltemi/runtime";

/** Image name → how to start it. */
export type ImageCatalogue = ReadonlyMap<string, readonly string[]>;

export type Image =
  | { readonly kind: "program"; readonly entrypoint: readonly string[] }
  | { readonly kind: "host" }
  | { readonly kind: "folder"; readonly path: string };

/** Name of the image that is the machine itself. */
const HOST_IMAGE = "host";

/** Reads `deploy/images/catalogue.json`: `{"ztunnel": {"entrypoint": ["node", "components/…"]}}`. */
export function parseCatalogue(text: string): ImageCatalogue {
  const catalogue = new Map<string, readonly string[]>();
  const document: unknown = JSON.parse(text);
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw new MeshError("CONFIG_INVALID", "image catalogue: expected an object of images");
  for (const [name, entry] of Object.entries(document)) {
    const entrypoint: unknown = (entry as { readonly entrypoint?: unknown } | null)?.entrypoint;
    if (
      !Array.isArray(entrypoint) ||
      entrypoint.length === 0 ||
      !entrypoint.every((word) => typeof word === "string")
    )
      throw new MeshError(
        "CONFIG_INVALID",
        `image catalogue: ${name}: expected an entrypoint, a list of words`,
      );
    catalogue.set(name, entrypoint);
  }
  return catalogue;
}

/** Throws NOT_FOUND with what there is when the reference names nothing. */
export function resolveImage(catalogue: ImageCatalogue, reference: string): Image {
  if (isAbsolute(reference)) return { kind: "folder", path: reference };
  const name = imageName(reference);
  if (name === HOST_IMAGE) return { kind: "host" };
  const entrypoint = catalogue.get(name);
  if (entrypoint !== undefined) return { kind: "program", entrypoint };
  throw new MeshError(
    "NOT_FOUND",
    `image ${JSON.stringify(reference)}: expected "host", an absolute folder, or one of ${[...catalogue.keys()].join(", ")}`,
  );
}

/** Last path component, without tag and digest: `registry:5000/istio/ztunnel:1.30@sha256:…` is `ztunnel`. */
export function imageName(reference: string): string {
  const last = reference.slice(reference.lastIndexOf("/") + 1);
  return last.split("@")[0]?.split(":")[0] ?? "";
}
