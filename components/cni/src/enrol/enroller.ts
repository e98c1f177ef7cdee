/**
 * Carries enrolment out. A pod that is just being made is captured before it can send anything: capture, then ztunnel, then the
 * annotation that tells the control plane to send HBONE (reference: protocol §6.6). A pod that runs has been talking all the time, and
 * a connection that is captured before ztunnel listens is refused: ztunnel first, then capture. One pod is worked on by one caller
 * at a time.
 */

import type { CaptureBackend } from "@meltemi/ebpf";
import type { KubernetesClient, Namespace, Pod } from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import { type Clock, delay, type Logger, MeshError } from "@meltemi/runtime";
import type { ZdsServer } from "@meltemi/zds";
import type { EnrolmentConfig } from "../config.ts";
import { annotate, type Redirection } from "./annotate.ts";
import { decideEnrolment, type EnrolmentDecision } from "./decide-enrolment.ts";
import type { MeshPods } from "./mesh-pods.ts";
import { addressesOf, factsOf, identityOf, type PodIdentity, redirectionOf } from "./pod-facts.ts";
import { createTurns } from "./turns.ts";

export interface EnrollerDependencies {
  readonly capture: CaptureBackend;
  readonly zds: Pick<ZdsServer, "add" | "del">;
  readonly pods: MeshPods;
  readonly client: Pick<KubernetesClient, "patch">;
  readonly clock: Clock;
  readonly log: Logger;
  /** The pod's namespace, opened, if it has processes. */
  readonly findNamespace: (
    uid: string,
    addresses: readonly string[],
  ) => Promise<NetworkNamespace | undefined>;
  readonly onEvent: (type: "add" | "del") => void;
}

interface Sandbox {
  readonly netns: NetworkNamespace;
  readonly addresses: readonly string[];
}

export interface Enroller {
  /** Brings capture, ztunnel and annotation in line with a running pod. Throws what should be tried again. */
  reconcile(pod: Pod, namespace: Namespace | undefined): Promise<void>;
  /**
   * As `reconcile` for a pod whose sandbox is just being made; takes ownership of its namespace. When it fails nothing is left behind,
   * since the sandbox will be torn down.
   */
  enrolSandbox(pod: Pod, namespace: Namespace | undefined, sandbox: Sandbox): Promise<EnrolmentDecision>;
  /** Captures and records a running pod without telling ztunnel or the control plane: for the snapshot at the agent's start. */
  restore(pod: Pod, namespace: Namespace | undefined): Promise<void>;
  /** The pod is gone, or never was. */
  forget(uid: string): Promise<void>;
  /** The pod leaves the mesh and lives on. */
  release(pod: PodIdentity): Promise<void>;
}

/**
 * A pod that leaves is served on for so long after its annotation went: peers that have not heard of it send HBONE, and would be
 * refused. The control plane tells them within 100 ms or two, on a busy machine as well.
 */
const PEERS_HEAR_MS = 500;

type Enrolment = Extract<EnrolmentDecision, { kind: "enrol" }>;

export function createEnroller(config: EnrolmentConfig, deps: EnrollerDependencies): Enroller {
  const alone = createTurns();
  const work = new EnrolmentWork(config, deps);
  return {
    reconcile: (pod, namespace) => alone(identityOf(pod).uid, () => work.reconcile(pod, namespace)),
    enrolSandbox: (pod, namespace, sandbox) =>
      alone(identityOf(pod).uid, () => work.enrolSandbox(pod, namespace, sandbox)),
    restore: (pod, namespace) => alone(identityOf(pod).uid, () => work.restore(pod, namespace)),
    forget: (uid) => alone(uid, () => work.forget(uid)),
    release: (pod) => alone(pod.uid, () => work.release(pod)),
  };
}

class EnrolmentWork {
  readonly #config: EnrolmentConfig;
  readonly #deps: EnrollerDependencies;

  constructor(config: EnrolmentConfig, deps: EnrollerDependencies) {
    this.#config = config;
    this.#deps = deps;
  }

  async reconcile(pod: Pod, namespace: Namespace | undefined): Promise<void> {
    const want = this.#decide(pod, namespace);
    if (want.kind === "leave") return await this.#leave(pod, want.why === "finished");
    const sandbox = await this.#sandboxOf(pod);
    // Not started yet: the plugin will bring it, or its status will.
    if (sandbox === undefined) return;
    const identity = identityOf(pod);
    const { pods } = this.#deps;
    const isNew = pods.get(identity.uid)?.netns !== sandbox.netns;
    if (!isNew) await this.#capture(identity, want, sandbox);
    // A ztunnel that connects is given all pods anyway: only what was never completed is announced alone.
    if (!isNew && redirectionOf(pod) === "enabled") return;
    try {
      if (isNew) await this.#join(identity, want, sandbox);
      else await this.#tell(identity);
    } catch (error) {
      const isCaptured = pods.get(identity.uid) !== undefined;
      if (isCaptured && redirectionOf(pod) !== "pending") await this.#annotate(identity, "pending");
      throw error;
    }
    await this.#joined(identity);
  }

