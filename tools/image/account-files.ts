/** The few files of /etc, and the folders, that programs expect on any system. */

import { type Entry, type FileTree, textFile } from "./file-tree.ts";

/** Istio's own: pods that run as it pass checks that know Istio's. */
export const PROXY_ID = 1337;

const DEBIAN_RELEASES: Readonly<Record<string, string>> = { bookworm: "12", trixie: "13" };

export function accountFiles(suite: string): FileTree {
  const folder = (mode: number): Entry => ({ kind: "folder", mode });
  const link = (target: string): Entry => ({ kind: "link", target });
  return new Map<string, Entry>([
    ["bin", link("usr/bin")],
    ["sbin", link("usr/sbin")],
    ["lib", link("usr/lib")],
    ["lib64", link("usr/lib64")],
    ["usr/bin", folder(0o755)],
    ["usr/lib64", folder(0o755)],
    ["usr/sbin", folder(0o755)],
    ["dev", folder(0o755)],
    ["proc", folder(0o555)],
    ["sys", folder(0o555)],
    ["run", folder(0o755)],
    ["tmp", folder(0o1777)],
    ["var/run", link("/run")],
    [
      "etc/passwd",
      textFile(
        [
          "root:x:0:0:root:/root:/usr/sbin/nologin",
          `istio-proxy:x:${PROXY_ID}:${PROXY_ID}:Meltemi:/tmp:/usr/sbin/nologin`,
          "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
          "",
        ].join("\n"),
      ),
    ],
    ["etc/group", textFile(`root:x:0:\nistio-proxy:x:${PROXY_ID}:\nnogroup:x:65534:\n`)],
    ["etc/nsswitch.conf", textFile("passwd: files\ngroup: files\nhosts: files dns\n")],
    // Tells scanners whose packages these are.
    [
      "etc/os-release",
      textFile(
        `PRETTY_NAME="Meltemi, with packages of Debian ${suite}"\nNAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME=${suite}\n` +
          `VERSION_ID="${DEBIAN_RELEASES[suite] ?? ""}"\nHOME_URL="https://www.debian.org/"\n`,
      ),
    ],
  ]);
}
