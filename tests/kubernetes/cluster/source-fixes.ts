/** What a source tree of 2021 needs to be right when a Go of 2023 compiles it. */

import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Changes with what is done below: a tree that was prepared otherwise is prepared again. */
export const SOURCE_FIXES: readonly string[] = ["reflect2 1.0.2", "empty strings are values"];

const REFLECT2 = "github.com/modern-go/reflect2";
/** Compares two reflect.Value structures; since Go 1.18 those of every empty string are equal, and it passes for null. */
const EMPTY_IS_NULL =
  "data == nil || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data))";
const VALIDATORS = [
  "vendor/k8s.io/kube-openapi/pkg/validation/validate/type.go",
  "vendor/github.com/go-openapi/validate/type.go",
];

/** `packaged`: Go sources of Debian's packages. Throws when the tree is not the one that this was written for. */
export async function fixSource(source: string, packaged: string): Promise<void> {
  // The vendored 1.0.1 ends the API server (`fatal error: fault`) when it decodes the first custom resource.
  const vendored = join(source, "vendor", REFLECT2);
  await rm(vendored, { recursive: true });
  await cp(join(packaged, REFLECT2), vendored, { recursive: true });
  for (const path of VALIDATORS) {
    const text = await readFile(join(source, path), "utf8");
    if (!text.includes(EMPTY_IS_NULL)) throw new Error(`fix ${path}: expected ${EMPTY_IS_NULL}`);
    await writeFile(join(source, path), text.replace(EMPTY_IS_NULL, "data == nil"));
  }
}
