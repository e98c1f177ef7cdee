/** Reads what `-f` and `--set` ask for, naming file, line and expectation when it does not fit. */

import { readFileSync } from "node:fs";
import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { LineCounter, parseDocument } from "yaml";
import { readSetFlags } from "../manifests/set-flags.ts";
import { type InstallValues, readInstallValues, type Tree } from "../manifests/values.ts";

export interface ValuesFlags {
  readonly set: readonly string[];
  readonly filename: readonly string[];
  readonly revision?: string;
}

/** An IstioOperator file is some KiB; this bounds what is read of a wrong one. */
const MAX_FILE_CHARACTERS = 1024 * 1024;

const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

export function valueOptions(command: Command): Command {
  return command
    .option("-s, --set <path=value>", "set one value, for example profile=ambient (repeatable)", collect, [])
    .option("-f, --filename <file>", "an IstioOperator file (repeatable, later ones win)", collect, [])
    .option("-r, --revision <name>", "revision of the control plane");
}

/** What was asked for, left to right: files, `--set`, `--revision`. Throws INPUT_INVALID. */
export function layersOfFlags(flags: ValuesFlags): readonly Tree[] {
  const set = readSetFlags(flags.set);
  if (set.kind === "invalid") throw new MeshError("INPUT_INVALID", set.problem);
  const layers = [...flags.filename.map(readOperatorFile), set.tree];
  if (flags.revision !== undefined) layers.push({ revision: flags.revision });
  return layers;
}

export function valuesOfFlags(flags: ValuesFlags): InstallValues {
  const result = readInstallValues(layersOfFlags(flags));
  if (result.kind === "invalid") {
    throw new MeshError(
      "INPUT_INVALID",
      `these values cannot be installed:\n  ${result.problems.join("\n  ")}`,
    );
  }
  return result.values;
}

/** The `spec` of an IstioOperator file. */
function readOperatorFile(path: string): Tree {
  const text = readText(path);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new MeshError("INPUT_INVALID", `${path}:${line}:${col}: ${error.message.split("\n")[0]}`);
  }
  const content: unknown = document.toJS();
  if (!isTree(content) || content["kind"] !== "IstioOperator") {
    const kind = isTree(content) ? JSON.stringify(content["kind"]) : typeof content;
    throw new MeshError("INPUT_INVALID", `${path}:1: expected kind IstioOperator, got ${kind}`);
  }
  const spec = content["spec"] ?? {};
  if (!isTree(spec)) throw new MeshError("INPUT_INVALID", `${path}: spec: expected a map`);
  return spec;
}

function readText(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new MeshError("INPUT_INVALID", `read ${path}: no such file, or it may not be read`, { cause });
  }
  if (text.length > MAX_FILE_CHARACTERS)
    throw new MeshError("LIMIT_EXCEEDED", `read ${path}: expected at most ${MAX_FILE_CHARACTERS} characters`);
  return text;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
