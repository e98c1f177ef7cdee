/** Reads Envoy's log formats: text with command operators between percent signs (reference: l7-and-cli §5.5). */

export type FormatPart =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "command";
      readonly name: string;
      /** Between parentheses; undefined without them. */
      readonly argument: string | undefined;
      /** Longer values are cut. */
      readonly maxLength: number | undefined;
    };

export type FormatOutcome =
  | { readonly kind: "ok"; readonly parts: readonly FormatPart[] }
  | { readonly kind: "bad"; readonly why: string };

/** A format is written by hand; Envoy's own has 600 characters. */
const MAX_FORMAT_LENGTH: number = 16 * 1024;

type Command =
  | { readonly kind: "ok"; readonly part: FormatPart; readonly end: number }
  | { readonly kind: "bad"; readonly why: string };

export function parseFormat(format: string): FormatOutcome {
  if (format.length > MAX_FORMAT_LENGTH)
    return {
      kind: "bad",
      why: `log format: ${format.length} characters, expected at most ${MAX_FORMAT_LENGTH}`,
    };
  const parts: FormatPart[] = [];
  let text = "";
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf("%", at);
    if (percent < 0) break;
    text += format.slice(at, percent);
    if (format.charAt(percent + 1) === "%") {
      text += "%";
      at = percent + 2;
      continue;
    }
    const command = readCommand(format, percent + 1);
    if (command.kind === "bad") return command;
    if (text !== "") parts.push({ kind: "text", text });
    text = "";
    parts.push(command.part);
    at = command.end;
  }
  text += format.slice(at);
  if (text !== "") parts.push({ kind: "text", text });
  return { kind: "ok", parts };
}

/** From behind its first percent sign; `end` is behind the last. */
function readCommand(format: string, start: number): Command {
  const bad = (expected: string): Command => ({
    kind: "bad",
    why: `log format at ${JSON.stringify(format.slice(start - 1, start + 39))}: expected ${expected}`,
  });
  let at = start;
  while (isNameCode(format.charCodeAt(at))) at++;
  const name = format.slice(start, at);
  if (name === "") return bad("a command operator, or %% for a percent sign");
  let argument: string | undefined;
  if (format.charAt(at) === "(") {
    const close = closingParenthesis(format, at + 1);
    if (close < 0) return bad("a closing parenthesis");
    argument = format.slice(at + 1, close);
    at = close + 1;
  }
  let maxLength: number | undefined;
  if (format.charAt(at) === ":") {
    const digits = at + 1;
    at = endOfDigits(format, digits);
    maxLength = Number(format.slice(digits, at));
    if (at === digits || !Number.isSafeInteger(maxLength)) return bad("a number of characters");
  }
  if (format.charAt(at) !== "%") return bad("a percent sign at the end");
  return { kind: "ok", part: { kind: "command", name, argument, maxLength }, end: at + 1 };
}

/** The first that is followed by what may follow an argument: formats of times and expressions have others in them. */
function closingParenthesis(format: string, start: number): number {
  for (let close = format.indexOf(")", start); close >= 0; close = format.indexOf(")", close + 1)) {
    const next = format.charAt(close + 1);
    if (next === "%") return close;
    if (next === ":" && format.charAt(endOfDigits(format, close + 2)) === "%") return close;
  }
  return -1;
}

function endOfDigits(format: string, start: number): number {
  let at = start;
  while (format.charCodeAt(at) >= 0x30 && format.charCodeAt(at) <= 0x39) at++;
  return at;
}

/** `A`–`Z`, `0`–`9`, `_`. */
function isNameCode(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39) || code === 0x5f;
}
