/**
 * Nodes and pods as network namespaces, joined like a small cluster, for tests of the real kernel. Needs root.
 *
 *   pod eth0 ── (node: bridge `pods`) ── node eth0 ── (fabric: bridge `fabric`) ── …other nodes
 *
 * Everything lies in namespaces whose names begin with the lab's, the addresses too: the machine's own namespace gets nothing.
 */

import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { type Ip, ip } from "@meltemi/model";
import { type CommandResult, type RunOptions, runIn, spawnIn } from "./netns-command.ts";

const execute = promisify(execFile);
/** `ip` names a namespace by a file name; interfaces are limited to 15 characters, namespaces hardly. */
const NAME = /^[a-z][a-z0-9-]{0,30}$/;
const MAX_NODES = 200;

export interface LabPlace {
  /** Name for `ip netns`, below /var/run/netns. */
  readonly netns: string;
  readonly ipv4: Ip;
  readonly ipv6: Ip;
  /** Path for setns(2). */
  readonly path: string;
  run(command: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** Killed, if it still runs, when the lab is disposed. */
  spawn(command: readonly string[]): ChildProcess;
}

export interface LabNode extends LabPlace {
  /** Pods' subnets of this node. */
  readonly podCidr4: string;
  readonly podCidr6: string;
  pod(name: string): Promise<LabPlace>;
}

export interface NetnsLab extends AsyncDisposable {
  readonly name: string;
  /** Nodes reach each other and each other's pods, by IPv4 and IPv6. */
  node(name: string): Promise<LabNode>;
}

/** `await using lab = await createNetnsLab("my-test")`. Removes what an earlier run of the same name left behind. */
export async function createNetnsLab(name: string): Promise<NetnsLab> {
  if (!NAME.test(name)) throw new TypeError(`lab name ${JSON.stringify(name)}: expected ${NAME.source}`);
  await removeLab(name);
  const lab = new Lab(name);
  await lab.start();
  return lab;
}

class Lab implements NetnsLab {
  readonly name: string;
  readonly #children = new Set<ChildProcess>();
  readonly #nodes: LabNode[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get #fabric(): string {
    return `${this.name}-fabric`;
  }

  async start(): Promise<void> {
    await addNamespace(this.#fabric);
    await makeBridge(this.#fabric, "fabric");
  }

  async node(name: string): Promise<LabNode> {
    const index = this.#nodes.length + 1;
    if (index > MAX_NODES) throw new RangeError(`lab ${this.name}: at most ${MAX_NODES} nodes`);
    const netns = `${this.name}-${name}`;
    const place = this.#place(netns, ip(`10.250.0.${index}`), ip(`fd00:250::${index.toString(16)}`));
    await addNamespace(netns);
    await join(netns, this.#fabric, "fabric", `n${index}`);
    await addAddresses(netns, "eth0", `${place.ipv4}/16`, `${place.ipv6}/64`);
    for (const key of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
      await expectSuccess(runIn(netns, ["sysctl", "-qw", `${key}=1`]));
    await makeBridge(netns, "pods");
    await addAddresses(netns, "pods", `10.244.${index}.1/24`, `fd00:244:0:${index.toString(16)}::1/64`);
    let pods = 1;
    const node: LabNode = {
      ...place,
      podCidr4: `10.244.${index}.0/24`,
      podCidr6: `fd00:244:0:${index.toString(16)}::/64`,
      pod: (pod) => this.#pod(netns, index, pod, ++pods),
    };
    for (const other of this.#nodes) await Promise.all([route(node, other), route(other, node)]);
    this.#nodes.push(node);
    return node;
  }

  async #pod(node: string, index: number, name: string, number: number): Promise<LabPlace> {
    if (number > 254) throw new RangeError(`node ${node}: at most 253 pods`);
    const netns = `${this.name}-${name}`;
    const subnet6 = `fd00:244:0:${index.toString(16)}::`;
    const place = this.#place(netns, ip(`10.244.${index}.${number}`), ip(`${subnet6}${number.toString(16)}`));
    await addNamespace(netns);
    await join(netns, node, "pods", `p${number}`);
    await addAddresses(netns, "eth0", `${place.ipv4}/24`, `${place.ipv6}/64`);
    await ipCommand("-n", netns, "route", "add", "default", "via", `10.244.${index}.1`);
    await ipCommand("-n", netns, "-6", "route", "add", "default", "via", `${subnet6}1`);
    return place;
  }

  #place(netns: string, ipv4: Ip, ipv6: Ip): LabPlace {
    return {
      netns,
      ipv4,
      ipv6,
      path: `/var/run/netns/${netns}`,
      run: (command, options) => runIn(netns, command, options),
      spawn: (command) => {
        const child = spawnIn(netns, command);
        this.#children.add(child);
        child.once("exit", () => this.#children.delete(child));
        child.on("error", () => this.#children.delete(child));
        return child;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // All at once: one that ends while another is awaited would say so to nobody.
    await Promise.all([...this.#children].map(endChild));
    await removeLab(this.name);
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** Ends the processes in the lab's namespaces (nobody else can be in there) and deletes them; links go with them. */
async function removeLab(name: string): Promise<void> {
  const { stdout } = await ipCommand("netns", "list");
  const own = stdout
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "")
    .filter((netns) => netns.startsWith(`${name}-`));
  for (const netns of own) {
    const pids = await ipCommand("netns", "pids", netns);
    for (const pid of pids.stdout.split("\n").filter((line) => line !== "")) endProcess(Number(pid));
    await ipCommand("netns", "del", netns);
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It ended by itself in between.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function addNamespace(netns: string): Promise<void> {
  await ipCommand("netns", "add", netns);
  await ipCommand("-n", netns, "link", "set", "lo", "up");
  // Nobody else can have an address of the lab, and looking for him would hold up the first two seconds of every link.
  const keys = ["all", "default"].map((which) => `net.ipv6.conf.${which}.accept_dad=0`);
  await expectSuccess(runIn(netns, ["sysctl", "-qw", ...keys]));
}

async function makeBridge(netns: string, bridge: string): Promise<void> {
  // Without forward delay: a port carries traffic at once.
  await ipCommand("-n", netns, "link", "add", bridge, "type", "bridge", "forward_delay", "0");
  await ipCommand("-n", netns, "link", "set", bridge, "up");
}

/** A veth pair: `eth0` in `netns`, `port` on the bridge of `outer`. */
async function join(netns: string, outer: string, bridge: string, port: string): Promise<void> {
  const peer = ["peer", "name", port, "netns", outer];
  await ipCommand("-n", netns, "link", "add", "eth0", "type", "veth", ...peer);
  await ipCommand("-n", outer, "link", "set", port, "master", bridge, "up");
  await ipCommand("-n", netns, "link", "set", "eth0", "up");
}

/** No duplicate address detection: the IPv6 address is usable at once. */
async function addAddresses(netns: string, device: string, ipv4: string, ipv6: string): Promise<void> {
  await ipCommand("-n", netns, "addr", "add", ipv4, "dev", device);
  await ipCommand("-n", netns, "addr", "add", ipv6, "dev", device, "nodad");
}

async function route(from: LabNode, to: LabNode): Promise<void> {
  await ipCommand("-n", from.netns, "route", "add", to.podCidr4, "via", to.ipv4);
  await ipCommand("-n", from.netns, "-6", "route", "add", to.podCidr6, "via", to.ipv6);
}

async function expectSuccess(running: Promise<CommandResult>): Promise<void> {
  const { exitCode, stderr } = await running;
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
}

function ipCommand(...words: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return execute("ip", words, { timeout: 10_000 });
}
