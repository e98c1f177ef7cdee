import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { NetworkNamespace } from "@meltemi/linux";
import { createTemporaryFolder } from "@meltemi/testkit";
import {
  createNamespaceFinder,
  type NamespaceFinderDependencies,
  podUidOf,
  startTimeOf,
} from "./pod-netns.ts";

const UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
const CASES = [
  { name: "cgroupfs driver", text: `0::/kubepods/burstable/pod${UID}/4c5d`, want: UID },
  {
    name: "systemd driver",
    text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll("-", "_")}.slice/cri-containerd-4c5d.scope`,
    want: UID,
  },
  { name: "seen from another cgroup namespace", text: `0::/../../pod${UID}/x`, want: UID },
  {
    name: "static pod",
    text: "0::/kubepods/pod00112233445566778899aabbccddeeff/x",
    want: "00112233445566778899aabbccddeeff",
  },
  { name: "several hierarchies", text: `4:memory:/\n0::/a/pod${UID}/b\n`, want: UID },
  {
    name: "the runtime's own process in the pod's group",
    text: `0::/a/pod${UID}\n1:cpu:/x`,
    want: undefined,
  },
  { name: "no pod", text: "0::/system.slice/ssh.service", want: undefined },
  { name: "the word pod alone", text: "0::/podman/1234", want: undefined },
  { name: "too many digits", text: `0::/pod${UID}0/x`, want: undefined },
  { name: "something endless", text: `pod${UID}/`.padEnd(70_000, "x"), want: undefined },
] as const;
for (const { name, text, want } of CASES) test(`podUidOf: ${name}`, () => assert.equal(podUidOf(text), want));

/** proc(5): 19 fields between the name and the start time. */
const stat = (name: string, ticks: string): string => `42 (${name}) S ${"0 ".repeat(18)}${ticks} 0 0`;
for (const [text, want] of [
  [stat("sh", "1234"), "1234"],
  [stat("a) S 1 (b", "99"), "99"],
  ["", undefined],
  ["42 (sh) Z", undefined],
  [stat("sh", "x"), undefined],
] as const)
  test(`startTimeOf ${JSON.stringify(text.slice(0, 20))}`, () => assert.equal(startTimeOf(text), want));

function fakeNamespace(closed: string[], path: string): NetworkNamespace {
  const close = (): void => void closed.push(path);
  return { fd: -1, inode: 1n, device: 1n, close, [Symbol.dispose]: close };
}

const ADDRESS = "10.0.0.2";
/** Every namespace has the pod's address, but for those whose path the test names. */
function having(
  open: (path: string) => NetworkNamespace,
  without: readonly string[] = [],
): NamespaceFinderDependencies {
  const paths = new Map<NetworkNamespace, string>();
  return {
    open(path) {
      const netns = open(path);
      paths.set(netns, path);
      return netns;
    },
    addressesIn: (netns) =>
      without.some((pid) => paths.get(netns)?.includes(`/${pid}/`)) ? ["172.17.0.1"] : ["fd00::2", ADDRESS],
  };
}

async function makeProcess(proc: string, pid: string, uid: string, starts: string): Promise<void> {
  await mkdir(join(proc, pid), { recursive: true });
  await writeFile(join(proc, pid, "cgroup"), `0::/pods/pod${uid}/main\n`);
  await writeFile(join(proc, pid, "stat"), stat("main", starts));
}

test("the finder gives each pod the namespace of one of its processes, and nothing to a pod without", async () => {
  await using folder = await createTemporaryFolder();
  const other = UID.replace("0f", "aa");
  await makeProcess(folder.path, "10", UID, "5");
  await makeProcess(folder.path, "11", UID, "6");
  await makeProcess(folder.path, "12", other, "7");
  const finder = createNamespaceFinder(
    folder.path,
    having((path) => fakeNamespace([], path)),
  );
  const [first, second, none] = await Promise.all([
    finder.find(UID, [ADDRESS]),
    finder.find(other, [ADDRESS]),
    finder.find(UID.replace("0f", "bb"), [ADDRESS]),
  ]);
  assert.ok(first !== undefined && second !== undefined && none === undefined);
});

test("a process whose number was given to another one meanwhile is not believed", async () => {
  await using folder = await createTemporaryFolder();
  await makeProcess(folder.path, "10", UID, "5");
  const closed: string[] = [];
  const finder = createNamespaceFinder(
    folder.path,
    having((path) => {
      writeFileSync(join(folder.path, "10/stat"), stat("other", "6"));
      return fakeNamespace(closed, path);
    }),
  );
  assert.equal(await finder.find(UID, [ADDRESS]), undefined);
  assert.equal(closed.length, 1);
});

test("a namespace that a pod's process made for itself is not the pod's", async () => {
  await using folder = await createTemporaryFolder();
  await makeProcess(folder.path, "10", UID, "5");
  await makeProcess(folder.path, "11", UID, "6");
  const closed: string[] = [];
  const open = (path: string): NetworkNamespace => fakeNamespace(closed, path);
  const finder = createNamespaceFinder(folder.path, having(open, ["10"]));
  assert.ok((await finder.find(UID, [ADDRESS])) !== undefined);
  assert.deepEqual(closed, [join(folder.path, "10/ns/net")]);
  assert.equal(await finder.find(UID, ["10.0.0.3"]), undefined);
});

test("a folder that cannot be read is an error for who asked, and not for the next", async () => {
  await using folder = await createTemporaryFolder();
  const proc = join(folder.path, "proc");
  const finder = createNamespaceFinder(
    proc,
    having((path) => fakeNamespace([], path)),
  );
  await assert.rejects(finder.find(UID, [ADDRESS]), { code: "ENOENT" });
  await makeProcess(proc, "10", UID, "5");
  assert.ok((await finder.find(UID, [ADDRESS])) !== undefined);
});
