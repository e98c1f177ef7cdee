/** Builds Kubernetes from Debian's source package, once per machine; a build that was broken off goes on where it was. */

import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { takeBuildLock } from "./build-lock.ts";
import type { Cache } from "./cache.ts";
import { type Apt, openApt } from "./packages.ts";
import type { Progress } from "./progress.ts";
import { runProgram } from "./run-program.ts";
import { fixSource, SOURCE_FIXES } from "./source-fixes.ts";
import {
  KUBERNETES_SOURCE_VERSION,
  KUBERNETES_VERSION,
  NODE_PACKAGES,
  PROGRAMS,
  type ProgramName,
  TOOLCHAIN_PACKAGES,
} from "./versions.ts";

/** What was done, each step with what it was done of: another list, another build. */
interface Manifest {
  readonly steps: Readonly<
    Record<string, { readonly of: readonly string[]; readonly made: readonly string[] }>
  >;
}

/** Not more, so that a machine that is in use stays usable; more would not help the linker. */
const MAX_COMPILERS = 4;
const NODE_STEP = "node packages";

/** Brings what `programs` need into the cache. Says what it does only when there is something to do. */
export async function ensureBuilt(
  cache: Cache,
  programs: readonly ProgramName[],
  progress: Progress,
): Promise<void> {
  if (isBuilt(cache, programs)) return;
  await mkdir(cache.folder, { recursive: true });
  const unlock = await takeBuildLock(join(cache.folder, "build.lock"), () =>
    progress.say("another process is building, waiting for it"),
  );
  try {
    await build(cache, programs, progress);
  } finally {
    unlock();
  }
}

async function build(cache: Cache, programs: readonly ProgramName[], progress: Progress): Promise<void> {
  let apt: Promise<Apt> | undefined;
  const getApt = (): Promise<Apt> => {
    apt ??= openApt(cache.apt);
    return apt;
  };
  await step(cache, progress, NODE_STEP, NODE_PACKAGES, async () => {
    await rm(cache.node, { recursive: true, force: true });
    const files = await (await getApt()).unpack(NODE_PACKAGES, cache.node);
    await mergeUsr(cache.node);
    await linkAlternatives(cache.node);
    return files;
  });
  const missing = programs.filter((name) => !isDone(cache, `build ${name}`, recipeOf(name)));
  if (missing.length > 0) await prepareSource(cache, progress, getApt);
  for (const name of missing)
    await step(cache, progress, `build ${name}`, recipeOf(name), () => compile(cache, name));
}

/** Whether everything that `programs` need is there, so that nothing takes minutes. */
export function isBuilt(cache: Cache, programs: readonly ProgramName[] = PROGRAMS): boolean {
  return (
    isDone(cache, NODE_STEP, NODE_PACKAGES) &&
    programs.every((name) => isDone(cache, `build ${name}`, recipeOf(name)))
  );
}

/** Of what a program is made, and how: when this changes, it is built again. */
const recipeOf = (name: ProgramName): readonly string[] => [
  name,
  KUBERNETES_SOURCE_VERSION,
  ...SOURCE_FIXES,
  "versions 2",
];

async function prepareSource(cache: Cache, progress: Progress, apt: () => Promise<Apt>): Promise<void> {
  await step(cache, progress, "Go toolchain", TOOLCHAIN_PACKAGES, async () => {
    await rm(cache.toolchain, { recursive: true, force: true });
    return await (await apt()).unpack(TOOLCHAIN_PACKAGES, cache.toolchain);
  });
  await step(cache, progress, "Kubernetes source", [KUBERNETES_SOURCE_VERSION, ...SOURCE_FIXES], async () => {
    const source = sourceOf(cache);
    await rm(source, { recursive: true, force: true });
    await (await apt()).unpackKubernetesSource(source);
    await fixSource(source, join(cache.toolchain, "usr/share/gocode/src"));
    await generateOpenApi(cache);
    return [relative(cache.folder, source)];
  });
}

const sourceOf = (cache: Cache): string => join(cache.go, "src/k8s.io/kubernetes");

/** Not in the tarball: the Go file that `kubectl explain` and server-side apply live by. */
async function generateOpenApi(cache: Cache): Promise<void> {
  const source = sourceOf(cache);
  const generator = join(cache.bin, "openapi-gen");
  await go(cache, ["build", "-o", generator, "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"]);
  const packages = new Set<string>();
  for (const folder of ["pkg", "cmd", "plugin", "staging/src/k8s.io", "vendor/k8s.io/kube-openapi"])
    for (const path of await markedFolders(join(source, folder)))
      packages.add(importPathOf(relative(source, path)));
  const output = "k8s.io/kubernetes/pkg/generated/openapi";
  const header = join(source, "hack/boilerplate/boilerplate.generatego.txt");
  const words = [
    "-i",
    [...packages].sort().join(","),
    "-p",
    output,
    "-O",
    "zz_generated.openapi",
    "-h",
    header,
  ];
  await runProgram(
    generator,
    [...words, "-r", join(cache.folder, "openapi-report.txt"), "--output-base", join(cache.go, "src")],
    { cwd: source, env: goEnvironment(cache) },
  );
}

