/** Images of the cluster that are not the mesh's: packed here of programs that are on this machine, and loaded into the nodes. */

import { spawn } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readFile, realpath, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { bundleProgram } from "../../../tools/image/bundle.ts";
import { isElf, readNeeds } from "../../../tools/image/elf.ts";
import { completeTree, type Entry, fileOf, textFile } from "../../../tools/image/file-tree.ts";
import { makeImage, writeArchive } from "../../../tools/image/oci.ts";
import type { Cache } from "./cache.ts";
import { initOf } from "./machine.ts";
import { PAUSE_IMAGE } from "./node-plan.ts";

export const TOOLS_IMAGE = "meltemi.test/tools:1";
export const DNS_PROGRAM = "/srv/dns.mjs";
export const ECHO_PROGRAM = "/srv/echo.mjs";

/** What the tests' workloads are made of; `npm run setup` installs all but busybox, which comes with the node's packages. */
const TOOLS = [
  "/usr/bin/bash",
  "/usr/bin/curl",
  "/usr/sbin/nginx",
  "/usr/bin/redis-server",
  "/usr/bin/redis-cli",
];
const APPLETS =
  "sh ls cat cp rm mkdir mv ps sleep sort head tail grep sed wc nc wget httpd hostname ip ping nslookup id kill env true false date seq tee touch".split(
    " ",
  );
const LIBRARY_FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
const PROJECT = join(import.meta.dirname, "../../..");

/** Archives of all test images; made anew each time, which takes a second. */
export async function makeTestImages(cache: Cache, folder: string): Promise<readonly string[]> {
  const busybox = fileOf(await readFile(cache.debian("usr/bin/busybox")), 0o755);
  const pause = new Map<string, Entry>([["bin/busybox", busybox]]);
  return [
    await pack(folder, PAUSE_IMAGE, pause, ["/bin/busybox", "sleep", "infinity"]),
    await pack(folder, TOOLS_IMAGE, await toolFiles(busybox), ["/bin/sh"]),
  ];
}

/** Loads an archive into the node's container runtime. */
export async function loadImage(node: string, archive: string, snapshotter: string): Promise<void> {
  const init = initOf(node);
  if (init === undefined) throw new Error(`load ${archive} on ${node}: the machine is off`);
  const ctr = ["/usr/bin/ctr", "-n", "k8s.io", "images", "import", "--snapshotter", snapshotter, "-"];
  const child = spawn("nsenter", ["--target", String(init), "--all", "--", ...ctr], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await pipeline(createReadStream(archive), child.stdin).catch(() => undefined);
  const code = await ended;
  if (code !== 0) throw new Error(`load ${archive} on ${node}: ctr ended with ${code}: ${said}`);
}

async function pack(
  folder: string,
  name: string,
  files: ReadonlyMap<string, Entry>,
  entrypoint: readonly string[],
): Promise<string> {
  const image = await makeImage({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    layers: [{ name, files: completeTree(files) }],
    created: "1970-01-01T00:00:00Z",
    user: "0:0",
    entrypoint,
    env: ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    labels: {},
    cacheFolder: join(folder, "layers"),
  });
  const path = join(folder, `${basename(name).replace(":", "-")}.tar`);
  await mkdir(folder, { recursive: true });
  await writeFile(`${path}.new`, writeArchive(image, [name]));
  await rename(`${path}.new`, path);
  return path;
}

async function toolFiles(busybox: Entry): Promise<ReadonlyMap<string, Entry>> {
  const dns = await bundleProgram(PROJECT, "tests/kubernetes/dns/main.ts");
  const echo = await bundleProgram(PROJECT, "examples/echo/main.ts");
  const files = new Map<string, Entry>([
    ["bin", { kind: "link", target: "usr/bin" }],
    ["lib64", { kind: "link", target: "usr/lib64" }],
    ["tmp", { kind: "folder", mode: 0o1777 }],
    ["var/log/nginx", { kind: "folder", mode: 0o755 }],
    ["var/lib/nginx", { kind: "folder", mode: 0o755 }],
    ["etc/passwd", textFile("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")],
    ["etc/group", textFile("root:x:0:\nnogroup:x:65534:\n")],
    ["etc/nsswitch.conf", textFile("hosts: files dns\n")],
    ["usr/bin/busybox", busybox],
    ...APPLETS.map((name): [string, Entry] => [`usr/bin/${name}`, { kind: "link", target: "busybox" }]),
    [DNS_PROGRAM.slice(1), fileOf(dns.code)],
    [ECHO_PROGRAM.slice(1), fileOf(echo.code)],
  ]);
  for (const program of TOOLS) await addWithLibraries(files, program, program.slice(1));
  await addWithLibraries(files, process.execPath, "usr/bin/node");
  return files;
}

/** A program or library under its name, and every library that it names, and those that they name. */
async function addWithLibraries(files: Map<string, Entry>, source: string, target: string): Promise<void> {
  if (files.has(target)) return;
  const content = await readFile(await realpath(source));
  files.set(target, fileOf(content, 0o755));
  if (!isElf(content)) return;
  const { interpreter, libraries } = readNeeds(content);
  if (interpreter !== undefined)
    await addWithLibraries(files, interpreter, `usr${interpreter.replace(/^\/usr/, "")}`);
  for (const name of libraries) {
    const folder = LIBRARY_FOLDERS.find((each) => existsSync(join(each, name)));
    if (folder !== undefined) await addWithLibraries(files, join(folder, name), join(folder, name).slice(1));
    else if (!name.startsWith("ld-linux"))
      throw new Error(`pack ${source}: ${name}: expected it in ${LIBRARY_FOLDERS.join(", ")}`);
  }
}
