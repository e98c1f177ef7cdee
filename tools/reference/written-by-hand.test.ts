/** Pages written by hand: links lead somewhere, and commands that they give are commands that there are. */

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { createSilentProgram } from "./command-line.ts";
import { ROOT } from "./record-families.ts";

const PAGES: readonly string[] = [
  "README.md",
  ...globSync("{docs,deploy,benchmarks}/**/*.md", { cwd: ROOT }).filter(
    (path) => !path.includes("/reference/"),
  ),
];
const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const withoutFences = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, "");

/** As GitHub makes them. */
function anchorsOf(text: string): readonly string[] {
  return [...withoutFences(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, "")
      .replaceAll(" ", "-"),
  );
}

for (const page of PAGES)
  test(`links of ${page}`, () => {
    const plain = withoutFences(textOf(page)).replaceAll(/`[^`\n]*`/g, "");
    for (const [, target = ""] of plain.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : normalize(join(dirname(page), path));
      assert.ok(existsSync(join(ROOT, file)), `${target}: there is no ${file}`);
      if (anchor !== undefined && file.endsWith(".md"))
        assert.ok(anchorsOf(textOf(file)).includes(anchor), `${target}: ${file} has no such heading`);
    }
  });

type Command = ReturnType<typeof createSilentProgram>;

/** What follows the program's name on a line of a page, up to what the shell or the prose adds. */
function commandsOf(text: string): readonly string[] {
  const code = [
    ...text.matchAll(/^ {4}((?:istioctl|meltemi) .*)$/gm),
    ...withoutFences(text).matchAll(/`((?:istioctl|meltemi) [^`\n]*)`/g),
  ];
  return code.map(([, line = ""]) => line.split(/ {2,}#| [|&;]|[|]{2}|…/)[0]?.trim() ?? "");
}

/** Undefined when every word that is a command or a flag is known. */
function problemOf(line: string, program: Command): string | undefined {
  const [, ...words] = line.split(/\s+/);
  let command = program;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    // `waypoint apply|list`, `waypoint *`, `<command>`: prose, which names several.
    if (/[|*<]/.test(word)) return undefined;
    const flag = /^--?[A-Za-z][\w-]*/.exec(word)?.[0];
    if (flag !== undefined) {
      const option = [...command.options, ...program.options].find(({ short, long }) =>
        [short, long].includes(flag),
      );
      if (option === undefined && flag !== "--help") return `${command.name()} has no flag ${flag}`;
      if (option?.required === true && !word.includes("=")) at += 1;
      continue;
    }
    if (command.commands.length === 0) continue;
    const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (child === undefined) return `${command.name()} has no command ${word}`;
    command = child;
  }
  return undefined;
}

test("commands of all pages exist, with their flags", () => {
  const program = createSilentProgram();
  const counted = PAGES.flatMap((page) => commandsOf(textOf(page))).length;
  assert.ok(counted > 50, `${counted} commands were found`);
  const wrong = PAGES.flatMap((page) =>
    commandsOf(textOf(page)).flatMap((line) => {
      const problem = problemOf(line, program);
      return problem === undefined ? [] : [`${page}: ${line}: ${problem}`];
    }),
  );
  assert.deepEqual(wrong, []);
});
