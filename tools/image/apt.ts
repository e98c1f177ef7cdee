/**
 * Debian's archive through Debian's own apt-get, in a folder of its own: neither root nor the machine's sources and architecture
 * matter. apt verifies the archive's signatures; what it downloads is compared with the lock besides.
 */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** The lists of one release are 9 MB, all packages of the image 6. */
const TIMEOUT_MS = 300_000;

export interface AptArchive {
  readonly suite: string;
  readonly architecture: string;
  /** As the archive was at that time, by snapshot.debian.org; undefined: as it is now. */
  readonly snapshot: string | undefined;
}

export interface AptFolder {
  /** @param packages names, or `name=version`. Puts the .deb files into `folder`. */
  download(packages: readonly string[], folder: string): Promise<void>;
  /** Version and sum of the newest .deb of each package. */
  candidates(packages: readonly string[]): Promise<ReadonlyMap<string, Candidate>>;
}

export interface Candidate {
  readonly version: string;
  readonly sha256: string;
}

/** Reads the archive's lists. @throws without apt-get, Debian's keys or the archive */
export async function openApt(archive: AptArchive, folder: string): Promise<AptFolder> {
  if (!existsSync(KEYRING))
    throw new Error(
      `read Debian's archive: expected its keys at ${KEYRING}: apt-get install debian-archive-keyring`,
    );
  for (const name of ["state/lists/partial", "cache/archives/partial"])
    await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, "status"), "");
  await writeFile(join(folder, "sources.list"), renderSources(archive));
  const options = aptOptions(folder, archive.architecture);
  await apt("apt-get", [...options, "-qq", "update"], folder);
  return {
    async download(packages, target) {
      await mkdir(target, { recursive: true });
      await apt("apt-get", [...options, "-qq", "download", ...packages], target);
    },
    async candidates(packages) {
      const text = await apt("apt-cache", [...options, "show", "--no-all-versions", ...packages], folder);
      return new Map(text.split("\n\n").flatMap(readStanza));
    },
  };
}

/** Exported for its test. */
export function renderSources({ suite, snapshot }: AptArchive): string {
  const options = [`signed-by=${KEYRING}`, ...(snapshot === undefined ? [] : ["check-valid-until=no"])].join(
    " ",
  );
  const at = (name: string): string =>
    snapshot === undefined
      ? `http://deb.debian.org/${name}`
      : `http://snapshot.debian.org/archive/${name}/${snapshot}`;
  return [
    `deb [${options}] ${at("debian")} ${suite} main`,
    `deb [${options}] ${at("debian")} ${suite}-updates main`,
    `deb [${options}] ${at("debian-security")} ${suite}-security main`,
    "",
  ].join("\n");
}

function aptOptions(folder: string, architecture: string): string[] {
  const settings = {
    "Dir::State": join(folder, "state"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "APT::Architecture": architecture,
    "APT::Architectures::": architecture,
    "Acquire::Languages": "none",
    // A list that could not be read is otherwise a warning, and its packages are then said not to exist.
    "APT::Update::Error-Mode": "any",
    // Otherwise root's apt downloads as a user who may not write here, and says so.
    "APT::Sandbox::User": "root",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

async function apt(program: string, words: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await run(program, words, {
      cwd,
      maxBuffer: MAX_OUTPUT_BYTES,
      timeout: TIMEOUT_MS,
      env: { PATH: process.env["PATH"], LC_ALL: "C", ...proxyOf(process.env) },
    });
    return stdout;
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    if (code === "ENOENT")
      throw new Error(
        `${program} is not installed: the image is made of Debian packages, which only it can fetch`,
      );
    throw new Error(`${program}: ${stderr?.trim() || String(cause)}`, { cause });
  }
}

function proxyOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => /^(https?|no)_proxy$/i.test(name)));
}

function readStanza(stanza: string): [string, Candidate][] {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, "m").exec(stanza)?.[1];
  const [name, version, sha256] = [field("Package"), field("Version"), field("SHA256")];
  return name === undefined || version === undefined || sha256 === undefined
    ? []
    : [[name, { version, sha256 }]];
}
