/**
 * Carries enrolment out, in the order that never lets traffic through unseen: capture first, then ztunnel, then the annotation that tells
 * the control plane to send HBONE (reference: protocol §6.6). One pod is worked on by one caller at a time.
 */

import type { CaptureBackend } from "@meltemi/ebpf";
import { type KubernetesClient, type Namespace, PODS, type Pod } from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import { type Clock, type Logger, MeshError } from "@meltemi/runtime";
import type { ZdsServer } from "@meltemi/zds";
import type { EnrolmentConfig } from "../config.ts";
import { decideEnrolment, type EnrolmentDecision } from "./decide-enrolment.ts";
import type { MeshPod, MeshPods } from "./mesh-pods.ts";
import { addressesOf, factsOf, identityOf, REDIRECTION, redirectionOf } from "./pod-facts.ts";

export interface EnrollerDependencies {
  readonly capture: CaptureBackend;
  readonly zds: Pick<ZdsServer, "add" | "del">;
  readonly pods: MeshPods;
  readonly client: Pick<KubernetesClient, "patch">;
  readonly clock: Clock;
  readonly log: Logger;
  /** The pod's namespace, opened, if it has processes. */
  readonly findNamespace: (uid: string) => Promise<NetworkNamespace | undefined>;
  readonly onEvent: (type: "add" | "del") => void;
}

export interface Enroller {
  /** Brings capture, ztunnel and annotation in line with the pod. Throws what should be tried again. */
  reconcile(pod: Pod, namespace: Namespace | undefined): Promise<void>;
  /**
   * As {@link reconcile} for a pod whose sandbox is just being made. True when the pod is in the mesh. When it fails nothing is left
   * behind, since the sandbox will be torn down.
   */
  enrolSandbox(pod: Pod, namespace: Namespace | undefined, sandbox: Sandbox): Promise<boolean>;
  /** Captures and records a running pod without telling ztunnel: for the snapshot at the agent's start. */
  restore(pod: Pod, namespace: Namespace | undefined): Promise<void>;
  /** The pod is gone, or never was. */
  forget(uid: string): Promise<void>;
  /** Takes a running pod out of the mesh, whatever its labels say. */
  release(pod: Pod): Promise<void>;
  wants(pod: Pod, namespace: Namespace | undefined): boolean;
}

export interface Sandbox {
  readonly netns: NetworkNamespace;
  readonly addresses: readonly string[];
}

type Enrol = Extract<EnrolmentDecision, { kind: "enrol" }>;

