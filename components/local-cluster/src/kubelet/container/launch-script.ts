/**
 * The shell script that turns a container's description into its first process. A script, because the steps are exactly those of
 * util-linux's own programs, which every Linux machine has, and because it takes milliseconds where a Node process takes fifty.
 *
 * Three stages: `outer` stays behind, outside all namespaces, and writes down how the container ended, so that this is known even
 * when the kubelet was away; `middle` waits for process 1, because `unshare --fork` stumbles over a child that a signal ended
 * (util-linux 2.38: exit code 1, and a line in the container's log); `inner` runs as process 1 of the new namespaces, builds the
 * root file system, and becomes the program. Descriptor 3 tells the kubelet `started …`, or what went wrong before. Pure.
 */

export interface Mount {
  /** A path of the machine. */
  readonly source: string;
  /** Absolute, inside the container, free of symbolic links. */
  readonly target: string;
  readonly kind: "folder" | "file";
  readonly readOnly: boolean;
}

/** An overlay: `upper` and `work` take what the container writes. */
export interface Layer {
  readonly lower: string;
  readonly upper: string;
  readonly work: string;
  /** Absolute, inside the container: `/` for the root, elsewhere for other disks of the machine. */
  readonly target: string;
}

export interface LaunchSpec {
  /** Where the script, the exit code and the mount point are. */
  readonly folder: string;
  /** Where the root file system is put together. */
  readonly rootFolder: string;
  readonly podCgroup: string;
  readonly containerCgroup: string;
  /** Path of the network namespace. */
  readonly networkNamespace: string;
  readonly hostname: string;
  /** The container sees the machine's processes (`hostPID`). */
  readonly hostPid: boolean;
  readonly privileged: boolean;
  readonly readOnlyRoot: boolean;
  readonly layers: readonly Layer[];
  readonly mounts: readonly Mount[];
  /** The folder whose programs the image is made of; the container must reach it whatever is mounted above it. */
  readonly programFolder: string | undefined;
  /** Folders of the machine that the container must not see. */
  readonly hidden: readonly string[];
  readonly workingDir: string;
  readonly userId: number | undefined;
  readonly groupId: number | undefined;
  readonly environment: ReadonlyMap<string, string>;
  readonly command: readonly string[];
}

/** Memory that a container may put into /dev/shm: 64 MiB as with other runtimes. */
const SHARED_MEMORY = "64m";

/** Exit code of the outer stage when the container never started. */
const SETUP_FAILED = 125;

export function renderLaunchScript(spec: LaunchSpec): string {
  const lines = [
    "#!/bin/sh",
    `if [ "$1" = inner ]; then`,
    ...innerStage(spec),
    "fi",
    `if [ "$1" = middle ]; then`,
    ...MIDDLE_STAGE,
    "fi",
    ...outerStage(spec),
  ];
  return `${lines.join("\n")}\n`;
}

/** In the foreground, so that the program may be interrupted; the first process that this one starts is process 1. */
const MIDDLE_STAGE: readonly string[] = [
  "exec 2>/dev/null",
  // A subshell, because dash redirects itself, too, for a plain command: its "Killed" would be in the container's log.
  '(exec 2>&4 4>&-; exec sh "$0" inner)',
  "code=$?",
  // 128 + signal when one ended it. Not the script's last command: a shell may become that one instead of waiting.
  'exit "$code"',
];

