/** The image, built by its command and unpacked; and containers of it, as a runtime would make them: namespaces, mounts, user, first process. */

import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { eventually } from "@meltemi/testkit";

const PROJECT = join(import.meta.dirname, "..", "..");
const READY_MS = 30_000;

/** @param words of `npm run image`. Returns the digest of the image. */
export function buildImage(
  words: readonly string[],
  { project = PROJECT, env = {} }: { readonly project?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string {
  const node = join(PROJECT, "node_modules/.bin/node");
  return execFileSync(node, [join(project, "tools/image/main.ts"), ...words], {
    cwd: project,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    // Neighbours may commit while this runs: the date and the revision are not those of the repository.
    env: { ...process.env, SOURCE_DATE_EPOCH: "1000000000", GIT_DIR: "/nonexistent", ...env },
  }).trim();
}

export interface ImageConfig {
  readonly architecture: string;
  readonly created: string;
  readonly config: {
    readonly User: string;
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

export interface UnpackedImage {
  readonly root: string;
  readonly config: ImageConfig;
  readonly tags: readonly string[];
}

/** By the way of `docker load`: manifest.json names everything. */
export function unpackImage(archive: string, folder: string): UnpackedImage {
  const parts = join(folder, "parts");
  const root = join(folder, "root");
  for (const path of [parts, root]) mkdirSync(path, { recursive: true });
  execFileSync("tar", ["xf", archive, "-C", parts]);
  const read = <T>(path: string): T => JSON.parse(readFileSync(join(parts, path), "utf8")) as T;
  const [image] = read<{ Config: string; RepoTags: string[]; Layers: string[] }[]>("manifest.json");
  if (image === undefined) throw new Error(`${archive}: expected an image`);
  for (const layer of image.Layers) execFileSync("tar", ["xzpf", join(parts, layer), "-C", root]);
  return { root, config: read<ImageConfig>(image.Config), tags: image.RepoTags };
}

export interface ContainerOptions {
  readonly image: UnpackedImage;
  readonly args: readonly string[];
  /** Instead of the image's entrypoint. */
  readonly entrypoint?: readonly string[];
  /** Default: root. */
  readonly user?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Name of a network namespace. */
  readonly network: string;
  /** Path in the container → path here. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** Files that a runtime writes: path → text. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Read-only root, own processes, /tmp in memory; what is mounted is there before the program, which is process 1. */
const SCRIPT = `
set -e
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --bind /dev "$ROOT/dev"
mount -t tmpfs tmpfs "$ROOT/tmp"
for pair in $MOUNTS; do mount --rbind "\${pair#*=}" "$ROOT\${pair%%=*}"; done
mount -o remount,ro,bind "$ROOT"
ip link set lo up
exec env -i $ENVIRONMENT "$@"
`;

export class Container implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<null, Readable, Readable>;
  #output = "";
  #exit: { readonly code: number | null; readonly signal: string | null } | undefined;

  constructor(options: ContainerOptions) {
    const { root } = options.image;
    const mounts = options.mounts ?? {};
    for (const path of Object.keys(mounts)) mkdirSync(join(root, path), { recursive: true });
    for (const [path, text] of Object.entries(options.files ?? {})) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    // A process without privileges can never gain any: as in a pod with all capabilities dropped.
    const unprivileged = [
      "setpriv",
      "--no-new-privs",
      "chroot",
      `--userspec=${options.user}:${options.user}`,
      "--groups=",
    ];
    const chroot = options.user === undefined ? ["chroot"] : unprivileged;
    const environment = [...options.image.config.config.Env, ...entriesOf(options.env ?? {})];
    const program = [...(options.entrypoint ?? options.image.config.config.Entrypoint), ...options.args];
    const unshare = [
      "unshare",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "sh",
      "-c",
      SCRIPT,
      "container",
    ];
    this.#process = spawn(
      "nsenter",
      [`--net=/run/netns/${options.network}`, ...unshare, ...chroot, root, ...program],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...process.env,
          ROOT: root,
          MOUNTS: entriesOf(mounts).join(" "),
          ENVIRONMENT: environment.join(" "),
        },
      },
    );
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream.on("data", (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    this.#process.on("close", (code, signal) => {
      this.#exit = { code, signal };
    });
  }

  get output(): string {
    return this.#output;
  }

  /** Exit code, once it has ended by itself. */
  async ended(): Promise<number | null> {
    const exit = await eventually(() => this.#exit, { deadlineMs: READY_MS });
    return exit.code;
  }

  /** Waits for it to say something. */
  async says(pattern: RegExp): Promise<void> {
    await eventually(
      () => {
        if (this.#exit !== undefined) throw new Error(`ended with ${this.#exit.code}: ${this.#output}`);
        if (!pattern.test(this.#output)) throw new Error(`said: ${this.#output}`);
        return true;
      },
      { deadlineMs: READY_MS },
    );
  }

  /** To process 1 of the container, from outside, as the kubelet's runtime does. */
  signal(name: "SIGTERM" | "SIGKILL"): void {
    process.kill(this.pid(), name);
  }

  pid(): number {
    const { pid } = this.#process;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return Number(children.split(" ")[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exit !== undefined) return;
    const closed = once(this.#process, "close");
    this.#process.kill("SIGKILL");
    await closed;
  }
}

function entriesOf(record: Readonly<Record<string, string>>): string[] {
  return Object.entries(record).map(([name, value]) => `${name}=${value}`);
}
