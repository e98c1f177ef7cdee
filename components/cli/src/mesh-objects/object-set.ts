/** Objects of a cluster, or of files, as commands look at them: the frame is known, what is inside is read with care. Pure. */

import { isJson, type Json, jsonAt, textAt } from "../output/json.ts";

export interface MeshObject {
  readonly kind: string;
  readonly name: string;
  /** Empty for kinds without. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Json;
  readonly status: Json;
  /** The whole object. */
  readonly raw: Json;
  /** `file:line`; empty for one of a cluster. */
  readonly origin: string;
}

/** By namespace and name, for kinds whose lists would be searched again and again. */
export class ObjectSet {
  readonly #byKind = new Map<string, Map<string, MeshObject>>();

  /** Later ones of the same name take the place of earlier ones: files are laid over what runs. */
  constructor(objects: Iterable<MeshObject>) {
    for (const object of objects) {
      const known = this.#byKind.get(object.kind) ?? new Map<string, MeshObject>();
      known.set(`${object.namespace}/${object.name}`, object);
      this.#byKind.set(object.kind, known);
    }
  }

  all(kind: string): readonly MeshObject[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])];
  }

  in(kind: string, namespace: string): readonly MeshObject[] {
    return this.all(kind).filter((object) => object.namespace === namespace);
  }

  get(kind: string, namespace: string, name: string): MeshObject | undefined {
    return this.#byKind.get(kind)?.get(`${namespace}/${name}`);
  }

  *everything(): Generator<MeshObject> {
    for (const objects of this.#byKind.values()) yield* objects.values();
  }
}

/** Undefined for what is no object of the API. `kind` and `namespace` are for those that come without. */
export function readObject(
  value: unknown,
  given: { readonly kind?: string; readonly namespace?: string; readonly origin?: string } = {},
): MeshObject | undefined {
  if (!isJson(value)) return undefined;
  const metadata = jsonAt(value, "metadata");
  const kind = textAt(value, "kind") || (given.kind ?? "");
  const name = textAt(metadata, "name");
  if (kind === "" || name === "") return undefined;
  return {
    kind,
    name,
    namespace: textAt(metadata, "namespace") || (given.namespace ?? ""),
    labels: textsOf(jsonAt(metadata, "labels")),
    annotations: textsOf(jsonAt(metadata, "annotations")),
    spec: jsonAt(value, "spec") ?? {},
    status: jsonAt(value, "status") ?? {},
    raw: value,
    origin: given.origin ?? "",
  };
}

function textsOf(json: Json | undefined): Readonly<Record<string, string>> {
  const entries = Object.entries(json ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  // Labels come from anywhere: a key must not be taken for what every object has.
  return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(entries));
}
