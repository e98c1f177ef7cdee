/** What the server knows of a resource, whether it is built in (a row of the catalogue) or comes from a CRD. */
import type { JsonObject } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import type { Cause } from "../refusal.ts";
import type { Schema } from "../schema/schema.ts";

export type Subresource = "status" | "scale" | "log" | "token" | "eviction" | "finalize" | "binding";

/** A cell of a Table: what `kubectl get` prints. */
export type Cell = string | number | boolean | null;

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, higher ones with `-o wide`. */
  readonly priority: number;
  readonly value: (object: KubeObject, nowMs: number) => Cell;
}

export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** Where the selector is found; a LabelSelector object or its text. */
  readonly selector?: readonly string[];
}

export interface ResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly schema: Schema;
  readonly columns: readonly Column[];
  readonly subresources: readonly Subresource[];
  readonly scale?: ScalePaths;
  readonly deprecationWarning?: string;
}

/** A resource that is kept in another group's form and place: two names of the same objects. */
export interface StorageForm {
  readonly key: string;
  readonly toStored: (object: KubeObject) => KubeObject;
  readonly fromStored: (object: KubeObject) => KubeObject;
}

export interface Resource {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Preferred first. */
  readonly versions: readonly ResourceVersion[];
  readonly storageVersion: string;
  /** True for resources that a CRD defines: full structural validation, CEL, generation on any change. */
  readonly custom: boolean;
  /** Fields that a field selector may name, besides metadata.name and metadata.namespace. */
  readonly selectableFields: Readonly<Record<string, (object: KubeObject) => string>>;
  readonly rules: ResourceRules;
  readonly storageForm?: StorageForm;
}

/** The parts of a resource's life that differ from kind to kind. Each gets a fresh copy that it may change. */
export interface ResourceRules {
  /** `metadata.generation` counts changes of the spec. */
  readonly countsGenerations: boolean;
  /** Checks a name; undefined when it is well formed. */
  readonly checkName: (name: string) => string | undefined;
  /** Fills in what the writer left out. */
  readonly applyDefaults?: (object: KubeObject) => void;
  /** Faults of an object as a whole; `previous` is there on updates. */
  readonly validate?: (object: KubeObject, previous: KubeObject | undefined) => readonly Cause[];
  /** The `status` of a new object, when the writer's own is not kept. */
  readonly initialStatus?: (object: KubeObject) => JsonObject;
  /** A new object may bring its status along (Node, CustomResourceDefinition never do; Endpoints have none). */
  readonly keepsStatusOnCreate?: boolean;
}

/** Where the objects are kept: `<group>/<plural>`. */
export function resourceKey(resource: Pick<Resource, "group" | "plural" | "storageForm">): string {
  return resource.storageForm?.key ?? `${resource.group}/${resource.plural}`;
}

/** `v1` or `apps/v1` */
export function apiVersionOf(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}
