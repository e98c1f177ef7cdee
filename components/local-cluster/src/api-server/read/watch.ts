/** Watches: changes as a stream of JSON lines, from a revision onwards, with bookmarks and a bound on what may wait. */
import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "@meltemi/runtime";
import type { JsonObject } from "../json.ts";
import { expired, Refusal } from "../refusal.ts";
import { objectText, tableOf, type View } from "../render.ts";
import { apiVersionOf } from "../resources/resource.ts";
import type { Selection } from "../selectors.ts";
import type { Change, ObjectStore, Stored } from "../store/object-store.ts";
import { parseRevision } from "./list.ts";

export interface WatchQuestion {
  readonly key: string;
  readonly namespace: string | undefined;
  readonly selection: Selection | undefined;
  /** Empty or "0": begin with what is there now, as ADDED events. */
  readonly revision: string;
  readonly bookmarks: boolean;
  /** WatchList: what is there now, then a bookmark that says so. */
  readonly sendInitialEvents: boolean;
  /** The server ends the watch after this long; the client starts another. */
  readonly timeoutMs: number;
}

/** Bytes that may wait for one slow watcher; beyond, it is cut off and has to list again. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** As often as Kubernetes sends them: the client then resumes from at most a minute ago. */
const BOOKMARK_INTERVAL_MS = 60_000;
/** Nor does the next watch, begun when this one ends, start from further back. */
const BOOKMARK_BEFORE_END_MS = 2_000;
/** Every kubelet, controller and proxy of a few hundred nodes fits; more is a leak. */
const MAX_WATCHES = 4_096;

export interface Watches {
  /** Takes over the response and serves it to its end. @throws Refusal before the first byte is written */
  serve(question: WatchQuestion, view: View, response: ServerResponse): void;
  /** Ends all of them, as the server does when it stops. */
  close(): void;
}

export function createWatches(store: ObjectStore, clock: Clock): Watches {
  const open = new Set<() => void>();

  function serve(question: WatchQuestion, view: View, response: ServerResponse): void {
    if (open.size >= MAX_WATCHES) throw tooMany();
    const backlog = backlogOf(question, store);
    const encoder = createEncoder(question, view);
    response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
    if (backlog.kind === "gone") {
      // Kubernetes says it inside the watch.
      response.end(line("ERROR", JSON.stringify(backlog.refusal.status)));
      return;
    }
    response.flushHeaders();
    let stopBookmarks = (): void => {};
    // What there is at the start waits for the reader however much it is: cut off, it would come back for the same again.
    let maxWaitingBytes = Number.POSITIVE_INFINITY;
    const endTimer = clock.after(question.timeoutMs, () => end());
    const stopListening = store.history.listen((change) => deliver(change));

    function end(): void {
      stopListening();
      stopBookmarks();
      endTimer.cancel();
      open.delete(end);
      response.end();
    }
    function write(line: string): void {
      if (line === "") return;
      if (response.writableLength > maxWaitingBytes) {
        end();
        response.destroy();
      } else response.write(line);
    }
    function deliver(change: Change): void {
      write(encoder.change(change));
    }

    open.add(end);
    response.on("close", end);
    for (const stored of backlog.existing) write(encoder.existing(stored));
    if (question.sendInitialEvents) write(encoder.bookmark(store.revision(), true));
    for (const change of backlog.changes) deliver(change);
    maxWaitingBytes = response.writableLength + MAX_WAITING_BYTES;
    if (question.bookmarks)
      stopBookmarks = startBookmarks(question.timeoutMs, clock, () =>
        write(encoder.bookmark(store.revision(), false)),
      );
  }

  return {
    serve,
    close() {
      for (const end of [...open]) end();
    },
  };
}

/** Calls `send` every minute and before the end. Returns how to stop. */
function startBookmarks(timeoutMs: number, clock: Clock, send: () => void): () => void {
  let timer: Timer;
  const again = (): void => {
    timer = clock.after(BOOKMARK_INTERVAL_MS, () => {
      send();
      again();
    });
  };
  again();
  const last = clock.after(Math.max(0, timeoutMs - BOOKMARK_BEFORE_END_MS), send);
  return () => {
    timer.cancel();
    last.cancel();
  };
}

function tooMany(): Refusal {
  const message = `watch: ${MAX_WATCHES} watches are open already; try again later`;
  return new Refusal(429, "TooManyRequests", message, { retryAfterSeconds: 5 });
}

type Backlog =
  | { readonly kind: "ok"; readonly existing: readonly Stored[]; readonly changes: readonly Change[] }
  /** The client has to list again. */
  | { readonly kind: "gone"; readonly refusal: Refusal };

function backlogOf(question: WatchQuestion, store: ObjectStore): Backlog {
  const fromStart = question.revision === "" || question.revision === "0";
  if (question.sendInitialEvents || fromStart)
    return { kind: "ok", existing: store.list(question.key, question.namespace), changes: [] };
  const asked = parseRevision(question.revision);
  const gone = (why: string): Backlog => ({ kind: "gone", refusal: expired(why) });
  // Kubernetes would wait. A cluster that was made anew under an old client's feet would keep it waiting for ever.
  if (asked > store.revision())
    return gone(`Too large resource version: ${asked}, current: ${store.revision()}`);
  const changes = store.history.since(asked);
  if (changes === undefined) return gone(`too old resource version: ${asked} (${store.history.oldest()})`);
  return { kind: "ok", existing: [], changes };
}

interface Encoder {
  /** The line for a change, or nothing when it does not concern this watch. */
  change(change: Change): string;
  existing(stored: Stored): string;
  bookmark(revision: number, initialEventsEnd: boolean): string;
}

function createEncoder(question: WatchQuestion, view: View): Encoder {
  let firstTable = true;
  const wanted = (stored: Stored | undefined): boolean =>
    stored !== undefined &&
    (question.namespace === undefined || stored.namespace === question.namespace) &&
    (question.selection === undefined || question.selection(stored.object));

  function event(type: string, stored: Stored): string {
    if (view.form.kind === "table") {
      const table = tableOf(view, [stored], { resourceVersion: String(stored.revision) }, firstTable);
      firstTable = false;
      return line(type, JSON.stringify(table));
    }
    if (view.form.kind === "partial") {
      const metadata = stored.object.metadata;
      return line(
        type,
        JSON.stringify({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }),
      );
    }
    return line(type, objectText(view.served, stored));
  }

  return {
    change(change) {
      if (change.current.resource !== question.key) return "";
      const [before, now] = [wanted(change.previous), change.type !== "DELETED" && wanted(change.current)];
      if (now) return event(before ? "MODIFIED" : "ADDED", change.current);
      // What no longer matches is gone for this watcher, whether it was deleted or only changed.
      return before ? event("DELETED", change.current) : "";
    },
    existing: (stored) => (wanted(stored) ? event("ADDED", stored) : ""),
    bookmark(revision, initialEventsEnd) {
      const { resource, version } = view.served;
      const annotations: JsonObject = initialEventsEnd
        ? { annotations: { "k8s.io/initial-events-end": "true" } }
        : {};
      const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...annotations };
      const object = {
        kind: resource.kind,
        apiVersion: apiVersionOf(resource.group, version.name),
        metadata,
      };
      return line("BOOKMARK", JSON.stringify(object));
    },
  };
}

function line(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}
