/**
 * Keeps the mesh's ValidatingWebhookConfigurations right while this control plane leads: the roots of the CA at once, and
 * `failurePolicy: Fail` after the API server was seen to ask this webhook and to heed it. What somebody resets is put back.
 */

import {
  createInformer,
  createWorkQueue,
  isConflict,
  isNotFound,
  type KubernetesClient,
  keyOf,
  statusOf,
  VALIDATING_WEBHOOKS,
  type ValidatingWebhookConfiguration,
} from "@meltemi/kubernetes";
import { type Clock, describeError, type Logger } from "@meltemi/runtime";
import { decideConfiguration } from "./decide-configuration.ts";
import { testWebhook } from "./self-test.ts";
import type { ValidationMetrics } from "./validation-metrics.ts";

export interface ConfigurationKeeperOptions {
  readonly namespace: string;
  readonly services: readonly string[];
  readonly revision: string;
}

export interface ConfigurationKeeperDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch" | "create" | "replace">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: ValidationMetrics;
  /** Calls back with the roots of the moment and with every later bundle, PEM. */
  readonly onRootBundle: (listener: (pem: string) => void) => () => void;
}

/** Validates what names no revision. */
const DEFAULT_VALIDATOR = "istiod-default-validator";

/** The API server takes a second or two to hear of a changed configuration; one that never calls webhooks is asked rarely. */
const PROOF_BACKOFF_MS: readonly number[] = [500, 1_000, 2_000, 5_000, 15_000, 60_000];
const BACKOFF = { baseMs: 500, maxMs: 60_000, jitter: 0.2 } as const;

/** Runs until the signal fires. */
export async function keepConfigurations(
  options: ConfigurationKeeperOptions,
  deps: ConfigurationKeeperDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const keeper = new Keeper(options, deps);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await keeper.stop();
}

class Keeper {
  readonly #options: ConfigurationKeeperOptions;
  readonly #deps: ConfigurationKeeperDependencies;
  readonly #configurations: ReturnType<typeof createInformer<ValidatingWebhookConfiguration>>;
  readonly #queue: ReturnType<typeof createWorkQueue>;
  readonly #unsubscribe: () => void;
  /** Those that charts make, and that the control plane has rights to. */
  readonly #names: readonly string[];
  #rootBundlePem: string | undefined;
  /** By configuration, the roots with which its webhook was seen to refuse. */
  readonly #provenPem = new Map<string, string>();
  /** By configuration, how often in a row its webhook was not heeded. */
  readonly #failedProofs = new Map<string, number>();

  constructor(options: ConfigurationKeeperOptions, deps: ConfigurationKeeperDependencies) {
    this.#options = options;
    this.#deps = deps;
    const labelSelector = `istio.io/rev=${options.revision}`;
    this.#configurations = createInformer(deps.client, VALIDATING_WEBHOOKS, { labelSelector }, deps);
    this.#queue = createWorkQueue(
      { name: "validation-webhooks", backoff: BACKOFF },
      { ...deps, reconcile: (key, signal) => this.#reconcile(key, signal) },
    );
    const suffix = options.revision === "default" ? "" : `-${options.revision}`;
    this.#names = [DEFAULT_VALIDATOR, `istio-validator${suffix}-${options.namespace}`];
    const touch = (found: ValidatingWebhookConfiguration): void => this.#queue.add(keyOf(found));
    this.#configurations.onChange({ add: touch, update: (_before, found) => touch(found) });
    this.#unsubscribe = deps.onRootBundle((pem) => {
      this.#rootBundlePem = pem;
      for (const found of this.#configurations.list()) touch(found);
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#configurations.stop();
    await this.#queue.stop();
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<void> {
    const found = this.#configurations.get(key);
    const rootBundlePem = this.#rootBundlePem;
    if (found === undefined || rootBundlePem === undefined || !this.#names.includes(key)) return;
    const isProven = this.#provenPem.get(key) === rootBundlePem;
    const step = decideConfiguration(found, { ...this.#options, rootBundlePem, isProven });
    switch (step.kind) {
      case "nothing":
        return;
      case "replace":
        await this.#replace(step.object, isProven, signal);
        return;
      case "prove":
        await this.#prove(key, rootBundlePem, signal);
        return;
      default:
        step satisfies never;
    }
  }

  async #prove(key: string, rootBundlePem: string, signal: AbortSignal): Promise<void> {
    const { namespace, revision } = this.#options;
    const labels = key === DEFAULT_VALIDATOR ? {} : { "istio.io/rev": revision };
    const tested = await testWebhook({ namespace, labels }, this.#deps.client, signal);
    if (signal.aborted) return;
    if (tested.kind === "heeded") {
      this.#provenPem.set(key, rootBundlePem);
      this.#failedProofs.delete(key);
      this.#queue.add(key);
      return;
    }
    const failed = (this.#failedProofs.get(key) ?? 0) + 1;
    this.#failedProofs.set(key, failed);
    // While an installation starts this is usual; later, invalid objects are stored and nobody knows.
    const level = failed === PROOF_BACKOFF_MS.length ? "warn" : "debug";
    const { reason } = tested;
    this.#deps.log[level]("validation webhook is not heeded, and fails open", { name: key, failed, reason });
    this.#queue.addAfter(key, PROOF_BACKOFF_MS[failed - 1] ?? BACKOFF.maxMs);
  }

  async #replace(
    object: ValidatingWebhookConfiguration,
    isProven: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, log, metrics } = this.#deps;
    try {
      await client.replace(VALIDATING_WEBHOOKS, object, { signal });
      metrics.configurationUpdated();
      log.info("validation webhook put right", { name: keyOf(object), failsClosed: isProven });
    } catch (error) {
      metrics.configurationNotUpdated(statusOf(error)?.reason || "Unknown");
      // Somebody else changed or removed it: the informer brings what is true, and with it the next try.
      if (isConflict(error) || isNotFound(error)) return;
      log.warn("validation webhook not put right", { name: keyOf(object), reason: describeError(error) });
      throw error;
    }
  }
}
