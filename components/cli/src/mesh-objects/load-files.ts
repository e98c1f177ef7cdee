/** Objects of YAML and JSON files, each with where it stands. */

import { Findings } from "@meltemi/validation";
import { isJson, listAt } from "../output/json.ts";
import { readDocuments } from "../validate/documents.ts";
import { filesOf, readFileText, readText, STANDARD_INPUT } from "../validate/files.ts";
import { plainValue } from "../validate/plain-value.ts";
import { type MeshObject, readObject } from "./object-set.ts";

export interface LoadedFiles {
  readonly objects: readonly MeshObject[];
  /** `file:line: what`: what is no YAML, or no object. */
  readonly problems: readonly string[];
}

/** Objects without a namespace are of `namespace`, as kubectl would apply them. */
export async function loadFiles(
  names: readonly string[],
  namespace: string,
  stdin: NodeJS.ReadableStream,
): Promise<LoadedFiles> {
  const loaded: LoadedFiles[] = [];
  for (const file of await filesOf(names))
    loaded.push(
      file === STANDARD_INPUT
        ? readObjects(await readText(stdin), "stdin", namespace)
        : readObjects(await readFileText(file), file, namespace),
    );
  return {
    objects: loaded.flatMap(({ objects }) => objects),
    problems: loaded.flatMap(({ problems }) => problems),
  };
}

function readObjects(text: string, file: string, namespace: string): LoadedFiles {
  const { documents, problems: faults } = readDocuments(text);
  const objects: MeshObject[] = [];
  const problems = faults.map(({ line, problem }) => `${file}:${line}: ${problem}`);
  for (const source of documents) {
    const findings = new Findings();
    const value = plainValue(source, findings);
    const origin = `${file}:${source.positionOf([], "value").line}`;
    problems.push(...findings.all.map(({ problem }) => `${origin}: ${problem}`));
    objects.push(...itemsOf(value).flatMap((item) => objectOf(item, origin, namespace)));
  }
  return { objects, problems };
}

function itemsOf(value: unknown): readonly unknown[] {
  return isJson(value) && value["kind"] === "List" ? listAt(value, "items") : [value];
}

const CLUSTER_KINDS = new Set(["Namespace", "GatewayClass", "Node", "ClusterRole", "ClusterRoleBinding"]);

function objectOf(value: unknown, origin: string, namespace: string): readonly MeshObject[] {
  const object = readObject(value, { origin, namespace });
  if (object === undefined) return [];
  return [CLUSTER_KINDS.has(object.kind) ? { ...object, namespace: "" } : object];
}
