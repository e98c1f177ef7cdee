/** The licences of the npm packages inside the image, which their authors want to travel with copies. Debian's are beside its packages. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LockedNpmPackage } from "./npm-package.ts";

/** @param packages by path in the lockfile, as `node_modules/yaml` */
export async function collectLicences(
  projectFolder: string,
  packages: ReadonlyMap<string, LockedNpmPackage>,
): Promise<string> {
  const texts = await Promise.all(
    [...packages].map(async ([path, { version, license }]) => {
      const title = `${nameOf(path)} ${version} (${license ?? "see its text"})`;
      return `${title}\n${"=".repeat(title.length)}\n\n${await readLicence(join(projectFolder, path))}\n`;
    }),
  );
  return texts.join("\n");
}

/** @param path in the lockfile; a package inside another has a path of two */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

async function readLicence(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const name = names.sort().find((entry) => /^(licen[cs]e|copying)(\.|-|$)/i.test(entry));
  if (name === undefined) return "The package has no file of its licence.";
  return (await readFile(join(folder, name), "utf8")).trimEnd();
}
