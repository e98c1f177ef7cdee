import assert from "node:assert/strict";
import { test } from "node:test";
import { parseClusterArguments } from "./arguments.ts";
import { otherDisks } from "./disks.ts";
import { renderEnvironment, renderLauncher } from "./environment.ts";
import { judgeMachine, type Machine } from "./preflight.ts";
import { clusterFolder } from "./state.ts";
import { renderStatus } from "./status.ts";
import { renderUsage } from "./usage.ts";

test("parseClusterArguments: defaults and everything given", () => {
  assert.deepEqual(parseClusterArguments(["up"]), {
    command: "up",
    name: "meltemi",
    state: "/var/lib/meltemi/meltemi",
    nodes: undefined,
    apiPort: undefined,
    zones: [],
    foreground: false,
    keepState: false,
    output: "text",
    restartBaseMs: 10_000,
  });
  const given =
    "up --name demo --state /srv/demo/ --nodes 5 --api-port 7443 --foreground --restart-base-ms 50";
  const parsed = parseClusterArguments(given.split(" "));
  assert.deepEqual([parsed.name, parsed.state, parsed.nodes], ["demo", "/srv/demo", 5]);
  assert.deepEqual([parsed.apiPort, parsed.foreground, parsed.restartBaseMs], [7443, true, 50]);
  assert.equal(parseClusterArguments(["down", "--keep-state"]).keepState, true);
  assert.equal(parseClusterArguments(["status", "-o", "json"]).output, "json");
  assert.equal(parseClusterArguments([]).command, "help");
  for (const words of [
    ["up", "--help"],
    ["help", "up"],
    ["-h", "up"],
  ]) {
    const { command, topic } = parseClusterArguments(words);
    assert.deepEqual([command, topic], ["help", "up"]);
  }
});

const refusals: readonly (readonly [string, RegExp])[] = [
  ["sideways", /expected one of up/],
  ["up down", /expected one of up/],
  ["up --nodes 0", /--nodes 0: expected a whole number from 1 to 50/],
  ["up --nodes many", /--nodes many/],
  ["up --api-port 99999", /--api-port 99999/],
  ["up --name a-b", /lower-case letters/],
  ["up --state here", /absolute path/],
  ["up --state /", /two folders deep/],
  ["up --state /srv", /two folders deep/],
  ["up --state /a/b,c", /absolute path of letters/],
  ["up --state /a/../b", /two folders deep/],
  ["up --zones a,", /label values, got ""/],
  ["up --zones a/b", /label values, got "a\/b"/],
  ["status -o yaml", /-o yaml: expected json/],
  [
    "up --colour",
    /^cluster up --colour: no such option; expected --name NAME, --state DIR, .*--foreground, --help$/,
  ],
  [
    "status --nodes 3",
    /^cluster status --nodes: no such option; expected --name NAME, --state DIR, -o json, --help$/,
  ],
  ["nosuch", /^cluster nosuch: expected one of up, status, env, down, help$/],
  ["help nosuch", /^cluster nosuch: expected one of up/],
  ["up --name", /^--name: expected a value, as in --name NAME$/],
  ["up --foreground=yes", /^--foreground=yes: expected no value$/],
  ["up --__proto__=x", /expected/],
];
for (const [words, want] of refusals)
  test(`parseClusterArguments refuses: ${words}`, () =>
    assert.throws(() => parseClusterArguments(words.split(" ")), { code: "INPUT_INVALID", message: want }));

test("renderUsage: of all commands, and of one with its own options alone", () => {
  const all = renderUsage(undefined);
  assert.match(all, /--keep-state {8}down: keep the state folder/);
  assert.doesNotMatch(all, /\brun\b|restart-base/);
  const down = renderUsage("down");
  assert.match(down, /^usage: meltemi cluster down \[options\]\n/);
  assert.match(down, /--keep-state {8}keep the state folder/);
  assert.doesNotMatch(down, /--nodes|--foreground/);
});

const good: Machine = {
  isRoot: true,
  platform: "linux",
  cgroup2: "/sys/fs/cgroup",
  fileSystems: "nodev\tsysfs\nnodev\toverlay\n",
  hasNetworkNamespaces: true,
  hasIpv6: true,
  missingPrograms: [],
};
const machines: readonly (readonly [string, Partial<Machine>, readonly RegExp[]])[] = [
  ["a good one", {}, []],
  ["not root", { isRoot: false }, [/needs root/]],
  [
    "another system, and nothing more of it",
    { platform: "darwin", isRoot: false },
    [/needs Linux; this is darwin/],
  ],
  ["no overlayfs", { fileSystems: "nodev\tproc\n\text4\n" }, [/no overlayfs/]],
  ["no cgroup2 and no IPv6", { cgroup2: undefined, hasIpv6: false }, [/cgroup version 2/, /no IPv6/]],
  ["no namespaces", { hasNetworkNamespaces: false }, [/no network namespaces/]],
  ["no nft", { missingPrograms: ["nft"] }, [/nft is missing: apt-get install nftables/]],
];
for (const [name, changes, want] of machines)
  test(`judgeMachine: ${name}`, () => {
    const faults = judgeMachine({ ...good, ...changes });
    assert.equal(faults.length, want.length, faults.join("\n"));
    for (const [index, fault] of faults.entries()) assert.match(fault, want[index] ?? /^$/);
  });

test("otherDisks: disks that hold programs and data, and no others", () => {
  const line = (path: string, type: string): string => `36 35 98:0 / ${path} rw - ${type} /dev/x rw`;
  const info = [
    line("/", "ext4"),
    line("/home", "xfs"),
    line("/var", "ext4"),
    line("/proc", "proc"),
    line("/boot", "ext4"),
    line("/run/user/0", "ext4"),
    line("/srv/state/x", "ext4"),
    line("/with\\040space", "ext4"),
    line("/tmp", "tmpfs"),
    "nonsense",
    "",
  ].join("\n");
  assert.deepEqual(otherDisks(info, "/srv/state"), ["/home", "/var"]);
});

test("renderEnvironment and renderLauncher: lines that a shell takes", () => {
  assert.equal(
    renderEnvironment(clusterFolder("/srv/demo")),
    `export KUBECONFIG='/srv/demo/kubeconfig'\nexport PATH='/srv/demo/bin':"$PATH"\n`,
  );
  assert.match(
    renderLauncher("istioctl", "/n/node", "/my project"),
    /^#!\/bin\/sh\nMELTEMI_COMMAND_NAME='istioctl' exec '\/n\/node' '\/my project\/components\/cli\/src\/main.ts' "\$@"\n$/,
  );
});

test("renderStatus: up, down and unhealthy", () => {
  const nodes = [{ name: "node-1", ready: false, pods: 3 }];
  const text = renderStatus({ name: "a", state: "up", folder: "/s", server: "https://x", pid: 1, nodes });
  assert.match(text, /^cluster a: up\n[\s\S]*https:\/\/x \(process 1\)\n {2}node-1 {2}NotReady {2}3 pods\n$/);
  assert.equal(renderStatus({ name: "a", state: "down", folder: "/s" }), "cluster a: down\n  state   /s\n");
});