function outerStage(spec: LaunchSpec): string[] {
  const exitFile = quote(`${spec.folder}/exit`);
  const namespaces = ["--mount", "--uts", "--ipc", ...(spec.hostPid ? [] : ["--pid"])];
  return [
    // The shell's own remarks ("Killed") are not the container's output.
    "exec 4>&2 2>/dev/null",
    `echo 0 > ${quote(`${spec.podCgroup}/cgroup.procs`)} || exit ${SETUP_FAILED}`,
    "(",
    // What nsenter and unshare complain about is the kubelet's.
    "  exec 2>&3",
    `  echo 0 > ${quote(`${spec.containerCgroup}/cgroup.procs`)} || exit ${SETUP_FAILED}`,
    `  exec nsenter --net=${quote(spec.networkNamespace)} unshare ${namespaces.join(" ")} \\`,
    `    --propagation slave sh "$0" middle`,
    ")",
    "code=$?",
    // With the program, or with the process that waits for it, everything of the container ends.
    `echo 1 > ${quote(`${spec.containerCgroup}/cgroup.kill`)}`,
    "exec 3>&-",
    `echo "$code" > ${exitFile}.new && mv ${exitFile}.new ${exitFile}`,
    'exit "$code"',
  ];
}

function innerStage(spec: LaunchSpec): string[] {
  return [
    "set -eu",
    // Until the program runs, complaints are the kubelet's, not the container's.
    "exec 5>&2 2>&3",
    `trap 'exit ${SETUP_FAILED}' EXIT`,
    ...spec.layers.map((layer) => mountLayer(spec, layer)),
    `cd ${quote(spec.rootFolder)}`,
    ...kernelFileSystems(spec),
    ...spec.hidden.map((path) => `mount -t tmpfs -o ro,size=4k,mode=0 tmpfs ${inside(path)}`),
    ...spec.mounts.flatMap(mountVolume),
    ...(spec.programFolder === undefined ? [] : exposeProgram(spec.programFolder)),
    ...(spec.readOnlyRoot ? ["mount -o remount,bind,ro ."] : []),
    `echo ${quote(spec.hostname)} > /proc/sys/kernel/hostname`,
    // The machine's /proc is still in place: this is the process number that the kubelet can signal.
    "read -r self < /proc/self/stat",
    "mount --move . /",
    ...becomeProgram(spec),
  ];
}

function mountLayer(spec: LaunchSpec, layer: Layer): string {
  const target = layer.target === "/" ? spec.rootFolder : `${spec.rootFolder}${layer.target}`;
  const options = `lowerdir=${layer.lower},upperdir=${layer.upper},workdir=${layer.work}`;
  return `mount -t overlay overlay -o ${quote(options)} ${quote(target)}`;
}

function kernelFileSystems(spec: LaunchSpec): string[] {
  return [
    "mkdir -p proc sys dev",
    spec.hostPid ? "mount --rbind /proc proc" : "mount -t proc proc proc",
    `mount -t sysfs ${spec.privileged ? "" : "-o ro "}sysfs sys`,
    "mount --rbind /dev dev",
    "mkdir -p dev/shm",
    `mount -t tmpfs -o mode=1777,size=${SHARED_MEMORY} tmpfs dev/shm`,
  ];
}

function mountVolume(mount: Mount): string[] {
  const target = inside(mount.target);
  const make =
    mount.kind === "folder"
      ? `mkdir -p ${target}`
      : `mkdir -p ${inside(parentOf(mount.target))}; [ -e ${target} ] || : > ${target}`;
  const readOnly = mount.readOnly ? [`mount -o remount,bind,ro ${target}`] : [];
  return [make, `mount --rbind ${quote(mount.source)} ${target}`, ...readOnly];
}

/**
 * After the volumes, because one of them may cover it (an emptyDir on /tmp), and with a way in for users other than root,
 * because it may lie in a home folder. The modes are changed in the container's own layer.
 */
function exposeProgram(folder: string): string[] {
  const ancestors = folder
    .split("/")
    .slice(1, -1)
    .map((_, index, names) => `/${names.slice(0, index + 1).join("/")}`);
  return [
    ...mountVolume({ source: folder, target: folder, kind: "folder", readOnly: true }),
    ...ancestors.map((ancestor) => `chmod a+x ${inside(ancestor)} || :`),
  ];
}

