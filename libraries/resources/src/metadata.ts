/** The metadata of an object from the API, checked and typed. */

import { type Problems, shown } from "./problem.ts";
import { isFields } from "./schema/schema.ts";

export interface Metadata {
  readonly name: string;
  /** Empty for kinds that are not namespaced. */
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  /** RFC 3339 in UTC to the second: the older object has the lesser text. Empty when the object was not stored yet. */
  readonly createdAt: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

/** Undefined, with the problems added, when there is no usable name or a map is not one of text. */
export function parseMetadata(value: unknown, problems: Problems): Metadata | undefined {
  if (!isFields(value)) {
    problems.add("metadata", `expected an object, got ${shown(value)}`);
    return undefined;
  }
  const text = (name: string): string => {
    const field = value[name];
    return typeof field === "string" ? field : "";
  };
  const name = text("name");
  if (name === "") problems.add("metadata.name", `expected a name, got ${shown(value["name"])}`);
  const generation = value["generation"];
  return {
    name,
    namespace: text("namespace"),
    uid: text("uid"),
    generation: typeof generation === "number" ? generation : 0,
    resourceVersion: text("resourceVersion"),
    createdAt: text("creationTimestamp"),
    labels: textMap(value["labels"], "metadata.labels", problems),
    annotations: textMap(value["annotations"], "metadata.annotations", problems),
  };
}

/** A map of text, empty when it is absent. */
function textMap(value: unknown, path: string, problems: Problems): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (value === undefined || value === null) return found;
  if (!isFields(value)) {
    problems.add(path, `expected a map, got ${shown(value)}`);
    return found;
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text === "string") found.set(name, text);
    else problems.add(`${path}[${shown(name)}]`, `expected text, got ${shown(text)}`);
  }
  return found;
}
