/**
 * What a request may ask of the server, in a header `x-echo` or a query parameter `echo`: words apart by commas.
 *
 *     status=503            answers with that status, gRPC with that code
 *     fail=2/key            the first two requests with this key get 503 (gRPC: UNAVAILABLE)
 *     abort=2/key           the first two requests with this key are cut before any answer; without a number, every one
 *     delay=250             milliseconds before the answer begins
 *     stall=250             milliseconds between head and body
 *     cut                   promises a body and ends the connection within it
 *     trailers              ends the body with the trailer `x-echo-trailer: yes`
 *     size=1000             a body of so many bytes, instead of the report
 *     set=name:value        a header of the answer (without commas)
 *     crash                 the process dies
 *
 * POST /echo/default with the same words, from the pod itself, says what is done when a request asks nothing: a bad version.
 */

export interface Command {
  readonly status?: number;
  readonly abort: boolean;
  readonly crash: boolean;
  readonly cut: boolean;
  readonly trailers: boolean;
  readonly delayMs: number;
  readonly stallMs: number;
  readonly sizeBytes?: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface Behaviour {
  /** Counts the request where a word is about the first ones of a key. Unknown words are refused: throws. */
  decide(words: string): Command;
  setDefault(words: string): void;
}

/** So many keys are counted; then all are forgotten. A test uses a handful. */
const MAX_KEYS = 10_000;
const FAILED = 503;
const LONGEST_DELAY_MS = 60_000;
const LARGEST_BODY_BYTES = 64 * 1024 * 1024;

export function createBehaviour(): Behaviour {
  const seen = new Map<string, number>();
  let usual = "";
  const isEarly = (limit: string): boolean => {
    const [count, key = ""] = limit.split("/");
    if (seen.size > MAX_KEYS) seen.clear();
    const before = seen.get(key) ?? 0;
    seen.set(key, before + 1);
    return before < Number(count);
  };
  return {
    decide: (words) => readCommand(words === "" ? usual : words, isEarly),
    setDefault(words) {
      readCommand(words, () => false);
      usual = words;
    },
  };
}

type Draft = { -readonly [Key in keyof Command]: Command[Key] };

function readCommand(words: string, isEarly: (limit: string) => boolean): Command {
  const command: Draft = {
    abort: false,
    crash: false,
    cut: false,
    trailers: false,
    delayMs: 0,
    stallMs: 0,
    headers: [],
  };
  for (const word of words.split(",").filter((each) => each !== "")) {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    takeWord(command, name, equals < 0 ? "" : word.slice(equals + 1), isEarly);
  }
  return command;
}

function takeWord(command: Draft, name: string, value: string, isEarly: (limit: string) => boolean): void {
  switch (name) {
    case "status":
      command.status = readNumber(name, value, 999);
      break;
    case "fail":
      if (isEarly(value)) command.status = FAILED;
      break;
    case "abort":
      command.abort = value === "" || isEarly(value);
      break;
    case "delay":
      command.delayMs = readNumber(name, value, LONGEST_DELAY_MS);
      break;
    case "stall":
      command.stallMs = readNumber(name, value, LONGEST_DELAY_MS);
      break;
    case "size":
      command.sizeBytes = readNumber(name, value, LARGEST_BODY_BYTES);
      break;
    case "set": {
      const colon = value.indexOf(":");
      command.headers = [...command.headers, [value.slice(0, colon), value.slice(colon + 1)]];
      break;
    }
    case "cut":
    case "trailers":
    case "crash":
      command[name] = true;
      break;
    default:
      throw new Error(`command ${JSON.stringify(name)}: expected one of those in server/command.ts`);
  }
}

function readNumber(name: string, value: string, most: number): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > most)
    throw new Error(`command ${name}: expected a number up to ${most}, got ${JSON.stringify(value)}`);
  return number;
}
