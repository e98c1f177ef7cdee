/** Capture by nftables inside each pod's namespace, for kernels without what eBPF capture needs, and as the comparison. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type NetworkNamespace, withNetworkNamespace } from "@meltemi/linux";
import { MeshError } from "@meltemi/runtime";
import { type CaptureBackend, checkPodUid } from "./capture.ts";
import {
  NAT_TABLE,
  nodeRuleset,
  noNodeRuleset,
  type ProbeTarget,
  parseProbeTargets,
  podRuleset,
  probeTargetsRuleset,
  releasedPodRuleset,
} from "./nftables-rules.ts";
import { keepWaitingConnections, prepareReturnPath, trackFromHandshake } from "./pod-network.ts";

export interface NftablesCaptureOptions {
  readonly nodeNetns: NetworkNamespace;
}

/** A ruleset of this size is applied within milliseconds; a program that hangs must not hold the agent up. */
const NFT_TIMEOUT_MS = 10_000;
const MAX_ERROR_BYTES = 4096;

/** Needs the `nft` program. The node's rules are written with the first pod. */
export function createNftablesCapture(options: NftablesCaptureOptions): CaptureBackend {
  const { nodeNetns } = options;
  const targets = async (): Promise<readonly ProbeTarget[]> => {
    await applyRules(nodeNetns, nodeRuleset());
    const json = await nft(nodeNetns, ["-j", "list", "sets", "table", "inet", NAT_TABLE], "");
    const parsed = parseProbeTargets(json);
    if (parsed === undefined) throw new MeshError("KERNEL", "list enrolled pods: expected JSON of nft");
    return parsed;
  };
  /** Each change reads the sets first: two of them must not overlap. */
  let last: Promise<unknown> = Promise.resolve();
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
  const setTargets = (uid: string, ips: readonly string[]): Promise<void> =>
    alone(async () => {
      const there = await targets();
      const remove = there.filter((target) => target.uid === uid || ips.includes(target.ip));
      await applyRules(
        nodeNetns,
        probeTargetsRuleset(
          remove,
          ips.map((ip) => ({ ip, uid })),
        ),
      );
    });
  const close = (): void => undefined;
  return {
    kind: "nftables",
    async enrol(pod) {
      checkPodUid(pod.uid);
      prepareReturnPath(pod.netns, false);
      keepWaitingConnections(pod.netns);
      // Rules of this kind load connection tracking, whose setting comes before the pod's own.
      await applyRules(nodeNetns, nodeRuleset());
      trackFromHandshake(pod.netns);
      await applyRules(pod.netns, podRuleset(pod));
      // Not what is found on its interfaces: an app could add the address of the API server there, and cut the node off from it.
      await setTargets(pod.uid, pod.addresses);
    },
    async unenrol({ uid, netns }) {
      const known = await alone(targets);
      if (!known.some((target) => target.uid === uid)) return;
      if (netns !== undefined) await applyRules(netns, releasedPodRuleset());
      await setTargets(uid, []);
    },
    async list() {
      const uids = (await alone(targets)).map(({ uid }) => uid);
      return [...new Set(uids)].map((uid) => ({ uid }));
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** Removes the node's rules; those in pods go with the pods. */
export async function removeNftablesCapture(nodeNetns: NetworkNamespace): Promise<void> {
  await applyRules(nodeNetns, noNodeRuleset());
}

async function applyRules(netns: NetworkNamespace, text: string): Promise<void> {
  await nft(netns, ["-f", "-"], text);
}

async function nft(netns: NetworkNamespace, args: readonly string[], input: string): Promise<string> {
  // A child is born in the namespace of the thread that forks it.
  const child = withNetworkNamespace(netns, () =>
    spawn("nft", args, { stdio: "pipe", timeout: NFT_TIMEOUT_MS, killSignal: "SIGKILL" }),
  );
  const ended = once(child, "close");
  // Its exit code tells what went wrong when it does not read.
  child.stdin.on("error", () => undefined).end(input);
  const read = async (stream: AsyncIterable<Buffer>): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  };
  try {
    const [output, complaint, [code]] = await Promise.all([read(child.stdout), read(child.stderr), ended]);
    if (code === 0) return output;
    const why = complaint.trim().slice(0, MAX_ERROR_BYTES) || `exit code ${code}`;
    throw new MeshError("KERNEL", `run nft ${args.join(" ")} in network namespace ${netns.inode}: ${why}`);
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError("UNSUPPORTED", "run nft: expected the program of the nftables package", { cause });
  }
}
