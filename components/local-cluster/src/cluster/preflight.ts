/** What the machine must have before anything is made, all faults together. */

import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { findCgroup2Mount } from "@meltemi/linux";

export interface Machine {
  readonly isRoot: boolean;
  readonly platform: string;
  readonly cgroup2: string | undefined;
  readonly fileSystems: string;
  readonly hasNetworkNamespaces: boolean;
  readonly hasIpv6: boolean;
  readonly missingPrograms: readonly string[];
}

/** Program → Debian package that brings it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  nft: "nftables",
  mount: "mount",
  unshare: "util-linux",
  nsenter: "util-linux",
  sysctl: "procps",
  mkfifo: "coreutils",
};
const FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

export function inspectMachine(): Machine {
  return {
    isRoot: process.getuid?.() === 0,
    platform: process.platform,
    cgroup2: process.platform === "linux" ? findCgroup2Mount() : undefined,
    fileSystems: existsSync("/proc/filesystems") ? readFileSync("/proc/filesystems", "utf8") : "",
    hasNetworkNamespaces: existsSync("/proc/self/ns/net"),
    hasIpv6: existsSync("/proc/net/if_inet6"),
    missingPrograms: Object.keys(PROGRAMS).filter(
      (program) => !FOLDERS.some((folder) => isExecutable(`${folder}/${program}`)),
    ),
  };
}

/** One sentence per fault; none when a cluster can be made. Pure. */
export function judgeMachine(machine: Machine): readonly string[] {
  if (machine.platform !== "linux") return [`a local cluster needs Linux; this is ${machine.platform}`];
  const faults: string[] = [];
  if (!machine.isRoot)
    faults.push(
      "a local cluster needs root: it makes network namespaces, mounts and control groups (try sudo)",
    );
  if (machine.cgroup2 === undefined)
    faults.push("cgroup version 2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup/unified");
  if (!/\toverlay$/m.test(machine.fileSystems))
    faults.push("the kernel has no overlayfs: modprobe overlay, or a kernel with CONFIG_OVERLAY_FS");
  if (!machine.hasNetworkNamespaces) faults.push("the kernel has no network namespaces (CONFIG_NET_NS)");
  if (!machine.hasIpv6) faults.push("the kernel has no IPv6 (CONFIG_IPV6, or ipv6.disable=1 at boot)");
  for (const program of machine.missingPrograms)
    faults.push(`the program ${program} is missing: apt-get install ${PROGRAMS[program] ?? program}`);
  return faults;
}

/** True when nobody listens there. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