/** Staged packages are reached through the vendor folder's links. */
function importPathOf(folder: string): string {
  return `k8s.io/kubernetes/${folder.replace(/^staging\/src\//, "vendor/")}`;
}

/** Folders whose Go files ask for an OpenAPI definition. */
async function markedFolders(top: string): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const entry of await readdir(top, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".go") || entry.name.endsWith("_test.go")) continue;
    const folder = entry.parentPath;
    if (found.has(folder) || /\/testdata(\/|$)|sample-|\/examples\/|\/code-generator\//.test(folder))
      continue;
    if (/^\/\/ \+k8s:openapi-gen=/m.test(await readFile(join(folder, entry.name), "utf8"))) found.add(folder);
  }
  return [...found];
}

async function compile(cache: Cache, name: ProgramName): Promise<readonly string[]> {
  const [major = "", minor = ""] = KUBERNETES_VERSION.split(".");
  const symbols = { gitVersion: `v${KUBERNETES_VERSION}`, gitMajor: major, gitMinor: minor };
  // Of its own version, of the version of its API, and of what it calls itself as a client.
  const flags = ["component-base/version", "client-go/pkg/version"]
    .flatMap((folder) => [`k8s.io/${folder}`, `k8s.io/kubernetes/vendor/k8s.io/${folder}`])
    .flatMap((folder) => Object.entries(symbols).map(([symbol, value]) => `-X ${folder}.${symbol}=${value}`))
    .join(" ");
  const compilers = String(Math.min(MAX_COMPILERS, availableParallelism()));
  const words = ["build", "-p", compilers, "-ldflags", `-s -w ${flags}`, "-o", cache.program(name)];
  await go(cache, [...words, `./cmd/${name}`]);
  return [relative(cache.folder, cache.program(name))];
}

/** At the lowest priority: the build takes minutes, and people work on the machine. */
async function go(cache: Cache, words: readonly string[]): Promise<void> {
  const program = join(goRoot(cache), "bin/go");
  await runProgram("nice", ["-n", "19", program, ...words], {
    cwd: sourceOf(cache),
    env: goEnvironment(cache),
  });
}

const goRoot = (cache: Cache): string => join(cache.toolchain, "usr/lib/go-1.19");

function goEnvironment(cache: Cache): Record<string, string | undefined> {
  return {
    ...process.env,
    PATH: `${join(goRoot(cache), "bin")}:${process.env["PATH"]}`,
    GOROOT: goRoot(cache),
    GOPATH: cache.go,
    GOCACHE: cache.goBuild,
    GO111MODULE: "off",
    GOFLAGS: "",
    CGO_ENABLED: "0",
  };
}

/** Packages of Debian 12 still ship some files in /bin, which has been /usr/bin for long. */
async function mergeUsr(root: string): Promise<void> {
  for (const name of ["bin", "sbin", "lib"])
    if (existsSync(join(root, name)))
      await cp(join(root, name), join(root, "usr", name), { recursive: true, verbatimSymlinks: true });
}

/** What the packages' installation scripts would have linked. */
async function linkAlternatives(root: string): Promise<void> {
  for (const family of ["iptables", "ip6tables"])
    for (const kind of ["", "-save", "-restore"]) {
      const path = join(root, `usr/sbin/${family}${kind}`);
      await rm(path, { force: true });
      await symlink("xtables-nft-multi", path);
    }
}

/** Runs `work` unless the manifest says that it was done of the same `inputs`. */
async function step(
  cache: Cache,
  progress: Progress,
  name: string,
  inputs: readonly string[],
  work: () => Promise<readonly string[]>,
): Promise<void> {
  if (isDone(cache, name, inputs)) return;
  const made = await progress.step(name, work);
  const { steps } = readManifest(cache);
  const text = JSON.stringify({ steps: { ...steps, [name]: { of: inputs, made } } }, undefined, 2);
  await writeFile(cache.manifest, `${text}\n`);
}

function isDone(cache: Cache, name: string, inputs: readonly string[]): boolean {
  if (name.startsWith("build ") && !existsSync(cache.program(name.slice(6) as ProgramName))) return false;
  return JSON.stringify(readManifest(cache).steps[name]?.of) === JSON.stringify(inputs);
}

function readManifest(cache: Cache): Manifest {
  if (!existsSync(cache.manifest)) return { steps: {} };
  return JSON.parse(readFileSync(cache.manifest, "utf8")) as Manifest;
}
