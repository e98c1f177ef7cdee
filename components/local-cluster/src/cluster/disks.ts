/** Other disks of the machine: an overlay of `/` shows only the disk that `/` is on. Pure. */

/** File systems that hold a machine's programs and data; kernel file systems and memory are mounted afresh or not at all. */
const DISK_TYPES = new Set([
  "ext2",
  "ext3",
  "ext4",
  "xfs",
  "btrfs",
  "zfs",
  "f2fs",
  "bcachefs",
  "9p",
  "virtiofs",
  "nfs",
  "nfs4",
]);
/** Places that containers get from elsewhere, or have no use for. */
const SKIPPED = ["/proc", "/sys", "/dev", "/run", "/boot", "/tmp", "/mnt", "/media"];
/** Each costs a mount per container. */
const MAX_DISKS = 8;

/** Mount points in /proc/self/mountinfo (proc(5)) that a container of the machine's own file system needs besides `/`. */
export function otherDisks(mountInfo: string, stateFolder: string): readonly string[] {
  const found = new Set<string>();
  for (const line of mountInfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const path = before?.split(" ")[4];
    const type = after?.split(" ")[0];
    if (path === undefined || type === undefined || !DISK_TYPES.has(type) || path === "/") continue;
    if ([...SKIPPED, stateFolder].some((folder) => path === folder || path.startsWith(`${folder}/`)))
      continue;
    // Escaped and special characters mean something else in mount options.
    if (!/[\\:,]/.test(path)) found.add(path);
  }
  return [...found].sort((a, b) => (a < b ? -1 : 1)).slice(0, MAX_DISKS);
}
