/** `istioctl validate` (alias `v`; reference: l7-and-cli §3). */

import { type Command, Option } from "commander";
import { filesOf, readFileText, readText, STANDARD_INPUT } from "../validate/files.ts";
import { type FileValidation, formatProblem, validateText } from "../validate/validate.ts";
import type { CommandContext } from "./context.ts";

interface ValidateFlags {
  readonly filename: readonly string[];
  readonly output: "text" | "json";
}

const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value];

export function addValidateCommand(program: Command, context: CommandContext): void {
  const name = program.name();
  program
    .command("validate")
    .alias("v")
    .description("check Istio, Gateway API and IstioOperator objects in files, without a cluster")
    .requiredOption("-f, --filename <file>", "file, folder with all below it, or - (repeatable)", collect)
    .addOption(new Option("-o, --output <format>", "text or json").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      `
Every problem is one line, file:line:column: path: what was expected. Exit code 1 when there is an error; warnings alone pass.

Examples:
  ${name} validate -f policy.yaml
  ${name} validate -f deploy/ -f more.yaml
  kubectl get authorizationpolicies -A -o yaml | ${name} validate -f -
  ${name} validate -f deploy/ -o json`,
    )
    .action((flags: ValidateFlags) => validate(flags, context));
}

async function validate(flags: ValidateFlags, context: CommandContext): Promise<void> {
  const results: FileValidation[] = [];
  for (const file of await filesOf(flags.filename)) {
    const fromInput = file === STANDARD_INPUT;
    const text = fromInput ? await readText(context.stdin) : await readFileText(file);
    const result = validateText(fromInput ? "stdin" : file, text, fromInput || flags.filename.includes(file));
    results.push(result);
    if (flags.output === "text") showResult(result, context);
  }
  const problems = results.flatMap((result) => result.problems);
  // A check of nothing is a mistake in whoever asked for it.
  const valid = results.length > 0 && !problems.some(({ severity }) => severity === "error");
  if (flags.output === "json") {
    const objects = results.reduce((sum, result) => sum + result.objects, 0);
    context.terminal.line(JSON.stringify({ valid, files: results.length, objects, problems }, undefined, 2));
  }
  if (results.length === 0) context.terminal.aside("expected a .yaml, .yml or .json file there, found none");
  if (!valid) context.exit(1);
}

function showResult(
  { file, problems, objects, frameOnly }: FileValidation,
  { terminal }: CommandContext,
): void {
  for (const problem of problems) terminal.line(formatProblem(problem));
  for (const kind of frameOnly)
    terminal.aside(`${file}: ${kind}: name and labels were checked; its spec is not known to this version`);
  if (problems.some(({ severity }) => severity === "error")) return;
  terminal.line(objects === 0 ? `"${file}" has no object of the mesh's kinds` : `"${file}" is valid`);
}