/**
 * Said of a program that cannot be run, in the words of other runtimes. Nothing is said of one that can, nor when this shell
 * cannot run in the container: then the program itself is tried.
 */
const LOOK_FOR_PROGRAM = `case "$1" in
*/*)
  if [ ! -e "$1" ]; then printf 'exec: "%s": stat %s: no such file or directory' "$1" "$1"
  elif [ -d "$1" ] || [ ! -x "$1" ]; then printf 'exec: "%s": permission denied' "$1"
  fi ;;
*) command -v -- "$1" >/dev/null || printf 'exec: "%s": executable file not found in $PATH' "$1" ;;
esac`;

/**
 * The environment goes through a sourced line, not through arguments: those can be read by everyone in /proc. From its export on,
 * what this script itself remembers is in `$1` and `$2`: every other name may be the container's.
 */
function becomeProgram(spec: LaunchSpec): string[] {
  const exported = [...spec.environment].filter(([name]) => isShellName(name));
  // Names such as `a.b` no shell can export.
  const odd = [...spec.environment].filter(([name]) => !isShellName(name));
  const oddWords = odd.map(([name, value]) => ` ${quote(`${name}=${value}`)}`).join("");
  const user = [
    ...(spec.userId === undefined ? [] : [`-S ${spec.userId}`]),
    ...(spec.groupId === undefined ? [] : [`-G ${spec.groupId}`]),
  ];
  const enter = ["/usr/bin/nsenter", "--root=.", `--wd=${inside(spec.workingDir)}`, ...user, "--"].join(" ");
  const look = `${enter} /bin/sh -c ${quote(LOOK_FOR_PROGRAM)} sh ${quote(spec.command[0] ?? "")}`;
  return [
    `mkdir -p ${inside(spec.workingDir)} 2>/dev/null || :`,
    'set -- "$self"',
    "unset PATH PWD OLDPWD self",
    ...exported.map(([name, value]) => `export ${name}=${quote(value)}`),
    `set -- "$1" "$(${look} 2>/dev/null || :)"`,
    `if [ -n "$2" ]; then printf '%s\\n' "$2" >&3; exit; fi`,
    `printf 'started %s\\n' "$1" >&3`,
    "trap - EXIT",
    "exec 2>&5 5>&- 3>&-",
    `exec ${odd.length > 0 ? `/usr/bin/env${oddWords} ` : ""}${enter} ${spec.command.map(quote).join(" ")}`,
  ];
}

export interface ExecSpec {
  readonly containerCgroup: string;
  /** A process of the container, by the machine's numbering. */
  readonly processId: number;
  readonly workingDir: string;
  readonly userId: number | undefined;
  readonly groupId: number | undefined;
  readonly environment: ReadonlyMap<string, string>;
  readonly command: readonly string[];
}

/** A script that runs one more command inside a running container (exec probes, preStop hooks). */
export function renderExecScript(spec: ExecSpec): string {
  const exported = [...spec.environment].filter(([name]) => isShellName(name));
  const user = [
    ...(spec.userId === undefined ? [] : [`-S ${spec.userId}`]),
    ...(spec.groupId === undefined ? [] : [`-G ${spec.groupId}`]),
  ];
  const root = `/proc/${spec.processId}/root`;
  const target = `--target ${spec.processId} --mount --uts --ipc --net --pid --root=${root}`;
  return [
    `echo 0 > ${quote(`${spec.containerCgroup}/cgroup.procs`)} || exit ${SETUP_FAILED}`,
    "unset PATH PWD OLDPWD",
    ...exported.map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec /usr/bin/nsenter ${target} --wd=${quote(root + spec.workingDir)} ${user.join(" ")} -- ${spec.command.map(quote).join(" ")}`,
    "",
  ].join("\n");
}

/** A word that no shell takes apart. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function isShellName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

/** An absolute path of the container, seen from its root folder. */
function inside(path: string): string {
  return quote(`./${path.replace(/^\/+/, "")}`);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
