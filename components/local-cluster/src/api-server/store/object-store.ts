/**
 * All objects in memory, written through to the database, with a bounded history of changes for watchers.
 * Objects and their texts are immutable: readers share them, writers commit new ones.
 */
import type { KubeObject } from "../kube-object.ts";
import { nameOf, namespaceOf } from "../kube-object.ts";
import type { Database, RowChange } from "./database.ts";
import { createHistory, type History } from "./history.ts";

/** One version of one object. */
export interface Stored {
  /** `<group>/<plural>` */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly object: KubeObject;
  /** The object as JSON: encoded once for the database and for every reader. */
  readonly text: string;
}

export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly revision: number;
  /** For DELETED the last state, with the revision of its removal. */
  readonly current: Stored;
  readonly previous: Stored | undefined;
}

type Write =
  | { readonly kind: "put"; readonly resource: string; readonly object: KubeObject }
  | { readonly kind: "remove"; readonly resource: string; readonly object: KubeObject };

export interface ObjectStore {
  /** The revision of the newest change. */
  revision(): number;
  get(resource: string, namespace: string, name: string): Stored | undefined;
  /** Objects of a resource in the order of namespace and name; of one namespace when it is given. */
  list(resource: string, namespace?: string): readonly Stored[];
  /** Writes all or none, gives each its own revision, then tells the watchers. Returns what was stored. */
  commit(writes: readonly Write[]): readonly Stored[];
  readonly history: History;
  close(): void;
}

export function createObjectStore(database: Database): ObjectStore {
  const loaded = database.load();
  const byResource = new Map<string, Map<string, Stored>>();
  /** Sorted lists, rebuilt on demand: most reads follow one another without a write between them. */
  const sorted = new Map<string, readonly Stored[]>();
  let revision = Math.max(1, loaded.revision);
  const history = createHistory(revision);
  for (const row of loaded.rows) {
    remember({ ...row, object: JSON.parse(row.body) as KubeObject, text: row.body });
  }

  function remember(stored: Stored): void {
    const objects = byResource.get(stored.resource) ?? new Map<string, Stored>();
    byResource.set(stored.resource, objects);
    objects.set(keyOf(stored.namespace, stored.name), stored);
    sorted.delete(stored.resource);
  }

  function forget(stored: Stored): void {
    byResource.get(stored.resource)?.delete(keyOf(stored.namespace, stored.name));
    sorted.delete(stored.resource);
  }

  function get(resource: string, namespace: string, name: string): Stored | undefined {
    return byResource.get(resource)?.get(keyOf(namespace, name));
  }

  function list(resource: string, namespace?: string): readonly Stored[] {
    let all = sorted.get(resource);
    if (all === undefined) {
      const entries = [...(byResource.get(resource) ?? new Map<string, Stored>())];
      all = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored);
      sorted.set(resource, all);
    }
    return namespace === undefined ? all : all.filter((stored) => stored.namespace === namespace);
  }

  function commit(writes: readonly Write[]): readonly Stored[] {
    const changes = writes.map((write, index) => changeOf(write, revision + 1 + index));
    database.write(changes.map(rowChange), revision + changes.length);
    revision += changes.length;
    for (const change of changes) {
      if (change.type === "DELETED") forget(change.current);
      else remember(change.current);
    }
    history.append(changes);
    return changes.map((change) => change.current);
  }

  function changeOf(write: Write, at: number): Change {
    const { resource } = write;
    const [namespace, name] = [namespaceOf(write.object), nameOf(write.object)];
    const object: KubeObject = {
      ...write.object,
      metadata: { ...write.object.metadata, resourceVersion: String(at) },
    };
    const previous = get(resource, namespace, name);
    const current = { resource, namespace, name, revision: at, object, text: JSON.stringify(object) };
    if (write.kind === "remove") return { type: "DELETED", revision: at, current, previous };
    return { type: previous === undefined ? "ADDED" : "MODIFIED", revision: at, current, previous };
  }

  return { revision: () => revision, get, list, commit, history, close: () => database.close() };
}

/** `/` is in no namespace and no name, so that the key is unambiguous and sorts by namespace first. */
function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function rowChange(change: Change): RowChange {
  const { resource, namespace, name, revision, text } = change.current;
  if (change.type === "DELETED") return { kind: "remove", resource, namespace, name };
  return { kind: "put", row: { resource, namespace, name, revision, body: text } };
}
