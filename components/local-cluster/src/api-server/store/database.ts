/**
 * The durable half of the store: one SQLite file, one row per object, one transaction per change.
 * Write-ahead log with `synchronous=NORMAL`: a killed process loses nothing that was answered, a power cut may lose the
 * last moments but never leaves a half-written change.
 */
import { DatabaseSync } from "node:sqlite";
import { describeError } from "@meltemi/runtime";
import { Refusal } from "../refusal.ts";

/** `resource` is `<group>/<plural>` (`/pods`, `apps/deployments`). */
interface ObjectRow {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly body: string;
}

export type RowChange =
  | { readonly kind: "put"; readonly row: ObjectRow }
  | { readonly kind: "remove"; readonly resource: string; readonly namespace: string; readonly name: string };

export interface Database {
  /** Every object, and the last revision given out. */
  load(): { readonly rows: readonly ObjectRow[]; readonly revision: number };
  /** All changes or none. Throws a Refusal with 507 when the disk is full, 500 on any other fault of the file. */
  write(changes: readonly RowChange[], revision: number): void;
  close(): void;
}

/** Bumped when the layout changes; a file of another layout is refused, never guessed at. */
const LAYOUT_VERSION = 1;

/** 1 GiB in pages of 4 KiB: a cluster on one machine needs a hundredth; what writes more has run away. */
const MAX_PAGES = 262_144;

export function openDatabase(path: string, maxPages: number = MAX_PAGES): Database {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000;");
  checkLayout(database, path);
  database.exec(`PRAGMA max_page_count=${maxPages}`);
  const put = database.prepare(
    "INSERT INTO objects(resource, namespace, name, revision, body) VALUES (?, ?, ?, ?, ?) " +
      "ON CONFLICT(resource, namespace, name) DO UPDATE SET revision = excluded.revision, body = excluded.body",
  );
  const remove = database.prepare("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?");
  const setRevision = database.prepare("UPDATE revision SET last = ?");

  function apply(changes: readonly RowChange[], revision: number): void {
    for (const change of changes) {
      if (change.kind === "remove") remove.run(change.resource, change.namespace, change.name);
      else {
        const { row } = change;
        put.run(row.resource, row.namespace, row.name, row.revision, row.body);
      }
    }
    setRevision.run(revision);
  }

  return {
    load() {
      const rows = database.prepare("SELECT resource, namespace, name, revision, body FROM objects").all();
      const last = database.prepare("SELECT last FROM revision").get();
      return { rows: rows as unknown as ObjectRow[], revision: Number(last?.["last"] ?? 0) };
    },
    write(changes, revision) {
      try {
        database.exec("BEGIN IMMEDIATE");
        apply(changes, revision);
        database.exec("COMMIT");
      } catch (error) {
        // SQLite rolls back by itself on some faults (a full disk among them); then there is nothing left to undo.
        if (database.isTransaction) database.exec("ROLLBACK");
        throw storageRefusal(error);
      }
    },
    close: () => database.close(),
  };
}

function checkLayout(database: DatabaseSync, path: string): void {
  const found = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (found === LAYOUT_VERSION) return;
  if (found !== 0) {
    database.close();
    throw new Refusal(
      500,
      "InternalError",
      `open the cluster's state ${path}: expected layout ${LAYOUT_VERSION}, found ${found}; remove the file to start afresh`,
    );
  }
  database.exec(`
    BEGIN;
    CREATE TABLE objects (
      resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
      revision INTEGER NOT NULL, body TEXT NOT NULL,
      PRIMARY KEY (resource, namespace, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revision (last INTEGER NOT NULL) STRICT;
    INSERT INTO revision(last) VALUES (0);
    PRAGMA user_version = ${LAYOUT_VERSION};
    COMMIT;
  `);
}

/** SQLite's result code for a disk, quota or page limit that is reached. */
const SQLITE_FULL = 13;

function storageRefusal(error: unknown): Refusal {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  if (code === SQLITE_FULL) {
    const message = "write the cluster's state: no space is left for it; free disk space and try again";
    return new Refusal(507, "InternalError", message, {}, error);
  }
  return new Refusal(500, "InternalError", `write the cluster's state: ${describeError(error)}`, {}, error);
}
