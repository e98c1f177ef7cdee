/** `npm run image`: see deploy/images/README.md. */

import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type ImageArguments, parseImageArguments, USAGE } from "./arguments.ts";
import { type BuiltImage, buildImage } from "./build-image.ts";
import { describePlatforms, type Image, writeArchive } from "./oci.ts";
import { pushImages } from "./push/push-images.ts";
import { updatePackagesLock } from "./update-lock.ts";

const projectFolder = join(import.meta.dirname, "..", "..");
const say = (text: string): void => void process.stderr.write(`image: ${text}\n`);
/** All of them the same image: charts and manifests of Istio's kind name one for each component. */
const IMAGES = ["pilot", "ztunnel", "install-cni", "proxyv2"] as const;
const VARIANTS = ["", "-distroless"] as const;

async function main(): Promise<number> {
  const { version } = JSON.parse(await readFile(join(projectFolder, "package.json"), "utf8")) as {
    version: string;
  };
  const outcome = parseImageArguments(process.argv.slice(2), { version, architecture: process.arch });
  switch (outcome.kind) {
    case "help":
      process.stdout.write(USAGE);
      return 0;
    case "bad":
      say(`${outcome.why}\n\n${USAGE}`);
      return 2;
    case "ok":
      if (outcome.value.updateLock) await updateLock();
      else await build(outcome.value, version);
      return 0;
    default:
      return outcome satisfies never;
  }
}

async function build(options: ImageArguments, version: string): Promise<void> {
  const names = IMAGES.flatMap((name) =>
    VARIANTS.map((variant) => `${options.hub}/${name}:${options.tag}${variant}`),
  );
  const origin = readOrigin();
  const images: Image[] = [];
  for (const platform of options.platforms) {
    const built = await buildImage(
      {
        projectFolder,
        cacheFolder: process.env["MELTEMI_CACHE"] ?? join(homedir(), ".cache", "meltemi"),
        platform,
        version,
        fromSnapshot: options.fromSnapshot,
        ...origin,
      },
      say,
    );
    images.push(built.image);
    await save(built, names, options);
  }
  if (options.push)
    await pushImages(images, names, process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker"), say);
  process.stdout.write(`${describePlatforms(images).digest}\n`);
}

async function save(
  { image, sbom }: BuiltImage,
  names: readonly string[],
  { output, tag }: ImageArguments,
): Promise<void> {
  const path = output ?? join(projectFolder, "dist", `meltemi-${tag}-${image.architecture}.tar`);
  await mkdir(dirname(path), { recursive: true });
  const archive = writeArchive(image, names);
  await writeFile(path, archive);
  await writeFile(`${path.replace(/\.tar$/, "")}.spdx.json`, sbom);
  say(`${path}: ${megabytes(archive.length)}`);
  for (const layer of image.layers) say(`  layer ${layer.digest} ${megabytes(layer.size)}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Of the commit, so that the same commit is the same image; outside a repository, and with SOURCE_DATE_EPOCH, what is known. */
function readOrigin(): { readonly revision: string | undefined; readonly createdSeconds: number } {
  const git = (...words: string[]): string | undefined => {
    try {
      return execFileSync("git", words, {
        cwd: projectFolder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    } catch {
      return undefined;
    }
  };
  const commit = git("rev-parse", "HEAD");
  const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
  const created = process.env["SOURCE_DATE_EPOCH"] ?? git("log", "-1", "--format=%ct") ?? "0";
  return {
    revision: commit === undefined ? undefined : `${commit}${changed ? "-dirty" : ""}`,
    createdSeconds: Number(created),
  };
}

async function updateLock(): Promise<void> {
  const changes = await updatePackagesLock(
    join(projectFolder, "deploy/images/packages.lock.json"),
    Date.now(),
  );
  say(changes.length === 0 ? "every package is the newest" : changes.join("\n  "));
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
