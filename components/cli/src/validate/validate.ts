/** The text of a file → everything that is wrong with the objects in it, in the order of the text. Pure. */

import { Findings, formatPath, isFields } from "@meltemi/validation";
import { checkObject } from "./check-object.ts";
import { readDocuments } from "./documents.ts";
import { plainValue } from "./plain-value.ts";
import type { SourceDocument } from "./source-document.ts";

export interface ValidationProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly severity: "error" | "warning";
  /** Empty for what is wrong with the YAML itself. */
  readonly path: string;
  readonly problem: string;
}

export interface FileValidation {
  readonly file: string;
  readonly problems: readonly ValidationProblem[];
  /** Objects of the mesh's kinds. */
  readonly objects: number;
  /** Kinds of which only metadata was checked. */
  readonly frameOnly: readonly string[];
}

/** `isNamed`: the user named this very file; in a folder, what is no object at all (package.json, values.yaml) is passed over. */
export function validateText(file: string, text: string, isNamed: boolean): FileValidation {
  const { documents, problems: syntax } = readDocuments(text);
  const problems: ValidationProblem[] = syntax.map((each) => ({ file, path: "", ...each }));
  const frameOnly = new Set<string>();
  let objects = 0;
  for (const source of documents) {
    const findings = new Findings();
    const value = plainValue(source, findings);
    // `---` twice: nothing is between.
    if (value === null) continue;
    if (!isNamed && !looksLikeObject(value)) continue;
    const verdict = value === undefined ? "checked" : checkObject(value, [], findings);
    // How others' objects are written is for their own tools to judge.
    if (verdict === "foreign") continue;
    objects += 1;
    if (verdict === "frame" && isFields(value)) frameOnly.add(String(value["kind"]));
    problems.push(...located(file, source, findings));
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return { file, problems, objects, frameOnly: [...frameOnly] };
}

function looksLikeObject(value: unknown): boolean {
  return value === undefined || (isFields(value) && ("apiVersion" in value || "kind" in value));
}

function located(file: string, source: SourceDocument, findings: Findings): ValidationProblem[] {
  return findings.all.map(({ path, at, severity, problem }) => ({
    file,
    ...source.positionOf(path, at),
    severity,
    path: formatPath(path),
    problem,
  }));
}

/** `file:line:column: path: problem`, as editors and compilers have it. */
export function formatProblem({ file, line, column, severity, path, problem }: ValidationProblem): string {
  const parts = [`${file}:${line}:${column}`, ...(severity === "warning" ? ["warning"] : []), path, problem];
  return parts.filter((part) => part !== "").join(": ");
}