export function createEnroller(config: EnrolmentConfig, deps: EnrollerDependencies): Enroller {
  const { capture, zds, pods } = deps;
  const alone = createTurns();
  const decide = (pod: Pod, namespace: Namespace | undefined): EnrolmentDecision =>
    decideEnrolment(factsOf(pod, namespace), config);

  const forget = async (uid: string): Promise<void> => {
    const known = pods.get(uid);
    await capture.unenrol({ uid, netns: known?.netns });
    // Also for a pod unknown here: an earlier run may have announced it.
    await zds.del(uid);
    if (known === undefined) return;
    pods.remove(uid);
    deps.onEvent("del");
    deps.log.info("pod left the mesh", { pod: known.name, namespace: known.namespace });
  };

  const release = async (pod: Pod): Promise<void> => {
    // First the control plane: nobody is to send HBONE to a pod that no longer takes it.
    await annotate(deps.client, pod, undefined);
    await forget(identityOf(pod).uid);
  };

  /** Captures the pod and records it, unless that is done already. */
  const ensureCaptured = async (pod: Pod, want: Enrol, sandbox: Sandbox): Promise<MeshPod> => {
    const identity = identityOf(pod);
    const { captureDns, captureInbound } = want;
    const { netns, addresses } = sandbox;
    const capturedAs = JSON.stringify([captureDns, captureInbound, addresses]);
    const known = pods.get(identity.uid);
    if (known?.netns === netns && known.capturedAs === capturedAs) return known;
    await capture.enrol({ uid: identity.uid, netns, addresses, captureDns, captureInbound });
    const announced = known?.netns === netns && known.announced;
    const meshPod = { ...identity, netns, sinceMs: deps.clock.monotonicMs(), capturedAs, announced };
    pods.put(meshPod);
    if (known === undefined) deps.onEvent("add");
    return meshPod;
  };

  const ensureAnnounced = async (pod: Pod, meshPod: MeshPod): Promise<void> => {
    if (!meshPod.announced) {
      const answer = await zds.add(meshPod.uid);
      if (answer.kind === "nack")
        throw new MeshError("UNAVAILABLE", `add pod ${meshPod.name} to ztunnel: ${answer.why}`);
      pods.put({ ...meshPod, announced: true });
      deps.log.info("pod joined the mesh", { pod: meshPod.name, namespace: meshPod.namespace });
    }
    await annotate(deps.client, pod, "enabled");
  };

  /** Where the pod runs. A sandbox made anew is brought by the plugin, so a namespace known once is not looked for again. */
  const sandboxOf = async (pod: Pod): Promise<Sandbox | undefined> => {
    const uid = pod.metadata?.uid ?? "";
    const addresses = addressesOf(pod, config.ipv6);
    const known = pods.get(uid)?.netns;
    if (known !== undefined) return { netns: known, addresses };
    const found = addresses.length === 0 ? undefined : await deps.findNamespace(uid);
    return found === undefined ? undefined : { netns: found, addresses };
  };

  return {
    forget: (uid) => alone(uid, () => forget(uid)),
    release: (pod) => alone(identityOf(pod).uid, () => release(pod)),
    wants: (pod, namespace) => decide(pod, namespace).kind === "enrol",
    restore: (pod, namespace) =>
      alone(identityOf(pod).uid, async () => {
        const want = decide(pod, namespace);
        const sandbox = want.kind === "enrol" ? await sandboxOf(pod) : undefined;
        if (want.kind === "enrol" && sandbox !== undefined) await ensureCaptured(pod, want, sandbox);
      }),
    reconcile: (pod, namespace) =>
      alone(identityOf(pod).uid, async () => {
        const want = decide(pod, namespace);
        const { uid } = identityOf(pod);
        if (want.kind === "leave") {
          if (pods.get(uid) === undefined && redirectionOf(pod) === undefined) return;
          await release(pod);
          return;
        }
        const sandbox = await sandboxOf(pod);
        // Not started yet: the plugin will bring it, or its status will.
        if (sandbox === undefined) return;
        const meshPod = await ensureCaptured(pod, want, sandbox);
        await ensureAnnounced(pod, meshPod).catch(async (error: unknown) => {
          await annotate(deps.client, pod, "pending");
          throw error;
        });
      }),
    enrolSandbox: (pod, namespace, sandbox) =>
      alone(identityOf(pod).uid, async () => {
        const want = decide(pod, namespace);
        if (want.kind === "leave") {
          sandbox.netns.close();
          return false;
        }
        const { uid } = identityOf(pod);
        try {
          await ensureAnnounced(pod, await ensureCaptured(pod, want, sandbox));
          return true;
        } catch (error) {
          const recorded = pods.get(uid)?.netns === sandbox.netns;
          await forget(uid);
          if (!recorded) sandbox.netns.close();
          throw error;
        }
      }),
  };
}

/** Writes the annotation through pods/status, which is all the agent may write. A pod that is gone or another by now is no error. */
async function annotate(
  client: Pick<KubernetesClient, "patch">,
  pod: Pod,
  value: "enabled" | "pending" | undefined,
): Promise<void> {
  if (redirectionOf(pod) === value) return;
  const { uid, name, namespace } = identityOf(pod);
  const body = { metadata: { uid, annotations: { [REDIRECTION]: value ?? null } } };
  try {
    await client.patch(PODS, { name, namespace }, { kind: "merge", body }, { subresource: "status" });
  } catch (error) {
    if (!isPodReplaced(error)) throw error;
  }
}

function isPodReplaced(error: unknown): boolean {
  return error instanceof MeshError && (error.code === "NOT_FOUND" || error.code === "CONFLICT");
}

/** Runs work on the same key one after the other. */
function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work, work);
    last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (last.get(key) === turn) last.delete(key);
    }
  };
}
