/**
 * YAML text → documents with positions. Files come from anywhere: size, depth and number are bounded before anything recurses,
 * and aliases are expanded later under a budget (plain-value.ts).
 */

import type { Finding } from "@meltemi/validation";
import { Composer, Lexer, LineCounter, Parser } from "yaml";
import { type Position, SourceDocument } from "./source-document.ts";

export interface LocatedProblem extends Position {
  readonly severity: Finding["severity"];
  readonly problem: string;
}

export interface ReadDocuments {
  readonly documents: readonly SourceDocument[];
  /** What is wrong with the text as YAML. */
  readonly problems: readonly LocatedProblem[];
}

/** An object of the API has 1.5 MiB at most; a bundle of many fits. Parsing this much takes some seconds. */
export const MAX_TEXT_CHARACTERS: number = 4 * 1024 * 1024;
/** The API server refuses what is nested deeper than some dozens; the bound keeps the parser off the stack's end. */
const MAX_DEPTH = 200;
const MAX_DOCUMENTS = 5000;
/** Syntax errors follow from one another: the first ones tell. */
const MAX_SYNTAX_PROBLEMS = 50;

/** Duplicate keys are found by plain-value.ts: the library's own search costs the square of a map's size. */
const OPTIONS = { version: "1.2", merge: false, uniqueKeys: false, prettyErrors: false } as const;

export function readDocuments(text: string): ReadDocuments {
  const lines = new LineCounter();
  const documents: SourceDocument[] = [];
  const problems: LocatedProblem[] = [];
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const refuse = (offset: number, problem: string): ReadDocuments => {
    problems.push({ ...at(offset), severity: "error", problem });
    return { documents, problems };
  };
  if (text.length > MAX_TEXT_CHARACTERS)
    return refuse(0, `expected at most ${MAX_TEXT_CHARACTERS} characters, got ${text.length}`);
  const depth = new DepthMeter();
  for (const document of new Composer(OPTIONS).compose(depth.tokens(text, lines), true, text.length)) {
    for (const kind of ["errors", "warnings"] as const)
      for (const each of document[kind].slice(0, MAX_SYNTAX_PROBLEMS - problems.length))
        problems.push({
          ...at(each.pos[0]),
          severity: kind === "errors" ? "error" : "warning",
          problem: `YAML: ${each.message}`,
        });
    if (depth.exceededAt !== undefined) break;
    if (documents.length === MAX_DOCUMENTS)
      return refuse(document.range[0], `expected at most ${MAX_DOCUMENTS} documents in a file`);
    if (document.errors.length > 0 || document.contents === null) continue;
    documents.push(new SourceDocument(document, at));
  }
  if (depth.exceededAt !== undefined)
    return refuse(depth.exceededAt, `YAML: expected at most ${MAX_DEPTH} levels of nesting`);
  return { documents, problems };
}

/** Passes the parser's tokens on until they nest too deep. The parser keeps a stack of its own; what reads its tokens recurses. */
class DepthMeter {
  exceededAt: number | undefined;

  *tokens(text: string, lines: LineCounter): ReturnType<Parser["parse"]> {
    const parser = new Parser(lines.addNewLine);
    lines.addNewLine(0);
    for (const lexeme of new Lexer().lex(text)) {
      yield* parser.next(lexeme);
      if (parser.stack.length > MAX_DEPTH) {
        this.exceededAt = parser.offset;
        return;
      }
    }
    yield* parser.end();
  }
}
