/** JSON patch (RFC 6902) over JSON pointers (RFC 6901). */
import { clone, isObject, type Json, type JsonObject, sameJson, setKey } from "../json.ts";
import { badRequest, Refusal } from "../refusal.ts";

/** As in Kubernetes; more operations than this are no edit. */
const MAX_OPERATIONS = 10_000;

/** All copies of one patch together, as in Kubernetes: copies of copies double what there is with every operation. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

type Parent = JsonObject | Json[];

/** What the copies of one patch may still add. */
interface CopyBudget {
  leftBytes: number;
}

/**
 * Applies all operations or none.
 * @throws Refusal 400 for a malformed patch, 422 for one that does not fit the object (a failed test, a missing path)
 */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest("json patch: expected a list of operations");
  if (patch.length > MAX_OPERATIONS) {
    throw new Refusal(
      413,
      "RequestEntityTooLarge",
      `json patch: at most ${MAX_OPERATIONS} operations, got ${patch.length}`,
    );
  }
  // One holder above the root lets an operation replace the whole document.
  const holder: JsonObject = { root: clone(target) };
  const budget: CopyBudget = { leftBytes: MAX_COPIED_BYTES };
  for (const [index, operation] of patch.entries())
    applyOperation(holder, operation, `operation ${index}`, budget);
  return holder["root"] ?? null;
}

function applyOperation(holder: JsonObject, operation: Json, where: string, budget: CopyBudget): void {
  if (!isObject(operation)) throw badRequest(`json patch: ${where}: expected an object`);
  const path = pointer(operation["path"], `${where}: path`);
  const { value } = operation as { value?: Json };
  switch (operation["op"]) {
    case "add":
      add(holder, path, needed(value, where), where);
      return;
    case "replace":
      remove(holder, path, where);
      add(holder, path, needed(value, where), where);
      return;
    case "remove":
      remove(holder, path, where);
      return;
    case "move":
      move(holder, pointer(operation["from"], `${where}: from`), path, where);
      return;
    case "copy":
      copy(holder, pointer(operation["from"], `${where}: from`), path, where, budget);
      return;
    case "test":
      if (!sameJson(read(holder, path, where), needed(value, where)))
        throw unfit(`${where}: testing value ${String(operation["path"])} failed`);
      return;
    default:
      throw badRequest(`json patch: ${where}: unexpected op ${JSON.stringify(operation["op"] ?? null)}`);
  }
}

function needed(value: Json | undefined, where: string): Json {
  if (value === undefined) throw badRequest(`json patch: ${where}: expected a value`);
  return value;
}

function pointer(value: Json | undefined, where: string): string[] {
  if (typeof value !== "string" || (value !== "" && !value.startsWith("/"))) {
    throw badRequest(`json patch: ${where}: expected a JSON pointer that begins with /`);
  }
  const steps = value
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return ["root", ...steps];
}

function unfit(why: string): Refusal {
  return new Refusal(
    422,
    "Invalid",
    `the server rejected our request due to an error in our request: json patch: ${why}`,
  );
}

function move(holder: JsonObject, from: string[], path: string[], where: string): void {
  if (path.length > from.length && from.every((step, index) => path[index] === step)) {
    throw unfit(`${where}: a value cannot move into itself`);
  }
  const value = read(holder, from, where);
  remove(holder, from, where);
  add(holder, path, value, where);
}

function copy(holder: JsonObject, from: string[], path: string[], where: string, budget: CopyBudget): void {
  const value = read(holder, from, where);
  budget.leftBytes -= JSON.stringify(value).length;
  if (budget.leftBytes < 0) {
    throw new Refusal(
      413,
      "RequestEntityTooLarge",
      `json patch: ${where}: the copies are larger than ${MAX_COPIED_BYTES} bytes together`,
    );
  }
  add(holder, path, clone(value), where);
}

function read(holder: JsonObject, path: readonly string[], where: string): Json {
  let current: Json = holder;
  for (const step of path) {
    const next: Json | undefined = Array.isArray(current)
      ? current[listIndex(current, step, current.length - 1, where)]
      : isObject(current) && Object.hasOwn(current, step)
        ? current[step]
        : undefined;
    if (next === undefined) throw unfit(`${where}: there is nothing at ${shownPath(path)}`);
    current = next;
  }
  return current;
}

function parentOf(
  holder: JsonObject,
  path: readonly string[],
  where: string,
): { parent: Parent; last: string } {
  const parent = path.length === 1 ? holder : read(holder, path.slice(0, -1), where);
  if (typeof parent !== "object" || parent === null)
    throw unfit(`${where}: ${shownPath(path)} lies in neither an object nor a list`);
  return { parent, last: path.at(-1) ?? "" };
}

function add(holder: JsonObject, path: readonly string[], value: Json, where: string): void {
  const { parent, last } = parentOf(holder, path, where);
  if (!Array.isArray(parent)) setKey(parent, last, value);
  else if (last === "-") parent.push(value);
  else parent.splice(listIndex(parent, last, parent.length, where), 0, value);
}

function remove(holder: JsonObject, path: readonly string[], where: string): void {
  const { parent, last } = parentOf(holder, path, where);
  if (Array.isArray(parent)) {
    parent.splice(listIndex(parent, last, parent.length - 1, where), 1);
    return;
  }
  if (!Object.hasOwn(parent, last)) throw unfit(`${where}: there is nothing at ${shownPath(path)}`);
  delete parent[last];
}

function listIndex(list: readonly Json[], step: string, most: number, where: string): number {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(step) || Number(step) > most) {
    throw unfit(`${where}: ${JSON.stringify(step.slice(0, 40))} is no index of a list of ${list.length}`);
  }
  return Number(step);
}

function shownPath(path: readonly string[]): string {
  return `/${path.slice(1).join("/")}`.slice(0, 200);
}
