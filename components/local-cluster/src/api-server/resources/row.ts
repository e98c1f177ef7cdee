/** One line of the catalogue of built-in resources, and what its lines share. */
import { textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import type { Column, ResourceRules, StorageForm, Subresource } from "./resource.ts";

export interface Row {
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly cluster?: true;
  /** OpenAPI name without the kind, when it is not `io.k8s.api.<group>.<version>`. */
  readonly schemaPackage?: string;
  readonly subresources?: readonly Subresource[];
  readonly columns?: readonly Column[];
  readonly fields?: Readonly<Record<string, (object: KubeObject) => string>>;
  readonly rules?: Partial<ResourceRules>;
  readonly storageForm?: StorageForm;
}

export const ALL: readonly string[] = ["all"];
export const STATUS: readonly Subresource[] = ["status"];

/** Selectable fields that are texts under a path of the same name. */
export function texts(...paths: readonly string[]): Record<string, (object: KubeObject) => string> {
  return Object.fromEntries(
    paths.map((path) => [path, (object: KubeObject) => textAt(object, ...path.split(".")) ?? ""]),
  );
}
