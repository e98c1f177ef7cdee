/** Lists in pages: every page of one list shows the same moment, or the client is told to start again (410). */
import { randomUUID } from "node:crypto";
import type { JsonObject } from "../json.ts";
import { badRequest, expired } from "../refusal.ts";
import type { Selection } from "../selectors.ts";
import type { ObjectStore, Stored } from "../store/object-store.ts";

export interface ListQuestion {
  /** `<group>/<plural>` */
  readonly key: string;
  readonly namespace: string | undefined;
  readonly selection: Selection | undefined;
  readonly limit: number;
  readonly continueToken: string;
  /** `resourceVersion` and `resourceVersionMatch` of the request. */
  readonly revision: string;
  readonly match: string;
}

interface Page {
  readonly items: readonly Stored[];
  readonly metadata: JsonObject;
}

interface Unfinished {
  readonly key: string;
  readonly namespace: string | undefined;
  readonly revision: number;
  readonly items: readonly Stored[];
}

/** Lists being paged through at one time; the one that was asked for a page least recently is forgotten first. */
const MAX_UNFINISHED = 64;

export type Lister = (question: ListQuestion) => Page;

export function createLister(store: ObjectStore): Lister {
  const unfinished = new Map<string, Unfinished>();

  function pageOf(whole: Unfinished, id: string, from: number, limit: number): Page {
    const end = limit > 0 ? from + limit : whole.items.length;
    const items = from === 0 && end >= whole.items.length ? whole.items : whole.items.slice(from, end);
    const metadata: JsonObject = { resourceVersion: String(whole.revision) };
    const left = whole.items.length - end;
    // One place for the whole list, at the end of the row; none once it is told, so that no old objects are kept alive.
    unfinished.delete(id);
    if (left <= 0) return { items, metadata };
    unfinished.set(id, whole);
    const [oldest] = unfinished.keys();
    if (unfinished.size > MAX_UNFINISHED && oldest !== undefined) unfinished.delete(oldest);
    const token = Buffer.from(JSON.stringify({ id, from: end })).toString("base64url");
    return { items, metadata: { ...metadata, continue: token, remainingItemCount: left } };
  }

  return (question) => {
    if (question.continueToken !== "") {
      const token = parseToken(question.continueToken);
      const whole = unfinished.get(token.id);
      if (whole === undefined || whole.key !== question.key || whole.namespace !== question.namespace) {
        throw expired(
          "The provided continue parameter is too old to display a consistent list result; start the list again without it.",
        );
      }
      return pageOf(whole, token.id, token.from, question.limit);
    }
    checkRevision(question, store);
    const all = store.list(question.key, question.namespace);
    const { selection } = question;
    const items = selection === undefined ? all : all.filter((stored) => selection(stored.object));
    const whole = { key: question.key, namespace: question.namespace, revision: store.revision(), items };
    return pageOf(whole, randomUUID(), 0, question.limit);
  };
}

function parseToken(token: string): { id: string; from: number } {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (typeof value === "object" && value !== null && "id" in value && "from" in value) {
      const { id, from } = value;
      if (typeof id === "string" && Number.isInteger(from) && Number(from) >= 0)
        return { id, from: Number(from) };
    }
  } catch {
    // Falls through to the refusal: the token was not ours.
  }
  throw badRequest("continue key is not valid: expected the token of an earlier answer");
}

function checkRevision(question: ListQuestion, store: ObjectStore): void {
  if (question.revision === "" || question.revision === "0") return;
  const asked = parseRevision(question.revision);
  if (asked > store.revision()) throw tooLarge(asked, store.revision());
  if (question.match === "Exact" && asked !== store.revision()) {
    throw expired(
      `the list at resourceVersion ${asked} is no longer kept; the current one is ${store.revision()}`,
    );
  }
}

export function parseRevision(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badRequest(
    `resourceVersion: Invalid value: ${JSON.stringify(text.slice(0, 64))}: expected a number that this server gave out`,
  );
}

function tooLarge(asked: number, current: number): Error {
  return expired(`Too large resource version: ${asked}, current: ${current}`);
}
