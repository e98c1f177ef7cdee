/**
 * Lists, whole or in pages, of now or of an earlier moment. A page's token says the moment and where the page before ended, so that
 * every page of one list shows the same moment and may be asked for again; the past is read from the history of changes, and what
 * that has forgotten is told (410), with a token that goes on at the present moment.
 */
import type { JsonObject } from "../json.ts";
import { badRequest, expired, Refusal } from "../refusal.ts";
import type { Selection } from "../selectors.ts";
import type { ObjectStore, Stored } from "../store/object-store.ts";

export interface ListQuestion {
  /** `<group>/<plural>` */
  readonly key: string;
  readonly namespace: string | undefined;
  readonly selection: Selection | undefined;
  readonly limit: number;
  readonly continueToken: string;
  /** `resourceVersion` and `resourceVersionMatch` of the request, which were checked together. */
  readonly revision: string;
  readonly match: string;
}

interface Page {
  readonly items: readonly Stored[];
  readonly metadata: JsonObject;
}

interface Token {
  /** 0: whatever the present moment is. */
  readonly revision: number;
  /** `<namespace>/<name>` of the last object of the page before. */
  readonly after: string;
}

export type Lister = (question: ListQuestion) => Page;

/** @throws Refusal 400, 410, 504 */
export function createLister(store: ObjectStore): Lister {
  return (question) => {
    if (question.continueToken !== "") {
      const token = parseToken(question.continueToken);
      const revision = token.revision === 0 ? store.revision() : token.revision;
      const all = listAtRevision(store, question, revision);
      if (all === undefined) throw tokenExpired(token);
      return pageOf(question, revision, all.slice(indexAfter(all, token.after)));
    }
    const revision = askedRevision(question, store);
    const all = listAtRevision(store, question, revision);
    if (all === undefined)
      throw expired(
        `The resourceVersion for the provided list is too old: ${revision} (${store.history.oldest()})`,
      );
    return pageOf(question, revision, all);
  };
}

function pageOf(question: ListQuestion, revision: number, rest: readonly Stored[]): Page {
  const { selection, limit } = question;
  const chosen = selection === undefined ? rest : rest.filter((stored) => selection(stored.object));
  const metadata: JsonObject = { resourceVersion: String(revision) };
  const items = limit > 0 && chosen.length > limit ? chosen.slice(0, limit) : chosen;
  const last = items.at(-1);
  if (items.length === chosen.length || last === undefined) return { items, metadata };
  metadata["continue"] = tokenText({ revision, after: placeOf(last) });
  // Kubernetes counts only what it need not look at.
  if (selection === undefined) metadata["remainingItemCount"] = chosen.length - items.length;
  return { items, metadata };
}

function placeOf(stored: Stored): string {
  return `${stored.namespace}/${stored.name}`;
}

/** The list is in the order of places. */
function indexAfter(list: readonly Stored[], place: string): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const stored = list[middle];
    if (stored !== undefined && placeOf(stored) <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The present, with every later change taken back; undefined when some of those are forgotten. */
function listAtRevision(
  store: ObjectStore,
  { key, namespace }: ListQuestion,
  revision: number,
): readonly Stored[] | undefined {
  const present = store.list(key, namespace);
  if (revision === store.revision()) return present;
  const later = store.history.since(revision)?.filter(({ current }) => current.resource === key);
  if (later === undefined) return undefined;
  const places = new Map(present.map((stored) => [placeOf(stored), stored]));
  for (const { current, previous } of later.toReversed()) {
    if (namespace !== undefined && current.namespace !== namespace) continue;
    if (previous === undefined) places.delete(placeOf(current));
    else places.set(placeOf(previous), previous);
  }
  return [...places].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored);
}

function askedRevision(question: ListQuestion, store: ObjectStore): number {
  const { revision, match, limit } = question;
  if (revision === "" || revision === "0") return store.revision();
  const asked = parseRevision(revision);
  if (asked > store.revision()) throw fromTheFuture(asked, store.revision());
  // A limit without a match means the exact moment, as it did before there was a match.
  return match === "Exact" || (match === "" && limit > 0) ? asked : store.revision();
}

function tokenText(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function parseToken(text: string): Token {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (typeof value === "object" && value !== null && "revision" in value && "after" in value) {
      const { revision, after } = value;
      if (typeof after === "string" && Number.isInteger(revision) && Number(revision) >= 0)
        return { revision: Number(revision), after };
    }
  } catch {
    // Falls through to the refusal: the token was not ours.
  }
  throw badRequest(
    "invalid continue token: continue key is not valid: expected the token of an earlier answer",
  );
}

function tokenExpired(token: Token): Refusal {
  const message =
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without " +
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. " +
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or " +
    "deleted between the time the first chunk was returned and now may show up in the list.";
  return expired(message, { continue: tokenText({ revision: 0, after: token.after }) });
}

export function parseRevision(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badRequest(
    `resourceVersion: Invalid value: ${JSON.stringify(text.slice(0, 64))}: expected a number that this server gave out`,
  );
}

/** Kubernetes waits for it a while; here every write is seen at once, so that waiting would not help. */
function fromTheFuture(asked: number, current: number): Refusal {
  return new Refusal(504, "Timeout", `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}
