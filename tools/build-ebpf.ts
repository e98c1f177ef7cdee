/**
 * Compiles libraries/ebpf/bpf/*.bpf.c to the committed .bpf.o files, so that users need no compiler. Debian 12's clang 14 makes the same
 * bytes every time and in every folder; a test compares. Stripped of DWARF; BTF stays, with the source's lines for the verifier's
 * log, and names files relative to their folder.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { globSync, mkdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCES = join(dirname(fileURLToPath(import.meta.url)), "..", "libraries", "ebpf", "bpf");

const COMPILER = "clang";
const STRIP = "llvm-strip";

/** What is missing for compiling, undefined when nothing is. */
export function missingCompiler(): string | undefined {
  return [COMPILER, STRIP].find((tool) => spawnSync(tool, ["--version"]).status !== 0);
}

/** Compiles every program into `folder` and returns the names of the files made. */
export function buildEbpf(folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const headers = globSync("/usr/include/*-linux-gnu");
  return globSync("*.bpf.c", { cwd: SOURCES })
    .sort()
    .map((source) => {
      const name = `${basename(source, ".c")}.o`;
      const output = resolve(folder, name);
      const flags = ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-target", "bpf", "-mcpu=v3"];
      // Otherwise BTF would name the builder's folder.
      const anywhere = "-fdebug-compilation-dir=.";
      const includes = headers.map((header) => `-I${header}`);
      execFileSync(COMPILER, [...flags, anywhere, ...includes, "-c", source, "-o", output], {
        cwd: SOURCES,
        stdio: "inherit",
      });
      execFileSync(STRIP, ["-g", output], { stdio: "inherit" });
      return name;
    });
}

if (import.meta.main) {
  const missing = missingCompiler();
  if (missing !== undefined) {
    console.error(`build-ebpf: ${missing} is not installed; the committed .bpf.o files stay as they are`);
    process.exitCode = 1;
  } else {
    console.log(buildEbpf(SOURCES).join("\n"));
  }
}
