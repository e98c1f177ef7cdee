/** The components as single JavaScript files, and the npm packages that went into them. Names stay as written: stack traces are read by people. */

import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import type { Component } from "./entrypoint/choose-program.ts";
import { type Entry, type FileTree, fileOf } from "./file-tree.ts";

/** Where the image has what is ours; below it, the layout is that of the repository, since the components find their files by it. */
export const HOME = "usr/lib/meltemi";

const COMPONENTS: Readonly<Record<Component, string>> = {
  "control-plane": "main.ts",
  ztunnel: "main.mjs",
  waypoint: "main.mjs",
  cni: "main.ts",
};

/** Packages of CommonJS ask for Node's modules at run time, and in a module there is no `require`. */
const REQUIRE =
  'import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);';

export interface Bundles {
  readonly files: FileTree;
  /** The npm packages inside, by path in the lockfile, as `node_modules/yaml`. */
  readonly packages: ReadonlySet<string>;
}

export async function bundleComponents(projectFolder: string): Promise<Bundles> {
  const files = new Map<string, Entry>();
  const packages = new Set<string>();
  const bundle = async (source: string, target: string): Promise<void> => {
    const { code, inputs } = await bundleProgram(projectFolder, source);
    files.set(`${HOME}/${target}`, fileOf(code));
    for (const input of inputs) {
      const path = /^(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
      if (path !== undefined) packages.add(path);
    }
  };
  await bundle("tools/image/entrypoint/main.ts", "main.mjs");
  for (const [component, main] of Object.entries(COMPONENTS))
    await bundle(`components/${component}/src/${main}`, `components/${component}/src/main.mjs`);
  // What programs load by its path beside them.
  for (const component of ["ztunnel", "cni"] as const)
    await copy(
      "libraries/linux/src/readiness.worker.mjs",
      `components/${component}/src/readiness.worker.mjs`,
    );
  for await (const path of glob("libraries/ebpf/bpf/*.bpf.o", { cwd: projectFolder }))
    await copy(path, path.replace("libraries/ebpf", "components/cni"));
  for await (const path of glob("components/cni/src/plugin/*.ts", { cwd: projectFolder }))
    if (!path.endsWith(".test.ts")) await copy(path, path);
  return { files, packages };

  async function copy(source: string, target: string): Promise<void> {
    files.set(`${HOME}/${target}`, fileOf(await readFile(join(projectFolder, source))));
  }
}

/** One program of the repository as one file; koffi is the only package that stays outside. */
export async function bundleProgram(
  projectFolder: string,
  source: string,
): Promise<{ readonly code: Uint8Array; readonly inputs: readonly string[] }> {
  const result = await build({
    absWorkingDir: projectFolder,
    entryPoints: [source],
    bundle: true,
    write: false,
    metafile: true,
    outfile: "bundle.mjs",
    format: "esm",
    platform: "node",
    target: "node24",
    // Finds its native half by its own path.
    external: ["koffi"],
    banner: { js: REQUIRE },
    legalComments: "none",
    charset: "utf8",
    logLevel: "error",
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error(`bundle ${source}: expected one file`);
  return { code: file.contents, inputs: Object.keys(result.metafile.inputs) };
}
