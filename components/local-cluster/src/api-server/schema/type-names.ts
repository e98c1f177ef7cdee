/** OpenAPI names of built-in types by apiVersion and kind, the ones that are only asked included. */
import { BUILT_IN_SCHEMAS } from "./schema.ts";

/** Groups whose OpenAPI package is not `io.k8s.api.<first label of the group>`. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["", "io.k8s.api.core"],
  ["apiextensions.k8s.io", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions"],
  ["meta.k8s.io", "io.k8s.apimachinery.pkg.apis.meta"],
]);

/** Undefined when there is no such type. */
export function builtInType(apiVersion: string, kind: string): string | undefined {
  if (kind === "DeleteOptions") return "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  const prefix = PACKAGES.get(group) ?? `io.k8s.api.${group.split(".")[0] ?? ""}`;
  const name = `${prefix}.${version}.${kind}`;
  return BUILT_IN_SCHEMAS.has(name) ? name : undefined;
}