  async enrolSandbox(
    pod: Pod,
    namespace: Namespace | undefined,
    sandbox: Sandbox,
  ): Promise<EnrolmentDecision> {
    const want = this.#decide(pod, namespace);
    const identity = identityOf(pod);
    const isOurs = (): boolean => this.#deps.pods.get(identity.uid)?.netns === sandbox.netns;
    try {
      if (want.kind === "enrol") {
        await this.#capture(identity, want, sandbox);
        await this.#tell(identity);
        await this.#joined(identity);
      } else if (want.why === "sandboxed-runtime") {
        const { name, namespace } = identity;
        const runtimeClass = pod.spec?.runtimeClassName;
        this.#deps.log.warn("this pod cannot be in the mesh: its runtime has a network of its own", {
          pod: name,
          namespace,
          runtimeClass,
        });
      }
      return want;
    } catch (error) {
      await this.forget(identity.uid);
      throw error;
    } finally {
      if (!isOurs()) sandbox.netns.close();
    }
  }

  async restore(pod: Pod, namespace: Namespace | undefined): Promise<void> {
    const want = this.#decide(pod, namespace);
    const sandbox = want.kind === "enrol" ? await this.#sandboxOf(pod) : undefined;
    if (want.kind === "enrol" && sandbox !== undefined) await this.#capture(identityOf(pod), want, sandbox);
  }

  async forget(uid: string): Promise<void> {
    const { capture, zds, pods } = this.#deps;
    const known = pods.get(uid);
    await capture.unenrol({ uid, netns: known?.netns });
    // Not in the list any more before the removal is told: a ztunnel that connects in between must not learn of it again.
    pods.remove(uid);
    // Also for a pod unknown here: an earlier run may have announced it.
    await zds.del(uid);
    if (known === undefined) return;
    this.#deps.onEvent("del");
    this.#deps.log.info("pod left the mesh", { pod: known.name, namespace: known.namespace });
  }

  async release(pod: PodIdentity): Promise<void> {
    try {
      await this.#annotate(pod, undefined);
      await delay(this.#deps.clock, PEERS_HEAR_MS);
    } finally {
      // Also when nobody could be told: a pod must not stay captured where no ztunnel will be.
      await this.forget(pod.uid);
    }
  }

  async #leave(pod: Pod, finished: boolean): Promise<void> {
    const identity = identityOf(pod);
    const isAnnotated = redirectionOf(pod) !== undefined;
    if (this.#deps.pods.get(identity.uid) === undefined && (finished || !isAnnotated)) return;
    if (finished || !isAnnotated) await this.forget(identity.uid);
    else await this.release(identity);
  }

  #decide(pod: Pod, namespace: Namespace | undefined): EnrolmentDecision {
    return decideEnrolment(factsOf(pod, namespace), this.#config);
  }

  /** Without a ztunnel the pod is captured all the same, and cut off: its label says that it is not to talk in the clear. */
  async #join(pod: PodIdentity, want: Enrolment, sandbox: Sandbox): Promise<void> {
    const { pods, clock } = this.#deps;
    pods.put({ ...pod, netns: sandbox.netns, capturedAs: undefined, sinceMs: clock.monotonicMs() });
    const [told] = await Promise.allSettled([this.#tell(pod)]);
    try {
      await this.#capture(pod, want, sandbox);
    } catch (error) {
      await this.forget(pod.uid);
      throw error;
    }
    if (told.status === "rejected") throw told.reason;
  }

  /** Sets capture up unless it is as wanted. */
  async #capture(pod: PodIdentity, want: Enrolment, sandbox: Sandbox): Promise<void> {
    const { capture, pods, clock, log } = this.#deps;
    const { captureDns, captureInbound } = want;
    const { netns, addresses } = sandbox;
    const known = pods.get(pod.uid);
    const isNew = known?.netns !== netns || known.capturedAs === undefined;
    const capturedAs = JSON.stringify([captureDns, captureInbound, [...addresses].sort()]);
    if (!isNew && known.capturedAs === capturedAs) return;
    await capture.enrol({ uid: pod.uid, netns, addresses, captureDns, captureInbound });
    pods.put({ ...pod, netns, capturedAs, sinceMs: clock.monotonicMs() });
    if (isNew) this.#deps.onEvent("add");
    log.debug("captured pod", { pod: pod.name, namespace: pod.namespace, captureDns, captureInbound });
  }

  async #tell(pod: PodIdentity): Promise<void> {
    const answer = await this.#deps.zds.add(pod.uid);
    if (answer.kind === "nack")
      throw new MeshError(
        "UNAVAILABLE",
        `add pod ${pod.namespace}/${pod.name} to ztunnel: it refused: ${answer.why}`,
      );
  }

  async #joined(pod: PodIdentity): Promise<void> {
    await this.#annotate(pod, "enabled");
    this.#deps.log.info("pod joined the mesh", { pod: pod.name, namespace: pod.namespace });
  }

  async #sandboxOf(pod: Pod): Promise<Sandbox | undefined> {
    const { uid } = identityOf(pod);
    const addresses = addressesOf(pod, this.#config.ipv6);
    if (addresses.length === 0) return undefined;
    const known = this.#deps.pods.get(uid);
    const netns = known?.netns ?? (await this.#deps.findNamespace(uid, addresses));
    return netns === undefined ? undefined : { netns, addresses };
  }

  async #annotate(pod: PodIdentity, value: Redirection | undefined): Promise<void> {
    await annotate(this.#deps.client, pod, value);
  }
}
