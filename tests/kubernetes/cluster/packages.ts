/**
 * Debian packages without installing them: an apt of our own, whose lists, downloads and sources lie in the cache, and `dpkg -x`.
 * apt checks signatures and checksums as ever; the machine's own sources and packages stay as they are.
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "./run-program.ts";
import { KUBERNETES_SOURCE_VERSION } from "./versions.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const ARCHIVES = [
  "http://deb.debian.org/debian bookworm main",
  "http://deb.debian.org/debian bookworm-updates main",
  "http://deb.debian.org/debian-security bookworm-security main",
];

/** An apt whose everything is in `folder`, its lists fresh. Throws when this machine cannot have Debian's packages. */
export async function openApt(folder: string): Promise<Apt> {
  for (const needed of ["/usr/bin/apt-get", "/usr/bin/dpkg", KEYRING])
    if (!existsSync(needed))
      throw new Error(`${needed} is missing: the real Kubernetes is built of Debian 12's packages`);
  await mkdir(join(folder, "lists/partial"), { recursive: true });
  await mkdir(join(folder, "cache/archives/partial"), { recursive: true });
  const lines = ["deb", "deb-src"].flatMap((kind) =>
    ARCHIVES.map((archive) => `${kind} [signed-by=${KEYRING}] ${archive}\n`),
  );
  await writeFile(join(folder, "sources.list"), lines.join(""));
  const apt = new Apt(folder);
  await apt.get("update");
  return apt;
}

export class Apt {
  readonly #folder: string;
  readonly #options: readonly string[];

  constructor(folder: string) {
    this.#folder = folder;
    const settings = {
      "Dir::Etc::sourcelist": join(folder, "sources.list"),
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::Etc::preferencesparts": "/dev/null",
      "Dir::State::lists": join(folder, "lists"),
      "Dir::Cache": join(folder, "cache"),
      // The folder is the user's; the account that apt downloads with cannot write there.
      "APT::Sandbox::User": "root",
    };
    this.#options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  }

  async get(...words: string[]): Promise<void> {
    await runProgram("apt-get", [...this.#options, "-qq", ...words], { cwd: this.#folder });
  }

  /** Unpacks packages into `root` as `dpkg -x` does, and gives their file names, which tell the versions. */
  async unpack(packages: readonly string[], root: string): Promise<readonly string[]> {
    const folder = join(this.#folder, "unpack");
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await mkdir(root, { recursive: true });
    await runProgram("apt-get", [...this.#options, "-qq", "download", ...packages], { cwd: folder });
    const files = (await readdir(folder)).sort();
    for (const file of files) await runProgram("dpkg", ["-x", join(folder, file), root]);
    await rm(folder, { recursive: true });
    return files;
  }

  /** Unpacks the upstream tree of Kubernetes (Debian's patches are about kubectl) into `folder`. */
  async unpackKubernetesSource(folder: string): Promise<void> {
    const downloads = join(this.#folder, "source");
    await rm(downloads, { recursive: true, force: true });
    await mkdir(downloads, { recursive: true });
    const which = `kubernetes=${KUBERNETES_SOURCE_VERSION}`;
    await runProgram("apt-get", [...this.#options, "-qq", "--download-only", "source", which], {
      cwd: downloads,
    });
    const archive = (await readdir(downloads)).find((name) => name.endsWith(".orig.tar.gz"));
    if (archive === undefined) throw new Error(`apt-get source ${which}: expected an .orig.tar.gz`);
    await mkdir(folder, { recursive: true });
    await runProgram("tar", ["-xzf", join(downloads, archive), "-C", folder, "--strip-components=1"]);
    await rm(downloads, { recursive: true });
  }
}
