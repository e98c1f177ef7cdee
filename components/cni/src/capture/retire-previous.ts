/** A node that changes from one kind of capture to the other: what the earlier one set up is taken away, once the new one is in place. */

import { readFile } from "node:fs/promises";
import type { CaptureBackend } from "@meltemi/ebpf";
import type { NetworkNamespace } from "@meltemi/linux";
import type { Logger } from "@meltemi/runtime";
import { writeAtomically } from "../install/atomic-file.ts";
import type { OpenedCapture } from "./open-capture.ts";

type Kind = CaptureBackend["kind"];

export interface PreviousCaptureDependencies {
  readonly open: (kind: Kind) => OpenedCapture;
  /** The pod's namespace, if it is in the mesh. */
  readonly netnsOf: (uid: string) => NetworkNamespace | undefined;
  readonly log: Logger;
}

/** `memory`: a file that lives as long as rules and programs do, until the machine is started anew. */
export async function retirePrevious(
  memory: string,
  current: Kind,
  deps: PreviousCaptureDependencies,
): Promise<void> {
  const previous = (await readFile(memory, "utf8").catch(() => "")).trim();
  if ((previous === "ebpf" || previous === "nftables") && previous !== current) {
    const { backend, remove } = deps.open(previous);
    using _ = backend;
    for (const { uid } of await backend.list()) await backend.unenrol({ uid, netns: deps.netnsOf(uid) });
    await remove();
    deps.log.info("changed the kind of capture", { from: previous, to: current });
  }
  await writeAtomically(memory, `${current}\n`, 0o644);
}
