/** What a list or watch request asks, read from its query. */
import { badRequest, type Cause, forbiddenField, invalid, unsupported } from "../refusal.ts";
import type { Served } from "../registry.ts";
import { resourceKey } from "../resources/resource.ts";
import { fieldReader, type Selection, selectionOf } from "../selectors.ts";
import type { ListQuestion } from "./list.ts";
import type { WatchQuestion } from "./watch.ts";

/** Clients that ask for no length get one in Kubernetes' range of half an hour to an hour. */
const DEFAULT_WATCH_SECONDS = 2700;
const MAX_WATCH_SECONDS = 86_400;
const MAX_LIMIT = 100_000;

export function fieldSelection(served: Served, query: URLSearchParams): Selection | undefined {
  const fields = fieldReader(served.resource.selectableFields);
  return selectionOf(query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "", fields);
}

export function listQuestion(
  served: Served,
  namespace: string | undefined,
  query: URLSearchParams,
): ListQuestion {
  refuseFaults(listFaults(query));
  if ((query.get("continue") ?? "") !== "" && !["", "0"].includes(query.get("resourceVersion") ?? ""))
    throw badRequest("specifying resource version is not allowed when using continue");
  return {
    key: resourceKey(served.resource),
    namespace,
    selection: fieldSelection(served, query),
    limit: wholeNumber(query, "limit", 0, MAX_LIMIT),
    continueToken: query.get("continue") ?? "",
    revision: query.get("resourceVersion") ?? "",
    match: query.get("resourceVersionMatch") ?? "",
  };
}

export function watchQuestion(
  served: Served,
  namespace: string | undefined,
  query: URLSearchParams,
): WatchQuestion {
  refuseFaults(watchFaults(query));
  return {
    key: resourceKey(served.resource),
    namespace,
    selection: fieldSelection(served, query),
    revision: query.get("resourceVersion") ?? "",
    bookmarks: isTrue(query, "allowWatchBookmarks"),
    sendInitialEvents: isTrue(query, "sendInitialEvents"),
    timeoutMs: (wholeNumber(query, "timeoutSeconds", 0, MAX_WATCH_SECONDS) || DEFAULT_WATCH_SECONDS) * 1000,
  };
}

const MATCH = "resourceVersionMatch";

function listFaults(query: URLSearchParams): readonly Cause[] {
  if (query.has("sendInitialEvents"))
    return [forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list")];
  const match = query.get(MATCH) ?? "";
  const revision = query.get("resourceVersion") ?? "";
  if (match === "") return [];
  const faults: Cause[] = [];
  if (revision === "")
    faults.push(
      forbiddenField(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
    );
  if ((query.get("continue") ?? "") !== "")
    faults.push(forbiddenField(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
  if (match !== "Exact" && match !== "NotOlderThan")
    faults.push(unsupported(MATCH, match, ["Exact", "NotOlderThan", ""]));
  if (match === "Exact" && revision === "0")
    faults.push(forbiddenField(MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  return faults;
}

function watchFaults(query: URLSearchParams): readonly Cause[] {
  const match = query.get(MATCH) ?? "";
  if (match === "") return [];
  if (!query.has("sendInitialEvents"))
    return [
      forbiddenField(
        MATCH,
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      ),
    ];
  return match === "NotOlderThan" ? [] : [unsupported(MATCH, match, ["NotOlderThan"])];
}

function refuseFaults(faults: readonly Cause[]): void {
  if (faults.length > 0) throw invalid("meta.k8s.io", "ListOptions", "", faults);
}

function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value === "true" || value === "1";
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = query.get(name);
  if (text === null || text === "") return fallback;
  if (!/^\d{1,9}$/.test(text))
    throw badRequest(`${name}: expected a whole number, got ${JSON.stringify(text.slice(0, 40))}`);
  return Math.min(Number(text), most);
}
